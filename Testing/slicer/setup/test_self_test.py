"""The tests that run inside Slicer run here too."""

import pytest


@pytest.mark.cold_worker
def test_what_slicer_runs_on_reload_and_test(slicer_app, scene, module, monkeypatch):
    ran = []
    case = module.SurgicalStyleTransferTest()
    monkeypatch.setattr(case, "delayDisplay", lambda message: ran.append(message))
    case.runTest()
    assert ran[-1] == "Test passed"
    assert set(ran[:-1]) == {name for name in dir(case) if name.startswith("test_")} and len(ran) > 4


def test_a_failing_test_fails(slicer_app, scene, module, monkeypatch):
    from SurgicalStyleTransferLib.mrml import outputs

    monkeypatch.setattr(outputs, "mark", lambda *arguments: None)
    case = module.SurgicalStyleTransferTest()
    monkeypatch.setattr(case, "delayDisplay", lambda message: None)
    with pytest.raises(AssertionError):
        case.runTest()

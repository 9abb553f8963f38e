"""Places as users have them: spaces, letters of other alphabets, two Slicers, an installation that is only read."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
ODD = "Ordner mit Leerzeichen \u00c4\u00d6\u00dc \u65e5\u672c"
# The folder of users, a name of 20 letters, Slicer's folder of extensions, and in it this one's.
INSTALLED_UNDER = (
    9
    + 20
    + len("/AppData/Local/slicer.org/Slicer 5.12.0/slicer.org/Extensions-12345/")
    + len("SurgicalStyleTransfer/lib/Slicer-5.12/qt-scripted-modules/")
)
LONGEST = 260  # characters of a path on Windows, where long ones are not switched on


@pytest.fixture
def logics(slicer_app, scene, module, tiny_folder, tmp_path, monkeypatch):
    """Make logics, each with a worker of its own, whose models and scratch folders lie in an odd place."""
    import qt

    from SurgicalStyleTransferLib.jobs.engine import Engine
    from SurgicalStyleTransferLib.setup import model_cards
    from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING

    place = tmp_path / ODD
    (place / "scratch").mkdir(parents=True)
    shutil.copytree(tiny_folder / "tiny", place / "models" / "tiny")
    qt.QSettings().setValue(FOLDER_SETTING, str(place / "models"))
    monkeypatch.setattr(model_cards, "shipped_folder", lambda: Path("/nonexistent"))
    monkeypatch.setattr(slicer_app.app, "temporaryPath", str(place / "scratch"))
    made = []

    def make():
        logic = module.SurgicalStyleTransferLogic()
        logic._engine = Engine()  # as another Slicer has it
        made.append(logic)
        return logic

    yield make
    for logic in made:
        logic.engine.close()
    assert list((place / "scratch").iterdir()) == []


def test_spaces_and_letters_of_other_alphabets(logics, volume, slicer_app):
    logic = logics()
    result = logic.translate(volume("Sch\u00e4del \u65e5"), "tiny", device="cpu")
    assert ODD in str(logic.engine.exchange.folder) and ODD in str(logic.engine.cards()[0].folder)
    assert "Sch\u00e4del \u65e5" in result.GetName() and np.isfinite(slicer_app.util.arrayFromVolume(result)).all()


def test_two_slicers_at_once(logics, volume, until, slicer_app, monkeypatch, tmp_path):
    """They share the models and what was measured, and nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    first, second = logics(), logics()
    head, results = volume(), []
    for logic in (first, second):
        logic.translate(head, "tiny", device="cpu", on_done=results.append, on_error=pytest.fail)
    until(lambda: len(results) == 2, "both")
    assert first.engine.exchange.folder != second.engine.exchange.folder
    arrays = [slicer_app.util.arrayFromVolume(node) for node in results]
    np.testing.assert_array_equal(*arrays)
    first.engine.close()
    assert second.engine.client.running
    assert second.translate(head, "tiny", device="cpu") is not None


def test_the_environment_of_slicer_reaches_the_worker(slicer_app, module, monkeypatch, tmp_path, until):
    """A proxy, the folder of models: the worker sees what Slicer was started with."""
    import sys

    from SurgicalStyleTransferLib.worker.client import WorkerClient

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    told = tmp_path / "told"
    code = f"import os; open({str(told)!r}, 'w').write(os.environ.get('HTTPS_PROXY', ''))"
    client = WorkerClient(lambda: tmp_path, [sys.executable, "-c", code])
    client.request("devices", lambda answer: None, lambda code, message: None)
    until(lambda: not client.running, "the end of the process")
    assert told.read_text() == "http://proxy.example:3128"


def test_installed_paths_are_short_enough_for_windows():
    module = ROOT / "SurgicalStyleTransfer"
    files = [path.relative_to(module) for path in module.rglob("*") if path.is_file()]
    files += [path.relative_to(ROOT) for path in (ROOT / "training_cli").rglob("*.py")]
    longest = max((path for path in files if "__pycache__" not in path.parts), key=lambda path: len(str(path)))
    compiled = len("/__pycache__") + len(".cpython-312.pyc.123456789012")
    assert INSTALLED_UNDER + len(str(longest)) + compiled < LONGEST, longest


def test_a_run_writes_nothing_into_the_installation(logics, volume):
    def state():
        return {
            str(path): path.stat().st_mtime_ns
            for path in (ROOT / "SurgicalStyleTransfer").rglob("*")
            if "__pycache__" not in path.parts and path.is_file()
        }

    before, here = state(), set(os.listdir())
    logics().translate(volume(), "tiny", device="cpu")
    assert state() == before and set(os.listdir()) == here

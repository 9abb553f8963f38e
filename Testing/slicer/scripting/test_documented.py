"""The Python of docs/scripting.md and AGENTS.md runs as it stands there, in its order, with the shipped style."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("page", ["docs/scripting.md", "AGENTS.md"])
def test_the_examples_run(page, slicer_app, scene, module, volume, until, monkeypatch, tmp_path):
    import qt

    from SurgicalStyleTransferLib.jobs.engine import Engine
    from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING

    qt.QSettings().setValue(FOLDER_SETTING, str(tmp_path / "no models of mine"))
    volume("MRBrainT1"), volume("MRBrainT2", seed=2)
    logic = module.SurgicalStyleTransferLogic()
    logic._engine = Engine()  # nobody else's, so that it can be closed
    # The stand-in has no widget of the module to take the logic of.
    monkeypatch.setattr(slicer_app.util, "getModuleLogic", lambda name: logic)
    names = {"slicer": slicer_app, "getNode": slicer_app.util.getNode}
    try:
        for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
            exec(compile(block.replace("register=True", "register=False"), page, "exec"), names)
            until(lambda: not logic.engine.client.busy and not (logic._turns and logic._turns._waiting), "the end")
        if "done" in names:
            made = [node.GetName() for node in slicer_app.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
            assert sum("MRBrainT2 T1w (synthetic)" in name for name in made) == 1
        assert "semantic_consistency" in str(names["metrics"]) and names["fused"].GetImageData() is not None
        if page == "docs/scripting.md":
            assert names["t1w"].GetAttribute("SurgicalStyleTransfer.SyntheticTo") == "T1w"
            assert names["half"].GetAttribute("SurgicalStyleTransfer.SyntheticStrength").startswith("0.8")
    finally:
        logic.engine.close()

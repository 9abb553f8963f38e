"""``logic.translate``, ``fuse`` and ``judge`` on real MRML and a real worker; no panel is needed."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parents[1]


@pytest.fixture
def logic(slicer_app, scene, module, tiny_folder, monkeypatch):
    import qt

    from SurgicalStyleTransferLib.jobs.engine import Engine
    from SurgicalStyleTransferLib.setup import model_cards
    from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING

    qt.QSettings().setValue(FOLDER_SETTING, str(tiny_folder))
    monkeypatch.setattr(model_cards, "shipped_folder", lambda: Path("/nonexistent"))
    made = module.SurgicalStyleTransferLogic()
    made._engine = Engine()  # nobody else's, so that it can be closed
    yield made
    made.engine.close()


def test_translate_waits_and_judge_and_fuse_work_on_it(logic, volume, slicer_app):
    head = volume()
    assert logic.styles() == ["tiny", "tiny-colour", "tiny-one-way"]
    result = logic.translate(head, style="tiny", device="cpu", strength=0.5)
    assert result.GetAttribute("SurgicalStyleTransfer.Synthetic") == "yes"
    assert result.GetAttribute("SurgicalStyleTransfer.SyntheticStrength").startswith("0.5")
    assert np.isfinite(slicer_app.util.arrayFromVolume(result)).all()
    metrics = logic.judge(result, reference=head, max_slices=2)
    assert {"look_ahead_score", "semantic_consistency", "psnr"} <= set(_flat(metrics))
    fused = logic.fuse([head, result], "weighted", weights=[3, 1], register=False)
    expected = 0.75 * slicer_app.util.arrayFromVolume(head) + 0.25 * slicer_app.util.arrayFromVolume(result)
    assert fused is not result and slicer_app.util.arrayFromVolume(fused).shape == expected.shape
    assert logic.fusion_metrics
    again = logic.translate(head.GetName(), style="tiny", device="cpu", output=result, direction="T1w")
    assert again is result


def _flat(metrics):
    for key, value in metrics.items():
        yield key
        if isinstance(value, dict):
            yield from _flat(value)


def test_translate_calls_back_and_the_next_call_may_wait_there(logic, volume, until):
    heard = []

    def then(node):
        heard.append(node)
        heard.append(logic.translate(node, style="tiny", device="cpu"))

    assert logic.translate(volume(), style="tiny", device="cpu", on_done=then) is None
    assert heard == []
    until(lambda: len(heard) == 2, "both translations")
    assert heard[0].GetName() != heard[1].GetName()


def test_several_calls_take_turns(logic, volume, until):
    names, failed = [], []
    for seed in (1, 2, 3):
        logic.translate(
            volume(f"Head {seed}", seed=seed), "tiny", device="cpu", on_done=lambda node: names.append(node.GetName())
        )
    logic.translate("Head 1", "tiny", device="no such device", on_done=pytest.fail, on_error=failed.append)
    until(lambda: len(names) == 3 and failed, "the end of all")
    assert [name[:6] for name in names] == ["Head 1", "Head 2", "Head 3"]
    assert len(failed) == 1 and failed[0].endswith(".")


def test_a_volume_that_is_deleted_meanwhile_is_an_error_and_nothing_is_left(logic, volume, scene, until):
    said = []
    head = volume()
    nodes = scene.GetNumberOfNodes()
    logic.translate(head, "tiny", device="cpu", on_done=pytest.fail, on_error=said.append)
    scene.RemoveNode(head)
    until(lambda: said, "the error")
    assert "deleted during the run" in said[0] and scene.GetNumberOfNodes() < nodes


def test_what_is_not_there_is_said_before_anything_runs(logic, volume, scene):
    head = volume()
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    calls = (
        (lambda: logic.translate("Nobody", "tiny"), "no node with the name or ID Nobody"),
        (lambda: logic.translate(head, "van-gogh"), "no style van-gogh; there is: tiny, tiny-colour, tiny-one-way"),
        (lambda: logic.translate(head, "tiny-torn"), "damaged"),
        (lambda: logic.translate(head, "tiny", direction="CT"), "no direction CT; there is: forward, backward"),
        (lambda: logic.translate(head, "tiny", strenght=1), "Unknown settings: strenght. There is: .*strength"),
        (lambda: logic.translate(empty, "tiny"), "Empty is empty"),
        (lambda: logic.translate(head, "tiny", output=head), "Head is not a synthetic volume; it is not overwritten"),
        (lambda: logic.fuse([head]), "at least two"),
        (lambda: logic.fuse([head, head], "magic"), "twice"),
        (lambda: logic.judge(head), "Head is no translation that the worker still keeps"),
    )
    for call, sentence in calls:
        with pytest.raises(ValueError, match=sentence):
            call()
    assert not logic.engine.client.running


SCRIPT = """
import pathlib, sys, tempfile
here, models = sys.argv[1:3]
sys.path[:] = [entry for entry in sys.path if entry not in (here, "")]
import slicer
sys.path.insert(0, here)
from slicer_stand_in import install
install(pathlib.Path(tempfile.mkdtemp()))
import qt, SurgicalStyleTransfer
from SurgicalStyleTransferLib import self_test
qt.QSettings().setValue("SurgicalStyleTransfer/ModelsFolder", models)
logic = SurgicalStyleTransfer.SurgicalStyleTransferLogic()
node = logic.translate(self_test.make_volume(), style="tiny", device="cpu")
print("made", node.GetName(), logic.engine.client._process.processId())
"""


def test_a_script_that_just_ends_leaves_no_worker_behind(slicer_app, tiny_folder):
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(HERE), str(tiny_folder)], capture_output=True, text=True, timeout=300
    )
    ended = re.search(r"made Head T2w \(synthetic\) (\d+)", said.stdout)
    assert said.returncode == 0 and ended, said.stdout + said.stderr
    if sys.platform.startswith("linux"):
        until = time.monotonic() + 60
        while (proc := Path("/proc", ended[1])).exists() and "surgical" in (proc / "cmdline").read_text():
            assert time.monotonic() < until, "the worker lives on"
            time.sleep(0.1)


def test_several_inputs_and_the_look_of_another_scan(logic, volume, slicer_app, tmp_path):
    import qt
    from tiny_models import make_tiny_many
    from tissue_phantom import tissue_phantom

    from SurgicalStyleTransferLib.setup.models import FOLDER_SETTING

    make_tiny_many(tmp_path)
    qt.QSettings().setValue(FOLDER_SETTING, str(tmp_path))
    first, second = volume("A"), volume("B", seed=2)
    made = logic.translate(first, style="tiny-many", direction="T1w+FLAIR>T2w", others=[second], device="cpu")
    assert made.GetAttribute("SurgicalStyleTransfer.SyntheticFrom") == "T1w + FLAIR"
    with pytest.raises(ValueError, match="as many volumes as the direction names"):
        logic.translate(first, style="tiny-many", direction="T1w+FLAIR>T2w")
    scan = volume("Scan_T1w", array=tissue_phantom().array[0])
    again = logic.harmonise(scan, like=volume("Site_T1w", array=2 * tissue_phantom(seed=1).array[0]))
    ratio = np.median(slicer_app.util.arrayFromVolume(again)[24]) / np.median(slicer_app.util.arrayFromVolume(scan)[24])
    assert 1.8 < ratio < 2.2 and "in the look of Site_T1w" in again.GetName()
    for wrong, part in (("nowhere", "no node with the name"), (Path("nowhere"), "is not on this computer")):
        with pytest.raises(ValueError, match=part):
            logic.harmonise(scan, like=wrong)
    with pytest.raises(ValueError, match="is no translation that the worker still keeps"):
        logic.judge(again)

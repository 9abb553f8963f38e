"""What the worker does: translate, adjust, judge, preview, import, and name the devices."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from tiny_models import head, make_tiny_bilateral, make_tiny_model
from worker_process import PATIENCE, stored

from surgical_style_engine.worker import messages as protocol


def test_translate_adjust_and_judge_in_one_process(start, tiny):
    talk = start()
    volume = stored(talk, head(), name="in.npy")
    output = talk.scratch / "out.npy"
    progress = []
    talk.send(id=1, task="translate", volume=volume, model=str(tiny), output=str(output), keep="a", device="cpu")
    result = talk.answer(1, progress)
    assert result["event"] == "result", result
    counts = [entry["done"] for entry in progress if entry["stage"] == "translate"]
    assert counts == sorted(counts) and counts[-1] == progress[-1]["total"] == result["slices"] > 5
    made = np.array(protocol.read_array(output))
    assert made.shape == (1, *head().shape) and made.dtype == np.float32
    assert result["notes"]["Synthetic"] == "yes" and result["notes"]["SyntheticTo"] == "T2w"
    assert result["device"] == "cpu" and result["warnings"] == []

    from surgical_style_engine.inference.translate import translate_volume
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.volumes.volume import Volume

    same = Volume(head()[None], (2.0, 2.0, 4.0), (1.0, 2.0, 3.0))
    half = translate_volume(same, load_model(tiny), device="cpu", strength=0.5)
    np.testing.assert_allclose(made, translate_volume(same, load_model(tiny), device="cpu").volume.array, atol=1e-3)

    talk.send(id=2, task="adjust", keep="a", output=str(talk.scratch / "half.npy"), strength=0.5)
    assert talk.answer(2)["notes"]["SyntheticStrength"] == "0.5"
    np.testing.assert_allclose(protocol.read_array(talk.scratch / "half.npy"), half.volume.array, atol=1e-3)

    reference = stored(talk, head(2), name="reference.npy")
    talk.send(id=3, task="figures", keep="a", reference=reference, error_map=str(talk.scratch / "map.npy"))
    answer = talk.answer(3, progress)
    assert answer["event"] == "result", answer
    figures = answer["figures"]
    assert figures["look_ahead_score"] > 0 and figures["jigsaw_puzzle_error"] > 0
    assert figures["reference"]["psnr"] > 0 and len(figures["slices"]["look_ahead"]) == 12
    assert answer["has_map"] and protocol.read_array(talk.scratch / "map.npy").max() > 0
    assert any(entry["stage"] == "figures" for entry in progress)

    talk.send(id=4, task="adjust", keep="unknown", output=str(output), strength=0.5)
    assert "press Apply again" in talk.answer(4)["message"]


@pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
def test_tone_curves_without_torch(start, tmp_path):
    """Apply, figures and the preview, there and back."""
    model = str(make_tiny_bilateral(tmp_path))
    begin = f"import sys\nsys.path[:0] = {sys.path!r}\nimport without_torch"
    talk = start(f"{begin}\nfrom surgical_style_engine.worker.server import main\nmain(sys.argv[1:])", sys.executable)
    volume = stored(talk, head())
    common = {"volume": volume, "model": model, "device": "cpu"}
    for number, direction in enumerate(("forward", "backward"), 1):
        whole, part = talk.scratch / f"{direction}.npy", talk.scratch / f"{direction}_slice.npy"
        talk.send(id=number, task="translate", output=str(whole), keep="a", direction=direction, **common)
        answer = talk.answer(number)
        assert (answer["event"], answer["backend"]) == ("result", "openvino"), answer
        talk.send(id=number + 10, task="figures", keep="a", max_slices=3)
        figures = talk.answer(number + 10)
        assert figures["event"] == "result" and figures["figures"]["look_ahead_score"] > 0, figures
        position = [30.0, 30.0, 3.0 + 4 * 5]
        talk.send(
            id=number + 20,
            task="preview",
            output=str(part),
            position=position,
            plane="axial",
            direction=direction,
            **common,
        )
        answer = talk.answer(number + 20)
        assert (answer["event"], answer["slice"]) == ("result", 5), answer
        made = np.array(protocol.read_array(whole))
        assert made[:, 5].std() > 50
        np.testing.assert_allclose(protocol.read_array(part)[:, 0], made[:, 5], atol=0.05)


def test_a_reference_on_another_grid_is_judged_where_it_has_voxels(start, tiny):
    talk = start()
    volume = stored(talk, head())
    talk.send(
        id=1,
        task="translate",
        volume=volume,
        model=str(tiny),
        output=str(talk.scratch / "o.npy"),
        keep="a",
        device="cpu",
    )
    talk.answer(1)
    whole = stored(talk, head(2), name="whole.npy")
    part = stored(talk, head(2)[4:], name="part.npy") | {"origin": [1.0, 2.0, 3.0 + 4 * 4.0]}
    talk.send(id=2, task="figures", keep="a", reference=whole, max_slices=2)
    talk.send(id=3, task="figures", keep="a", reference=part, max_slices=2)
    first, second = talk.answer(2), talk.answer(3)
    assert first["event"] == second["event"] == "result", (first, second)
    per_slice = [answer["figures"]["reference"]["slices"]["mae"] for answer in (first, second)]
    assert per_slice[0][2] is not None and per_slice[1][2] is None, "no voxels there"
    assert second["figures"]["cycle_slices"] == 2


def test_a_model_without_a_way_back_says_so(start, models):
    talk = start()
    one_way = make_tiny_model(models, "one-way", directions=("forward",))
    talk.send(
        id=1,
        task="translate",
        volume=stored(talk, head()),
        model=str(one_way),
        output=str(talk.scratch / "o.npy"),
        keep="a",
        device="cpu",
    )
    talk.answer(1)
    talk.send(id=2, task="figures", keep="a", error_map=str(talk.scratch / "map.npy"))
    answer = talk.answer(2)
    assert answer["figures"]["look_ahead_score"] is None and "no way back" in answer["figures"]["cycle_note"]
    assert not answer["has_map"] and not (talk.scratch / "map.npy").exists()


@pytest.mark.parametrize("make", [make_tiny_model, make_tiny_bilateral])
def test_preview_gives_the_pixels_of_the_whole_translation(start, make, tmp_path):
    tiny, talk = make(tmp_path), start()
    # Stored upside down and turned: what comes back is canonical.
    turned = np.ascontiguousarray(head().transpose(1, 0, 2)[:, ::-1])
    direction = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    volume = stored(talk, turned, spacing=(2.0, 4.0, 2.0)) | {"direction": direction}
    talk.send(
        id=1,
        task="translate",
        volume=volume,
        model=str(tiny),
        output=str(talk.scratch / "o.npy"),
        keep="a",
        device="cpu",
        batch_size=1,
    )
    assert talk.answer(1)["event"] == "result"
    from surgical_style_engine.volumes.geometry import to_canonical
    from surgical_style_engine.volumes.volume import Volume

    made = np.array(protocol.read_array(talk.scratch / "o.npy"))
    whole, _ = to_canonical(Volume(made, (2.0, 4.0, 2.0), (1.0, 2.0, 3.0), np.array(direction, float)))
    for number, index in enumerate((0, 5, 8), 2):
        centre = np.asarray(whole.origin) + np.asarray(whole.direction)[:, 2] * whole.spacing[2] * (index + 0.3)
        talk.send(
            id=number,
            task="preview",
            volume=volume,
            model=str(tiny),
            output=str(talk.scratch / "p.npy"),
            position=centre.tolist(),
            plane="axial",
            device="cpu",
        )
        answer = talk.answer(number)
        assert answer["event"] == "result" and answer["slice"] == index, answer
        np.testing.assert_allclose(protocol.read_array(talk.scratch / "p.npy")[:, 0], whole.array[:, index], atol=0.05)
        np.testing.assert_allclose(
            answer["origin"], np.asarray(whole.origin) + np.asarray(whole.direction)[:, 2] * whole.spacing[2] * index
        )
    talk.send(
        id=9,
        task="preview",
        volume=volume,
        model=str(tiny),
        output=str(talk.scratch / "q.npy"),
        position=[0, 0, 9999],
        plane="axial",
        device="cpu",
    )
    assert "shows no slice" in talk.answer(9)["message"] and not (talk.scratch / "q.npy").exists()


def test_devices_and_import(start, tiny, tmp_path):
    talk = start()
    talk.send(id=1, task="devices")
    names = [device["name"] for device in talk.answer(1)["devices"]]
    assert names[-1] == "cpu"
    talk.send(id=2, task="import", source=str(tiny), folder=str(tmp_path / "mine"), name="copy")
    answer = talk.answer(2)
    assert answer["name"] == "copy" and (tmp_path / "mine" / "copy" / "model.json").is_file()
    import torch

    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "net_G.pth")
    arguments = {"source": str(tmp_path / "net_G.pth"), "folder": str(tmp_path / "mine")}
    talk.send(id=3, task="import", **arguments)
    assert "give a name and both domains" in talk.answer(3)["message"]
    talk.send(id=4, task="import", **arguments, name="x", source_name="A", target_name="B")
    assert talk.answer(4)["event"] == "error" and not (tmp_path / "mine" / "x").exists()


def test_opening_the_worker_and_checking_a_volume_loads_no_torch(start, tiny):
    code = """
import sys
from surgical_style_engine.worker.tasks import Tasks
import surgical_style_engine.worker
print('torch' in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert said.stdout.strip() == "False", said.stderr


def test_adjusting_without_the_network(start, tiny):
    talk = start()
    volume = stored(talk, head())
    reference = stored(talk, head(3) * 2 + 7, name="reference.npy")
    request = {"volume": volume, "model": str(tiny), "output": str(talk.scratch / "out.npy"), "device": "cpu"}
    wanted = {"structure_guard_mm": 6.0, "match": reference, "match_by": "histogram", "least_consistency": None}
    talk.send(id=1, task="translate", keep="plain", **request)
    plain = talk.answer(1)
    assert plain["event"] == "result", plain
    assert plain["strength"] == 1 and plain["consistency"] is None
    assert "SyntheticAdjustments" not in plain["notes"]
    talk.send(id=2, task="translate", keep="whole", adjustments=wanted, **request)
    whole = talk.answer(2)
    at_once = np.array(protocol.read_array(talk.scratch / "out.npy"))
    assert "structure guard 6 mm; matched to a reference by histogram" in whole["notes"]["SyntheticAdjustments"]

    later = talk.scratch / "later.npy"
    progress = []
    talk.send(id=3, task="adjust", keep="plain", output=str(later), strength=1.0, adjustments=wanted)
    answer = talk.answer(3, progress)
    assert not progress and answer["notes"] == whole["notes"]
    np.testing.assert_allclose(protocol.read_array(later), at_once, atol=1e-3)

    talk.send(id=4, task="adjust", keep="plain", output=str(later), adjustments={"least_consistency": 0.97})
    automatic = talk.answer(4)
    assert 0 <= automatic["strength"] < 1 and automatic["consistency"] >= 0.97
    talk.send(id=5, task="figures", keep="plain", max_slices=2)
    figures = talk.answer(5)["figures"]
    first = figures["worst"][0]
    assert first["figure"] == "semantic_consistency" and first["plane"] == "axial"
    assert first["value"] == min(v for v in figures["slices"]["semantic_consistency"] if v is not None)
    assert first["position_lps"][2] == pytest.approx(3 + 4 * first["slice"])

    for number, (bad, sentence) in enumerate(
        [
            ({"flatten_bias": True}, "press Apply again"),
            ({"blur": 3}, "no adjustment 'blur'"),
            ({"structure_guard_mm": -1}, "above 0 mm"),
            ({"match": reference, "match_by": "magic"}, "not 'magic'"),
        ]
    ):
        talk.send(id=10 + number, task="adjust", keep="plain", output=str(later), adjustments=bad)
        answer = talk.answer(10 + number)
        assert answer["event"] == "error" and sentence in answer["message"], answer


def test_an_ensemble_with_a_flattened_bias_stays_both_when_adjusted(start, tiny):
    talk = start()
    request = {"volume": stored(talk, head()), "model": str(tiny), "output": str(talk.scratch / "out.npy")}
    made = {"flatten_bias": True, "ensemble": True}
    talk.send(id=1, task="translate", keep="a", device="cpu", adjustments=made, planes=["axial"], **request)
    progress = []
    answer = talk.answer(1, progress)
    assert answer["event"] == "result", answer
    assert progress[-1]["total"] == answer["slices"] and answer["slices"] % 4 == 0
    assert answer["notes"]["SyntheticAdjustments"].startswith("bias of the input flattened (N4); ensemble")
    for number, adjustments in ((2, {"structure_guard_mm": 8}), (3, {**made, "structure_guard_mm": 8})):
        talk.send(id=number, task="adjust", keep="a", output=request["output"], strength=0.5, adjustments=adjustments)
        answer = talk.answer(number)
        assert answer["notes"]["SyntheticAdjustments"].endswith("structure guard 8 mm"), answer
        assert answer["strength"] == 0.5
    talk.send(id=4, task="figures", keep="a", max_slices=2)
    assert 0 < talk.answer(4)["figures"]["disagreement"] < 2

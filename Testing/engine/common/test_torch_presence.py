"""Without torch: trained styles give what they give with it, and everything else says what is missing."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from model_folders import FIRST_SHIPPED
from tiny_models import head, make_tiny_model

from surgical_style_engine.backends.autotune import psnr_of
from surgical_style_engine.common import torch_presence
from surgical_style_engine.common.torch_presence import check_torch, has_torch, is_installed
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model, save_model
from surgical_style_engine.networks import build_generator
from surgical_style_engine.worker.messages import describe, read_array, write_array
from surgical_style_engine.worker.tasks import Tasks

needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
SHAPE = (6, 44, 36)
# Answers every task of the argument, a list of messages: what comes back, or the sentence it is refused with.
TASKS = """
import json, sys
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.worker.tasks import Tasks

tasks, answers = Tasks(), []
for message in json.loads(sys.argv[1]):
    try:
        answers.append(tasks.run(message, lambda *_: None, lambda: False))
    except StyleTransferError as error:
        answers.append({"refused": str(error), "code": error.exit_code})
assert not any(name.partition(".")[0] == "torch" for name in sys.modules), "torch was loaded"
print(json.dumps(answers))
"""


def python(code: str, *arguments: str, home: Path, absent: bool = True, **variables: str) -> str:
    """What a Python process prints, by default one without torch."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HOME": str(home),
        "USERPROFILE": str(home),
        **variables,
    }
    code = ("import without_torch\n" if absent else "") + code
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def described(folder: Path, name: str = "in.npy", seed: int = 1) -> dict:
    write_array(folder / name, head(seed, SHAPE)[None])
    return describe(folder / name, (1.0, 1.0, 4.0), (1.0, 2.0, 3.0), np.eye(3))


def messages(folder: Path, volume: dict, reference: dict) -> list[dict]:
    model = {"model": str(FIRST_SHIPPED), "device": "cpu", "precision": "fp32"}
    guard = {"structure_guard_mm": 4.0, "match": reference}
    return [
        {"task": "check", "volume": volume, "model": str(FIRST_SHIPPED), "direction": "forward"},
        {"task": "translate", "volume": volume, "output": str(folder / "made.npy"), "keep": "a", **model},
        {
            "task": "preview",
            "volume": volume,
            "output": str(folder / "slice.npy"),
            "position": [20, 20, 11],
            "plane": "axial",
            **model,
        },
        {"task": "adjust", "keep": "a", "output": str(folder / "adjusted.npy"), "strength": 0.7, "adjustments": guard},
        {"task": "figures", "keep": "a", "reference": reference, "error_map": str(folder / "map.npy")},
        {"task": "fuse", "volumes": [volume, reference], "output": str(folder / "fused.npy"), "register": "none"},
    ]


SAME = """
import hashlib, sys
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.volumes.volume import Volume
from tiny_models import head

volume, model = Volume(head(1, (6, 44, 36))[None], (1.3, 1.3, 4.0)), load_model(sys.argv[1])
for precision in ("fp32", "int8"):
    made = translate_volume(volume, model, device="cpu", backend="openvino", precision=precision)
    print(hashlib.sha256(made.volume.array.tobytes()).hexdigest())
"""


@needs_openvino
def test_the_same_bits_whether_torch_is_loaded_or_not(tmp_path):
    """Sizes other than the model's, so that slices are resized on both ways."""
    without = python(SAME, str(FIRST_SHIPPED), home=tmp_path, OMP_NUM_THREADS="1")
    loaded = python("import torch\n" + SAME, str(FIRST_SHIPPED), home=tmp_path, absent=False, OMP_NUM_THREADS="1")
    assert without == loaded and len(set(without.split())) == 2


@needs_openvino
class TestTasks:
    def test_give_what_they_give_with_torch(self, tmp_path):
        with_torch, without = tmp_path / "with", tmp_path / "without"
        for folder in (with_torch, without):
            folder.mkdir()
        volume, reference = described(tmp_path), described(tmp_path, "reference.npy", 2)
        found = json.loads(python(TASKS, json.dumps(messages(without, volume, reference)), home=tmp_path))
        assert not any("refused" in answer for answer in found), found
        tasks = Tasks()
        wanted = [
            tasks.run(message, lambda *_: None, lambda: False) for message in messages(with_torch, volume, reference)
        ]
        assert (found[1]["backend"], wanted[1]["backend"]) == ("openvino", "torch")
        assert found[1]["device"] == "cpu" and found[1]["slices"] == wanted[1]["slices"] > 3
        for name in ("made", "slice", "adjusted", "fused"):
            ours, torchs = (np.array(read_array(folder / f"{name}.npy")) for folder in (without, with_torch))
            scale = 2 / np.ptp(torchs)
            assert ours.shape == torchs.shape and ours.dtype == torchs.dtype
            assert psnr_of(ours * scale, torchs * scale) > 90, name
        for key in ("spacing", "origin", "direction", "plane", "slice"):
            assert found[2][key] == wanted[2][key]
        assert found[4]["has_map"] and (without / "map.npy").is_file()
        ours, torchs = (dict(_numbers(answer["figures"])) for answer in (found[4], wanted[4]))
        assert ours.keys() == torchs.keys() and len(ours) > 20
        for key, value in torchs.items():
            assert ours[key] == pytest.approx(value, rel=1e-2, abs=1e-3), key

    def test_auto_measures_openvino_alone_and_against_itself(self, tmp_path):
        request = messages(tmp_path, described(tmp_path), {})[1] | {"precision": "auto", "device": "auto"}
        measuring = {"task": "measure", "model": request["model"], "direction": "forward"}
        asked = json.dumps([request, measuring, request])
        first, _, answer = json.loads(python(TASKS, asked, home=tmp_path, SST_PROBE="on"))
        assert first["unmeasured"] and not answer["unmeasured"]
        known = json.loads((tmp_path / ".surgical_style_transfer" / "measured.json").read_text())
        ((key, measured),) = known.items()
        assert "torch" not in key and {entry["backend"] for entry in measured} == {"openvino"}
        reduced = [entry for entry in measured if entry["precision"] != "fp32"]
        assert measured[0]["precision"] == "fp32" and measured[0]["psnr"] is None
        assert any(entry["precision"].startswith("int8") for entry in reduced)
        assert all(45 < entry["psnr"] < 90 for entry in reduced)
        fastest = min(measured, key=lambda entry: entry["seconds"])
        assert (answer["backend"], answer["precision"]) == ("openvino", fastest["precision"])

    def test_a_model_is_imported_and_checked(self, tmp_path):
        into = {"folder": str(tmp_path / "mine"), "task": "import"}
        damaged = make_tiny_model(tmp_path, "other", directions=("forward",))
        card = read_card(damaged)
        arguments = {**card.architecture.arguments, "n_blocks": 2}
        card = card.model_copy(update={"architecture": card.architecture.model_copy(update={"arguments": arguments})})
        state = build_generator("resnet", **(arguments | {"n_blocks": 1})).state_dict()
        save_model(damaged, card, state, overwrite=True)
        requests = [
            {**into, "source": str(FIRST_SHIPPED), "name": "copy"},
            {**into, "source": str(damaged), "name": "no"},
        ]
        found = json.loads(python(TASKS, json.dumps(requests), home=tmp_path))
        assert load_model(tmp_path / "mine" / "copy").card.architecture.name == "resnet"
        assert found[1]["refused"].startswith("The weights of no do not fit its architecture: ")
        assert not (tmp_path / "mine" / "no").exists()

    def test_the_processor_is_the_only_device(self, tmp_path):
        devices = json.loads(python(TASKS, json.dumps([{"task": "devices"}]), home=tmp_path))[0]["devices"]
        assert [device["name"] for device in devices] == ["cpu"] and devices[0]["title"]


def _numbers(figures: dict, prefix: str = ""):
    for key, value in figures.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, value


@needs_openvino
class TestWhatNeedsTorch:
    """One sentence each, as bad input."""

    def test_styles_devices_and_files(self, tmp_path):
        from PIL import Image

        from surgical_style_engine.models.importers.picture import import_picture

        pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "p.png")
        import_picture(tmp_path / "p.png", tmp_path / "painted", name="painted")
        tiny = read_card(make_tiny_model(tmp_path, directions=("forward",)))
        architecture = tiny.architecture.model_copy(update={"name": "article", "arguments": {"ngf": 4, "n_blocks": 1}})
        other = tiny.model_copy(update={"architecture": architecture, "name": "listed"})
        save_model(tmp_path / "listed", other, build_generator("article", ngf=4, n_blocks=1).state_dict())
        torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "net_G.pth")
        volume = described(tmp_path)
        run = {"task": "translate", "volume": volume, "output": str(tmp_path / "made.npy"), "keep": "a"}
        bring = {"task": "import", "folder": str(tmp_path / "mine"), "name": "new"}
        missing = "needs PyTorch, which is not installed."
        asked = {
            "The style painted": run | {"model": str(tmp_path / "painted")},
            "The model listed": run | {"model": str(tmp_path / "listed")},
            "The device cuda": run | {"model": str(FIRST_SHIPPED), "device": "cuda"},
            "The device cuda:1": run | {"model": str(FIRST_SHIPPED), "device": "cuda:1", "precision": "fp32"},
            "The device mps": run | {"model": str(FIRST_SHIPPED), "device": "mps"},
            "A style picture": bring | {"source": str(tmp_path / "p.png")},
            "Importing weights of PyTorch": bring
            | {"source": str(tmp_path / "net_G.pth"), "source_name": "A", "target_name": "B"},
        }
        for probed in ("on", "off"):
            found = json.loads(python(TASKS, json.dumps(list(asked.values())), home=tmp_path, SST_PROBE=probed))
            assert found == [{"refused": f"{what} {missing}", "code": 2} for what in asked]
        assert not (tmp_path / "mine" / "new").exists() and not (tmp_path / "made.npy").exists()

    def test_the_backend_torch(self, tmp_path):
        code = f"""
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.backends.torch_runner import TorchRunner
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model
model = load_model({str(FIRST_SHIPPED)!r})
for make in (
    lambda: make_runner(model, backend="torch"), lambda: TorchRunner(model, "forward", "cpu", "fp32"), model.generator
):
    try:
        make()
    except InputError as error:
        print(error)
print(make_runner(model, precision="bf16").precision)
try:
    make_runner(model, precision="fp16")
except InputError as error:
    print(error)
"""
        assert python(code, home=tmp_path, SST_PROBE="on").splitlines() == [
            "The backend torch needs PyTorch, which is not installed.",
            "The backend torch needs PyTorch, which is not installed.",
            f"The model {FIRST_SHIPPED.name} needs PyTorch, which is not installed.",
            "bf16",
            "The backend openvino computes in fp32, bf16 or int8 on the CPU.",
        ]

    def test_neither_torch_nor_openvino(self, tmp_path):
        code = f"""
import sys
sys.modules["openvino"] = None
from surgical_style_engine.backends.select import make_runner
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.folder import load_model
for backend in ("auto", "openvino"):
    try:
        make_runner(load_model({str(FIRST_SHIPPED)!r}), backend=backend)
    except InputError as error:
        print(error)
"""
        assert python(code, home=tmp_path, SST_PROBE="on").splitlines() == [
            f"The model {FIRST_SHIPPED.name} needs PyTorch or OpenVINO, and neither is installed.",
            "The backend openvino is not installed; run: pip install openvino.",
        ]


@needs_openvino
def test_with_torch_installed_openvino_does_without_it(tmp_path):
    """It is not even loaded, which takes longer than a volume."""
    requests = [message | {"precision": "int8"} for message in messages(tmp_path, described(tmp_path), {})[1:3]]
    found = json.loads(python(TASKS, json.dumps(requests), home=tmp_path, absent=False))
    assert (found[0]["backend"], found[0]["precision"]) == ("openvino", "int8")


class TestPresence:
    def test_here(self):
        assert is_installed() and has_torch()
        check_torch("This")

    def test_absent_or_forbidden(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        assert not is_installed() and not has_torch()
        with pytest.raises(InputError) as caught:
            check_torch("The model x")
        assert str(caught.value) == "The model x needs PyTorch, which is not installed."

    @pytest.mark.parametrize("error", [ImportError("no symbol"), OSError("a library does not load")])
    def test_installed_but_broken(self, monkeypatch, tmp_path, error):
        (tmp_path / "torch.py").write_text(f"raise {type(error).__name__}({str(error)!r})\n")
        monkeypatch.delitem(sys.modules, "torch")
        monkeypatch.syspath_prepend(str(tmp_path))
        assert is_installed() and not torch_presence.has_torch()


@pytest.mark.parametrize(
    ("version", "there"),
    [("2.2.2", False), ("1.13.1+cu117", False), ("2.4.0", True), ("2.14.1+cu130", True), ("", True)],
)
def test_a_torch_that_is_too_old_counts_as_none(monkeypatch, version, there):
    monkeypatch.setattr(torch_presence.metadata, "version", lambda name: version)
    assert torch_presence.is_installed() is there and torch_presence.has_torch() is there
    if not there:
        with pytest.raises(InputError, match="^This needs PyTorch, which is not installed"):
            torch_presence.check_torch("This")

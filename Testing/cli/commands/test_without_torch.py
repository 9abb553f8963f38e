"""The program where torch cannot be imported: trained styles, checks and rules run; the rest says what is missing."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from tiny_models import head, make_tiny_bilateral, make_tiny_model

from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import Volume

pytestmark = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")


@pytest.fixture
def sst(tmp_path):
    """``sst(*arguments)`` -> (exit code, stdout, stderr) of a process without torch."""

    def run(*arguments) -> tuple[int, str, str]:
        code = "import without_torch\nfrom training_cli.main import main\nmain()"
        command = [sys.executable, "-c", code, *(str(argument) for argument in arguments)]
        home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
        environment = {**os.environ, **home, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def volume(tmp_path):
    write_volume(Volume(head()[None], (2.0, 2.0, 4.0)), tmp_path / "in.nii.gz")
    return tmp_path / "in.nii.gz"


@pytest.mark.parametrize("make", [make_tiny_model, make_tiny_bilateral])
def test_a_volume_is_translated_and_judged(sst, volume, tmp_path, make):
    model = make(tmp_path)
    code, _, err = sst(
        "translate", volume, tmp_path / "out.nii.gz", "--model", model, "--report", tmp_path / "report.json"
    )
    assert code == 0, err
    made = read_volume(tmp_path / "out.nii.gz")
    assert made.same_grid(read_volume(volume)) and np.isfinite(made.array).all()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["backend"] == "openvino" and "cycle" in json.dumps(report)


def test_models_and_the_machine_are_looked_at(sst, tmp_path):
    code, out, err = sst("models", "verify", "brain-mr-t1w-t2w")
    assert code == 0 and "is whole" in out, err
    code, out, err = sst("doctor")
    assert "Device cpu" in out and "<- auto" in out and "Traceback" not in err


def test_volumes_are_fused_by_rule(sst, volume, tmp_path):
    write_volume(Volume(head(2)[None], (2.0, 2.0, 4.0)), tmp_path / "other.nii.gz")
    code, _, err = sst("fuse", volume, tmp_path / "other.nii.gz", tmp_path / "fused.nii.gz", "--register", "none")
    assert code == 0 and (tmp_path / "fused.nii.gz").is_file(), err


def test_what_needs_torch_says_so_in_one_line(sst, volume, tmp_path):
    model = make_tiny_model(tmp_path)
    translate = ("translate", volume, tmp_path / "out.nii.gz", "--model", model)
    code, _, err = sst(*translate, "--backend", "torch")
    assert (code, err) == (2, "sst: The backend torch needs PyTorch, which is not installed.\n")
    code, _, err = sst(*translate, "--device", "cuda")
    assert (code, err) == (2, "sst: The device cuda needs PyTorch, which is not installed.\n")
    picture = np.random.default_rng(0).integers(0, 255, (3, 1, 64, 64)).astype(np.uint8)
    write_volume(Volume(picture, is_2d=True), tmp_path / "style.png")
    code, _, err = sst("stylize", volume, tmp_path / "out.nii.gz", "--style", tmp_path / "style.png")
    assert (code, err) == (2, "sst: A style picture needs PyTorch, which is not installed.\n")
    assert not (tmp_path / "out.nii.gz").exists()

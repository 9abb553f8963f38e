"""What is no file, under every name that a command reads: one sentence at once, no waiting, nothing written."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from tiny_models import head

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes with names, devices and alarms")

LONGEST = 60  # seconds of the clock, on a busy machine; what waits for a pipe waits for ever
ENDINGS = ("nii.gz", "nii", "dcm", "png", "csv", "yaml", "json", "pth", "onnx", "zip")
WEIGHTS = "--name x --source-name A --target-name B --into INTO"
# KIND.ending is the hostile one.
COMMANDS = [
    "translate KIND.nii.gz OUT --model MODEL",
    "translate KIND.dcm OUT --model MODEL",
    "translate KIND.nii.gz OUT",
    "translate HEAD OUT --model MODEL --mask KIND.nii.gz",
    "translate HEAD OUT --model MODEL --match KIND.nii.gz",
    "translate HEAD OUT --model KIND.zip",
    "inspect KIND.nii.gz",
    "inspect KIND.png",
    "stylize HEAD OUT --style KIND.png",
    "stylize KIND.nii.gz OUT --style KIND.png",
    "fuse HEAD KIND.nii.gz OUT",
    "fuse KIND.nii.gz HEAD OUT",
    "fuse HEAD HEAD OUT --method learned --model KIND.zip",
    "register HEAD KIND.nii.gz OUT",
    "evaluate --model MODEL --source KIND.nii.gz --report R.json",
    "evaluate --model MODEL --source HEAD --reference KIND.nii.gz --report R.json",
    "evaluate --model KIND.zip --source HEAD --report R.json",
    "compare MODEL --source KIND.nii.gz --reference KIND.nii.gz",
    "report KIND.json",
    f"models import KIND.pth {WEIGHTS}",
    f"models import KIND.onnx {WEIGHTS}",
    f"models import HEAD {WEIGHTS} --other-direction KIND.pth",
    "models import KIND.zip --into INTO",
    "models import KIND.png --name x --into INTO",
    "models show KIND.zip",
    "models verify KIND.zip",
    "models remove KIND.zip --yes",
    "models export KIND.zip",
    "models features vgg16 --from KIND.pth",
    "demo KIND.nii.gz --output OUT",
    "train --config KIND.yaml",
    "train --source KIND.nii --target KIND.nii --output RUN --max-steps 1 --precision fp32",
    "train --source FOLDER --target FOLDER --output RUN --max-steps 1 --precision fp32 --pairs KIND.csv",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "FOLDER").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(head(shape=(4, 20, 20))), str(folder / "HEAD.nii.gz"))
    sitk.WriteImage(sitk.GetImageFromArray(head(shape=(4, 20, 20))), str(folder / "FOLDER" / "a.nii.gz"))
    for ending in ENDINGS:
        os.mkfifo(folder / f"pipe.{ending}")
        (folder / f"endless.{ending}").symlink_to("/dev/zero")
        (folder / f"itself.{ending}").symlink_to(folder / f"itself.{ending}")
        with (folder / f"sparse.{ending}").open("wb") as stream:
            stream.truncate(50 << 30)
    return folder


@pytest.mark.parametrize("kind", ["pipe", "endless", "itself", "sparse"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(folder, tiny_model, sst, command, kind):
    words = {"HEAD": "HEAD.nii.gz", "OUT": "out.nii.gz", "MODEL": str(tiny_model)}
    before = sorted(folder.rglob("*"))
    arguments = [words.get(word, word).replace("KIND", kind) for word in command.split()]
    inside = [str(folder / word) if "." in word or word in ("INTO", "RUN", "FOLDER") else word for word in arguments]

    def waited(*_: object) -> None:
        raise AssertionError("it waits")

    previous = signal.signal(signal.SIGALRM, waited)
    signal.alarm(LONGEST)
    try:
        ended = sst(*inside)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    told = ended.err.strip().splitlines()  # sst compare says what it is at
    assert ended.code == 2 and told[-1].startswith("sst: ") and told[-1].endswith("."), ended
    assert len(told) == 1 or command.startswith("compare"), ended
    assert sorted(folder.rglob("*")) == before

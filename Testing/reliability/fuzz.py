"""Coverage-guided fuzzing of every reader, of ``model.json`` and of the worker's protocol, by atheris.

``python Testing/reliability/fuzz.py nifti CORPUS -max_total_time=3600`` goes on from what CORPUS holds; further options
are libFuzzer's. What ends a run (no sentence, a traceback, a crash, two minutes) is left as a file ``crash-...`` in the
working folder, and ``fuzz.py nifti FILE`` repeats it. Needs ``pip install atheris``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

TESTING = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTING), str(TESTING.parent), str(TESTING.parent / "SurgicalStyleTransfer")]
os.environ.setdefault("SST_PROBE", "off")
os.environ.setdefault("SST_FEATURES", "/nonexistent/features")

with atheris.instrument_imports(include=["surgical_style_engine"]):
    from surgical_style_engine.errors import StyleTransferError
    from surgical_style_engine.imageio.read import read_volume
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.volumes.volume import check_volume
    from surgical_style_engine.worker.messages import decode

from reliability.generated.bounds import within_bounds  # noqa: E402
from reliability.generated.messages import Talk, fault_of  # noqa: E402
from reliability.generated.sentences import is_sentence  # noqa: E402
from reliability.hostile.files import WHOLE  # noqa: E402

READERS = {"nifti": ".nii", "nifti-gz": ".nii.gz", "meta": ".mha", "nrrd": ".nrrd", "dicom": ".dcm"}
READERS |= {"png": ".png", "jpeg": ".jpg", "tiff": ".tif"}
LIMITS = ["-timeout=120", "-rss_limit_mb=4096", "-max_len=4096"]


def reader(ending: str, folder: Path) -> Callable[[bytes], None]:
    """Reads the bytes as a file of that ending."""
    path = folder / f"v{ending}"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        with within_bounds():
            try:
                check_volume(read_volume(path))
            except StyleTransferError as error:
                assert is_sentence(str(error)), str(error)

    return read


def card(folder: Path) -> Callable[[bytes], None]:
    """Reads the bytes as ``model.json``."""

    def read(data: bytes) -> None:
        (folder / "model.json").write_bytes(data)
        try:
            read_card(folder)
        except StyleTransferError as error:
            assert is_sentence(str(error)), str(error)

    return read


def protocol(folder: Path) -> Callable[[bytes], None]:
    """Takes the bytes as a line to the worker."""
    talk = Talk(folder)
    os.chdir(folder)

    def ask(data: bytes) -> None:
        message = decode(data)
        # Fetching reaches for the network, and importing and exporting write where they are told.
        if message is None or message.get("task") in ("features", "import", "export_dicom") or "output" in message:
            return
        fault = fault_of(talk.ask(message))
        assert not fault, fault

    return ask


def seeds(target: str, folder: Path) -> list[bytes]:
    """Good inputs to begin with."""
    if target in READERS:
        return [WHOLE[READERS[target]]]
    if target == "card":
        shipped = TESTING.parent / "SurgicalStyleTransfer" / "Resources" / "Models"
        cards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(shipped.glob("*/model.json"))]
        for one in cards:  # the tables for people are long, and nothing looks at them
            for side in one["domains"].values():
                side["statistics"] = {}
            one["training"], one["metrics"], one["lesions"] = {}, {}, {}
        return [json.dumps(one).encode() for one in cards]
    return [json.dumps({**good, "id": 1}).encode() for good in Talk(folder).good]


def main() -> None:
    """Fuzz the target that the first argument names, with the corpus of the second."""
    target, corpus, *options = sys.argv[1:]
    corpus = str(Path(corpus).absolute())
    options.append(f"-artifact_prefix={Path.cwd()}/")  # the protocol's target goes elsewhere
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "f"
        folder.mkdir()
        (Path(name) / "s").mkdir()
        known = {"card": card, "protocol": protocol}
        one = reader(READERS[target], folder) if target in READERS else known[target](folder)
        if not Path(corpus).is_file():
            Path(corpus).mkdir(parents=True, exist_ok=True)
            for number, seed in enumerate(seeds(target, Path(name) / "s")):
                (Path(corpus) / f"seed-{number}").write_bytes(seed)
        atheris.Setup([sys.argv[0], *LIMITS, *options, corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

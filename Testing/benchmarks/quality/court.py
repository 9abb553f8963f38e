"""The court on the check patients, once: the shipped model, the one before, and whatever else is named.

    python -m Testing.benchmarks.quality.court                       # shipped against the model of 0.1.0
    python -m Testing.benchmarks.quality.court cyclegan=runs/cyclegan/model/NAME cut=runs/cut/model/NAME

``sst compare`` from file to file, T1w to T2w, with the lesions of those patients that have labels. Further candidates
may be models, weights (.pth, .onnx) or folders of volumes called PATIENT_T1w. Writes results/quality/court.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .checks import PATIENTS
from .protocol import RESULTS

ROOT = Path(__file__).resolve().parents[3]
OLD = ROOT / "Testing" / "compatibility" / "v0_1_0" / "shipped" / "brain-mr-t1w-t2w"
LABELS = {
    "mni-patient07": "open-ms/mni/patient07_lesions.nii.gz",
    "TCIA02_370_1": "brats/TCIA02_370_1_tumour.nii.gz",
    "CBICA_AQN_1": "brats/CBICA_AQN_1_tumour.nii.gz",
}


def lay_out(data: Path, folder: Path, source: str, target: str) -> None:
    """Links to the check patients' files under names that say whose they are."""
    for name in ("source", "reference", "lesions"):
        (folder / name).mkdir()
    for patient, (pattern, names, _) in PATIENTS.items():
        if {source, target} <= set(names):
            for place, contrast in (("source", source), ("reference", target)):
                link = folder / place / f"{patient}_{contrast}.nii.gz"
                link.symlink_to((data / pattern.format(names[contrast])).resolve())
            if patient in LABELS:
                (folder / "lesions" / f"{patient}_lesions.nii.gz").symlink_to((data / LABELS[patient]).resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candidates", nargs="*", help="further ones, as sst compare takes them")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--source", default="T1w")
    parser.add_argument("--target", default="T2w")
    parser.add_argument("--model", default="brain-mr-t1w-t2w", help="the shipped one")
    parser.add_argument("--page", type=Path, help="HTML page to write")
    parser.add_argument("--result", type=Path, default=RESULTS / "court.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lay_out(arguments.data, Path(folder), arguments.source, arguments.target)
        command = [sys.executable, "-m", "training_cli.main", "compare", f"shipped={arguments.model}"]
        command += [f"0.1.0={OLD}"] if (arguments.source, arguments.target) == ("T1w", "T2w") else []
        command += [*arguments.candidates, "--source", f"{folder}/source", "--reference", f"{folder}/reference"]
        command += ["--lesions", f"{folder}/lesions", "--json"]
        command += ["--output", str(arguments.page)] if arguments.page else []
        entry = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for candidate in entry["candidates"]:
        print(candidate["name"], candidate["rank"], candidate["mean"])


if __name__ == "__main__":
    main()

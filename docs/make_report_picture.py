"""Makes docs/pictures/report.png: the assessment page of a model judged on one real volume, as Chromium shows it.

    python docs/make_report_picture.py T1.nii.gz T2.nii.gz [--model NAME] [--output PICTURE]

T1, T2: input and real target image of one head (aligned if need be). Needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

SIZE = (1280, 1240)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def main() -> int:
    """Make the picture; exits with a sentence where something is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--model", default="brain-mr-t1w-t2w")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "pictures" / "report.png")
    given = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print("Chromium is not installed (Debian: apt install chromium).", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report, page, shot = folder / "report.json", folder / "report.html", folder / "report.png"
        program = [sys.executable, "-m", "training_cli.main"]
        subprocess.run(
            [
                *program,
                "evaluate",
                "--model",
                given.model,
                "--source",
                given.source,
                "--reference",
                given.reference,
                "--report",
                report,
                "--maps",
                folder / "maps",
            ],
            check=True,
        )
        subprocess.run([*program, "report", report, "--output", page], check=True)
        subprocess.run(
            [
                browser,
                *FLAGS,
                f"--user-data-dir={folder / 'profile'}",
                f"--screenshot={shot}",
                f"--window-size={SIZE[0]},{SIZE[1]}",
                "--virtual-time-budget=8000",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
        given.output.parent.mkdir(parents=True, exist_ok=True)
        Image.open(shot).convert("RGB").save(given.output, optimize=True)
    print(f"{given.output}: {given.output.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

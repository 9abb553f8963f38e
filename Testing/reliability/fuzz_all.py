"""Fuzzes every target for a time of the processor, and keeps how much was tried and what was found in fuzzed.json.

``python Testing/reliability/fuzz_all.py --tool atheris --seconds 360`` runs each target of ``fuzz.py`` until it has
used 360 seconds of the processor in all, earlier calls counted; ``--tool hypothesis`` does the same with the
generated tests, each time with other examples. Both go round in short rounds, so that whatever ends them has used
about as much for each. Corpora, logs and finds are in ``runs/fuzz``, which git ignores; ``write_results.py`` makes a
table of fuzzed.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEPT = HERE / "fuzzed.json"
ROUND = 60  # seconds of the processor, as well as can be foreseen
MEMORY_MB = 4096  # that one input may take; torch's libraries alone reserve some gigabytes of addresses
ADDRESSES_MB = 12_000
FINDS = ("crash-", "oom-", "leak-", "timeout-")  # how libFuzzer names them

ATHERIS = ("nifti", "nifti-gz", "meta", "nrrd", "dicom", "png", "jpeg", "tiff", "card", "protocol")
FILES, MESSAGES = "test_generated_files.py", "test_generated_messages.py"
HYPOTHESIS = {
    **{
        name: f"{FILES}::test_files[{ending}]"
        for name, ending in {
            "nifti": ".nii",
            "nifti-gz": ".nii.gz",
            "meta": ".mha",
            "nrrd": ".nrrd",
            "dicom": ".dcm",
            "png": ".png",
            "jpeg": ".jpg",
            "tiff": ".tif",
        }.items()
    },
    "card": f"{FILES}::test_cards",
    "protocol": f"{MESSAGES}::test_spoilt_messages",
    "bytes": f"{MESSAGES}::test_bytes_are_a_message_or_none",
}


@dataclass
class Fuzzed:
    """What was tried of one target with one tool.

    Attributes:
        inputs: Executed, all rounds together.
        seconds: Of the processor, with what starting takes.
        finds: What ended a round: names of files of ``runs/fuzz``, each a case of the tests when it is mended.
        last: Day of the last round.
    """

    inputs: int = 0
    seconds: float = 0.0
    finds: list[str] = field(default_factory=list)
    last: str = ""

    def add(self, inputs: int, seconds: float, find: str) -> None:
        """Count a round."""
        self.inputs += inputs
        self.seconds = round(self.seconds + seconds, 1)
        self.last = f"{datetime.now(timezone.utc):%Y-%m-%d}"
        if find and find not in self.finds:
            self.finds.append(find)


Round = Callable[[str, Path, Fuzzed], tuple[int, float, str]]


def ran(command: list[str], folder: Path, log: Path, more: dict[str, str]) -> tuple[str, float, int]:
    """Output, seconds of the processor and exit code of a process; with those of its children that it waited for."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SST_PROBE": "off", "SST_FEATURES": "/nonexistent/features"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (HERE.parent, ROOT, ROOT / "SurgicalStyleTransfer")))
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**environment, **more},
            preexec_fn=_bounded,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_bytes().decode(errors="replace")
    return text, usage.ru_utime + usage.ru_stime, process.returncode


def _bounded() -> None:
    """An input that takes all memory ends its own process, and not those of others."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES_MB << 20, ADDRESSES_MB << 20))


def atheris_round(target: str, folder: Path, before: Fuzzed) -> tuple[int, float, str]:
    """Inputs, seconds and find of a round over the kept corpus."""
    corpus, finds = folder / "corpus" / target, folder / "finds" / target
    finds.mkdir(parents=True, exist_ok=True)
    known = set(finds.iterdir())
    # What is found is no part of the corpus: another round, with another seed, goes round it.
    seed = int(before.seconds * 10) + 1
    options = [f"-max_total_time={2 * ROUND}", f"-seed={seed}", "-print_final_stats=1", f"-rss_limit_mb={MEMORY_MB}"]
    command = [sys.executable, str(HERE / "fuzz.py"), target, str(corpus), *options]
    text, seconds, code = ran(command, finds, folder / f"atheris-{target}.log", {})
    count = re.findall(r"number_of_executed_units: (\d+)", text)
    # Not "slow-unit": on a busy machine all are.
    files = sorted(path for path in set(finds.iterdir()) - known if path.name.startswith(FINDS))
    if code and not files:
        files = [kept_log(folder, f"atheris-{target}", text)]
    return int(count[-1]) if count else 0, seconds, files[0].name if files else ""


def hypothesis_round(target: str, folder: Path, before: Fuzzed) -> tuple[int, float, str]:
    """Inputs, seconds and find of a round with another seed."""
    rate = before.inputs / before.seconds if before.inputs and before.seconds else 20
    examples = max(200, min(50_000, int(rate * ROUND)))
    command = [sys.executable, "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", "-o", "addopts="]
    command += ["--import-mode=importlib", "--hypothesis-show-statistics", str(HERE / HYPOTHESIS[target])]
    more = {"SST_EXAMPLES": str(examples), "SST_SEED": str(int(before.seconds * 10) + 1)}
    text, seconds, code = ran(command, ROOT, folder / f"hypothesis-{target}.log", more)
    counts = re.findall(r"(\d+) passing[^,]*, (\d+) failing", text)
    tried = sum(int(passing) + int(failing) for passing, failing in counts)
    return tried, seconds, kept_log(folder, f"hypothesis-{target}", text).name if code else ""


def kept_log(folder: Path, name: str, text: str) -> Path:
    """The output of a round that found something, under a name of its own."""
    path = folder / "finds" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read() -> dict[str, dict[str, Fuzzed]]:
    """What was tried so far, by tool and target."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    known = {tool: {name: Fuzzed(**one) for name, one in targets.items()} for tool, targets in kept.items()}
    for one in (one for targets in known.values() for one in targets.values()):
        one.finds = [name for name in one.finds if name.startswith(FINDS) or name.endswith(".log")]
    return known


def keep(tool: str, target: str, one: Fuzzed, kept: Path) -> None:
    """Write what one tool tried of one target; the other tool's process may have written meanwhile."""
    import fcntl  # atheris is for Linux, too

    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {name: {key: asdict(value) for key, value in each.items()} for name, each in read().items()}
        known.setdefault(tool, {})[target] = asdict(one)
        text = json.dumps(known, indent=1, sort_keys=True) + "\n"
        partial = kept.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(kept)


def table() -> str:
    """Markdown: a row a target."""
    known = read()
    lines = ["| tool | target | inputs | seconds of the processor | finds | last |", "|---|---|---|---|---|---|"]
    for tool, targets in sorted(known.items()):
        for name, one in targets.items():
            lines.append(f"| {tool} | {name} | {one.inputs:,} | {one.seconds:,.0f} | {len(one.finds)} | {one.last} |")
        inputs, seconds = sum(o.inputs for o in targets.values()), sum(o.seconds for o in targets.values())
        finds = sum(len(one.finds) for one in targets.values())
        lines.append(f"| {tool} | **all** | {inputs:,} | {seconds:,.0f} | {finds} | |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Go round the targets until each has used its time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", choices=("atheris", "hypothesis"), required=True)
    parser.add_argument("--seconds", type=float, help="of the processor, a target; an hour over all if left out")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "fuzz", help="corpora, logs and finds")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    asked = parser.parse_args()
    targets = ATHERIS if asked.tool == "atheris" else tuple(HYPOTHESIS)
    a_round: Round = atheris_round if asked.tool == "atheris" else hypothesis_round
    budget = asked.seconds if asked.seconds is not None else 3600 / len(targets)
    folder = asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        counts = read().get(asked.tool, {})
        due = [name for name in asked.target or targets if counts.get(name, Fuzzed()).seconds < budget]
        if not due:
            return
        for name in due:
            one = counts.get(name, Fuzzed())
            inputs, seconds, find = a_round(name, folder, one)
            one.add(inputs, seconds, find)
            keep(asked.tool, name, one, KEPT)
            print(asked.tool, name, one.inputs, one.seconds, find, flush=True)


if __name__ == "__main__":
    main()

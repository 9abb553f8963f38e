"""Writes RESULTS.md: how every hostile file ended, by family. ``python Testing/reliability/write_results.py``."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

TESTING = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTING)]

from reliability import batch  # noqa: E402
from reliability.hostile.registry import cases  # noqa: E402

HEAD = """# Hostile files

Written by `write_results.py`. Each file is read in a process with 2 GB of address space; those that can be are read
twice, with other bytes in fresh memory. What they should is said by the registry in `hostile/`. Seconds are of the
processor.

"""


def table(first: dict[str, batch.Ending], again: dict[str, batch.Ending]) -> str:
    """Markdown, one row a family."""
    families: dict[str, list[str]] = defaultdict(list)
    for name in first:
        families[name.partition("/")[0]].append(name)
    lines = [
        "| family | files | refused | read | as they should | the same twice | longest, s | most memory, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for family, names in [*families.items(), ("**all**", list(first))]:
        endings = [first[name] for name in names]
        refused = sum(ending.outcome == "refused" for ending in endings)
        read = [name for name in names if first[name].outcome == "read"]
        known = cases()
        right = sum(first[name].outcome == known[name].expected for name in names)
        same = sum(again[name].digest == first[name].digest for name in read)
        longest, most = max(one.seconds for one in endings), max(one.megabytes for one in endings)
        lines.append(
            f"| {family} | {len(names)} | {refused} | {len(read)} | {right} | {same} of {len(read)} | {longest:.2f} | "
            f"{most:.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all cases, and write the table."""
    first = batch.run(cases())
    again = batch.run([name for name, ending in first.items() if ending.outcome == "read"], batch.FILLS[1])
    text = HEAD + table(first, again)
    (Path(__file__).parent / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

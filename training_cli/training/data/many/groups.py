"""Which volumes of many domains belong to one patient, by their names or by a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from surgical_style_engine.errors import InputError
from training_cli.cohort.matching import find_match, told_match
from training_cli.training.data.files import read_pairs

Files = dict[str, Path]  # by domain, of one patient


def groups_of(
    files: Mapping[str, Sequence[Path]], pairs: Path | None, roots: Sequence[Path], report: Callable[[str], None]
) -> list[Files]:
    """Put the volumes of one patient together; what belongs to none other is a group of its own.

    Args:
        files: of each domain.
        pairs: a list of two files a line, of any two domains; by names if None.
        roots: the domains' folders, which names in the list may be relative to.
        report: is told what belongs together by other than equal names.

    Raises:
        InputError: for a list that names files of no domain, or two files of one domain for a patient.
    """
    if pairs is not None:
        return _listed(files, read_pairs(pairs, tuple(roots)))
    groups: list[Files] = []
    used: set[Path] = set()
    names = list(files)
    for number, domain in enumerate(names):
        for path in files[domain]:
            if path in used:
                continue
            group = {domain: path}
            for other in names[number + 1 :]:
                free = [candidate for candidate in files[other] if candidate not in used]
                if match := find_match(path, free):
                    group[other] = match
                    for sentence in told_match(path, match, other):
                        report(sentence)
            used |= set(group.values())
            groups.append(group)
    return groups


def _listed(files: Mapping[str, Sequence[Path]], pairs: Sequence[tuple[Path, Path]]) -> list[Files]:
    domain_of = {path.resolve(): (domain, path) for domain, paths in files.items() for path in paths}
    of_patient: dict[Path, Files] = {path.resolve(): {domain: path} for path, (domain, _) in _located(files)}
    for pair in pairs:
        for path in pair:
            if path.resolve() not in domain_of:
                raise InputError(f"The pair's file {path} is in none of the domains' folders.")
        first, second = (of_patient[path.resolve()] for path in pair)
        if first is second:
            continue
        for domain in first.keys() & second.keys():
            if first[domain] != second[domain]:
                names = f"{first[domain].name} and {second[domain].name}"
                raise InputError(f"The pairs put {names} together, which are both {domain}.")
        first.update(second)
        for path in second.values():
            of_patient[path.resolve()] = first
    order = {domain: number for number, domain in enumerate(files)}
    unique = {id(group): group for group in of_patient.values()}
    return [dict(sorted(group.items(), key=lambda entry: order[entry[0]])) for group in unique.values()]


def _located(files: Mapping[str, Sequence[Path]]) -> list[tuple[Path, tuple[str, Path]]]:
    return [(path, (domain, path)) for domain, paths in files.items() for path in paths]

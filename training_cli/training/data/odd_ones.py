"""Volumes of a domain that are of another kind than the others: named before a training begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from surgical_style_engine.volumes.recognise.kinds import CONTRASTS, T1W, kind_of_domain, same_family
from surgical_style_engine.volumes.recognise.verdict import Verdict

LEAST_SHARE = 0.6  # of the volumes whose kind is known that have to agree, for the others to be odd
MOST_NAMED = 8


def odd_ones(verdicts: Sequence[tuple[str, Verdict]], side: str, domain: str, modality: str = "") -> list[str]:
    """Compare the volumes of a domain with each other and with the domain's name.

    Args:
        verdicts: of every volume, with its file's name.
        side: source or target.
        domain: the name that the training gives it.
        modality: DICOM's, as the training states it; may be empty.

    Returns:
        Sentences: which volumes are of another kind than most, and where most are of another than the name says.
    """
    known = [(name, verdict) for name, verdict in verdicts if verdict.is_known]
    if not known:
        return []
    kind, count = Counter(_family(verdict) for _, verdict in known).most_common(1)[0]
    named = kind_of_domain(domain, modality)
    # A domain of two volumes, or of two kinds in equal parts, has no majority: then only its name can tell.
    has_majority = count >= 2 and count / len(known) >= LEAST_SHARE
    expected = kind if has_majority else named
    sentences = []
    if has_majority and named and not same_family(kind, named):
        sentences.append(f"The {side} domain is called {domain}, but {count} of {len(verdicts)} volumes are {kind}.")
    if not expected:
        return sentences
    odd = [(name, verdict) for name, verdict in known if not same_family(_family(verdict), expected)]
    beside = (
        f"{count} of the {len(known)} volumes that were recognised are {kind}"
        if has_majority
        else f"the domain is called {domain}"
    )
    sentences += [f"{side} {name} is {verdict.sentence()[:-1]}, but {beside}." for name, verdict in odd[:MOST_NAMED]]
    if len(odd) > MOST_NAMED:
        sentences.append(f"{len(odd) - MOST_NAMED} more volumes of the {side} domain are odd in the same way.")
    marked = [name for name, verdict in verdicts if verdict.synthetic]
    if marked:
        sentences.append(f"{len(marked)} volumes of the {side} domain are synthetic, {marked[0]} among them.")
    if expected in CONTRASTS and same_family(expected, T1W):
        sentences += _mixed_agent(known, side)
    return sentences


def _mixed_agent(known: Sequence[tuple[str, Verdict]], side: str) -> list[str]:
    """A sentence where T1w volumes with and without contrast agent are mixed, as far as that is known."""
    kinds = {verdict.kind: name for name, verdict in known if verdict.agent_known and same_family(verdict.kind, T1W)}
    if len(kinds) < 2:
        return []
    first, second = sorted(kinds)
    return [f"The {side} domain mixes {first} ({kinds[first]}) and {second} ({kinds[second]})."]


def _family(verdict: Verdict) -> str:
    return T1W if same_family(verdict.kind, T1W) else verdict.kind

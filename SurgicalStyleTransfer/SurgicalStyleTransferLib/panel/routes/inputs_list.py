"""The inputs of a style for many domains as the parameters keep them: volumes, and what each was said to be."""

from __future__ import annotations

import json

import slicer


def entries(parameters: object) -> list[tuple[object | None, str]]:
    """(volume, domain that it is said to be or "") of the input volume, then of those beside it.

    What was said of the input volume is gone as soon as another one takes its place.
    """
    others, kinds = list(parameters.otherInputs), _kinds(parameters)
    kinds += [""] * (len(others) + 1 - len(kinds))
    first = parameters.inputVolume
    listed = [(first, kinds[0] if first is not None and parameters.inputKindOf is first else "")]
    listed += [
        (node, kind)
        for node, kind in zip(others, kinds[1:], strict=False)
        if node is not None and slicer.mrmlScene.IsNodePresent(node) and node is not first
    ]
    return listed


def store(parameters: object, listed: list[tuple[object | None, str]]) -> None:
    """Keep other volumes, or what they are said to be.

    Args:
        parameters: the parameter node.
        listed: as of ``entries``; the first is the input volume.
    """
    nodes = [node for node, _kind in listed[1:]]
    with slicer.util.NodeModify(parameters):
        parameters.inputKindOf = listed[0][0]
        parameters.inputKinds = json.dumps([kind for _node, kind in listed])
        if nodes != list(parameters.otherInputs):
            parameters.otherInputs = nodes


def _kinds(parameters: object) -> list[str]:
    try:
        kinds = json.loads(parameters.inputKinds)
    except ValueError:
        kinds = []
    return [str(kind) for kind in kinds] if isinstance(kinds, list) and kinds else [""]

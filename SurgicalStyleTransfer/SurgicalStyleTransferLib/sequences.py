"""Sequences: which browser plays a volume, its frames, and a new sequence beside them."""

from __future__ import annotations

import slicer


def browser_of(node: object) -> object | None:
    """The sequence browser whose proxy a volume is, or None."""
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        sequence = browser.GetSequenceNode(node)
        if sequence is not None and sequence.GetNumberOfDataNodes() > 1:
            return browser
    return None


def frames(node: object) -> list[object]:
    """The volumes of a proxy's sequence, in its own scene."""
    sequence = browser_of(node).GetSequenceNode(node)
    return [sequence.GetNthDataNode(index) for index in range(sequence.GetNumberOfDataNodes())]


def add_sequence(input_node: object, made: list[object], name: str) -> object:
    """A sequence of finished volumes, indexed and played like the input's; returns its proxy node.

    made: volumes outside of any scene; they are copied.
    """
    browser = browser_of(input_node)
    source = browser.GetSequenceNode(input_node)
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    sequence.SetIndexName(source.GetIndexName())
    sequence.SetIndexUnit(source.GetIndexUnit())
    sequence.SetIndexType(source.GetIndexType())
    for index, volume in enumerate(made):
        sequence.SetDataNodeAtValue(volume, source.GetNthIndexValue(index))
    browser.AddSynchronizedSequenceNode(sequence)
    browser.SetOverwriteProxyName(sequence, False)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(sequence)


def replace_frames(proxy: object, write: object) -> None:
    """Call ``write(volume, index)`` for each frame of a proxy's sequence, then show the current one anew."""
    for index, volume in enumerate(frames(proxy)):
        write(volume, index)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser_of(proxy))

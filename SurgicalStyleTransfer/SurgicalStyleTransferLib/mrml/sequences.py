"""Sequences: which browser plays a volume, its frames, and a new sequence beside them."""

from __future__ import annotations

import slicer
import vtk
from slicer.i18n import tr as _

from .observers import Observers

LEADER_ROLE = "SurgicalStyleTransferMovesWith"


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


def add_sequence(input_node: object, volumes: list[object], name: str) -> object:
    """A sequence of finished volumes, indexed like the input's, with a browser of its own.

    The browser names the input's as the one it moves with, see ``BrowserLinks``.

    Args:
        input_node: proxy of the sequence that they were made from.
        volumes: outside of any scene; they are copied.
        name: of the sequence.

    Returns:
        The proxy node of the new sequence.
    """
    leader = browser_of(input_node)
    source = leader.GetSequenceNode(input_node)
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    sequence.SetIndexName(source.GetIndexName())
    sequence.SetIndexUnit(source.GetIndexUnit())
    sequence.SetIndexType(source.GetIndexType())
    for index, volume in enumerate(volumes):
        sequence.SetDataNodeAtValue(volume, source.GetNthIndexValue(index))
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", _("{name} browser").format(name=name))
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.SetPlaybackRateFps(leader.GetPlaybackRateFps())
    browser.SetOverwriteProxyName(sequence, False)
    browser.SetNodeReferenceID(LEADER_ROLE, leader.GetID())
    browser.SetSelectedItemNumber(max(0, leader.GetSelectedItemNumber()))
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(sequence)


class BrowserLinks:
    """Keeps the browsers of results at the frames of the browsers of their inputs, whichever of them is moved."""

    def __init__(self) -> None:
        self._observers = Observers()
        self._moving = False

    def refresh(self) -> None:
        """Look for linked browsers in the scene anew: after a run, and when a scene was loaded."""
        self.close()
        for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
            leader = browser.GetNodeReference(LEADER_ROLE)
            if leader is not None:
                self._follow(leader, browser)
                self._follow(browser, leader)

    def close(self) -> None:
        """Follow no browser any more."""
        self._observers.clear()

    def _follow(self, moved: object, follower: object) -> None:
        def step() -> None:
            number = moved.GetSelectedItemNumber()
            if self._moving or number < 0 or number == follower.GetSelectedItemNumber():
                return
            if slicer.mrmlScene.GetNodeByID(follower.GetID()) is not follower:
                return
            if number >= follower.GetNumberOfItems():
                return
            self._moving = True
            try:
                follower.SetSelectedItemNumber(number)
                slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(follower)
            finally:
                self._moving = False

        self._observers.add(moved, vtk.vtkCommand.ModifiedEvent, step)


def replace_frames(proxy: object, write: object) -> None:
    """Call ``write(volume, index)`` for each frame of a proxy's sequence, then show the current one anew."""
    for index, volume in enumerate(frames(proxy)):
        write(volume, index)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser_of(proxy))

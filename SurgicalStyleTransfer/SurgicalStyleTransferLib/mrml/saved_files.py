"""Files that Slicer writes of synthetic volumes say so: MRML's own writers put nothing of a node into NIfTI or NRRD.

Every storage node of the scene is observed, so that it does not matter who saves: the scene, File > Save or a script.
What is exported without a storage node in the scene (the module DICOM, "Export to file...") is not seen here; its name
still says "(synthetic)".
"""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import slicer
import vtk
from slicer.i18n import tr as _

from surgical_style_engine.imageio.provenance import summary

from . import outputs

SIDECAR = ".synthetic.json"  # after the whole name of a file; never a name that BIDS has for what an acquisition says
NRRD, NIFTI = (".nrrd", ".nhdr"), (".nii", ".nii.gz")
_HEADER, _MAGIC, _DESCRIPTION = 348, slice(344, 347), slice(148, 228)  # of NIfTI-1 in one file, in bytes
_HEAD = 1 << 20  # of a NRRD file: its text ends with an empty line long before


def notes_of(node: object) -> dict[str, str]:
    """What a node's attributes say of how its image was made; {} for what is not synthetic."""
    if not outputs.is_synthetic(node):
        return {}
    prefix = outputs.ATTRIBUTE_PREFIX
    names = [name for name in node.GetAttributeNames() if name.startswith(prefix)]
    return {name.removeprefix(prefix): node.GetAttribute(name) for name in names}


def mark(path: Path, notes: dict[str, str], description: str = "") -> None:
    """Write into a file, or beside it, that its image is synthetic.

    NRRD gets the notes into its header. NIfTI has room for one line, ``descrip``; it and every other format get a JSON
    file of the same name beside them. The voxels stay as they are.

    Args:
        path: as it was just written.
        notes: see ``notes_of``.
        description: in words.

    Raises:
        OSError: where it cannot be written; the file is then as it was.
    """
    name = path.name.lower()
    if name.endswith(NRRD):
        _rewrite(path, lambda head: _nrrd_with(head, notes), _HEAD)
        return
    if name.endswith(NIFTI):
        _rewrite(path, lambda head: _nifti_with(head, notes), _HEADER)
    values = {**notes, "Synthetic": True, "Description": description, "File": path.name}
    text = json.dumps(values, indent=1, ensure_ascii=False)
    path.with_name(path.name + SIDECAR).write_text(text + "\n", encoding="utf-8")


def _nrrd_with(head: bytes, notes: dict[str, str]) -> bytes:
    """The text of a NRRD file with the notes as keys and values that it lacks."""
    empty_lines = [gap for gap in (b"\n\n", b"\r\n\r\n") if gap in head]
    end = min((head.find(gap) + len(gap) // 2 for gap in empty_lines), default=len(head))
    lines = "".join(
        f"{outputs.ATTRIBUTE_PREFIX}{key}:={' '.join(value.split())}\n"
        for key, value in notes.items()
        if f"\n{outputs.ATTRIBUTE_PREFIX}{key}:=".encode() not in head[:end]
    )
    return head[:end] + lines.encode("utf-8") + head[end:] if head.startswith(b"NRRD") else head


def _nifti_with(head: bytes, notes: dict[str, str]) -> bytes:
    """The header of a NIfTI file with what it is in the 79 letters that it has room for."""
    if head[_MAGIC] != b"n+1":
        return head
    text = summary({"SyntheticFrom": "", "SyntheticTo": "", "StyleModel": "", **notes})
    return b"".join((head[: _DESCRIPTION.start], text.encode("ascii", "replace").ljust(80, b"\0"), head[228:]))


def _rewrite(path: Path, change: Callable[[bytes], bytes], size: int) -> None:
    """Change the first bytes of a file, compressed or not; whole or not at all, and not at all where none changes."""
    is_packed = path.name.lower().endswith(".gz")
    with _opened(path, is_packed) as source:
        head = source.read(size)
        changed = change(head)
        if changed == head:
            return
        number, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(number)
        try:
            with Path(name).open("wb") as file:
                # The third level: most of the size for a fraction of the time, as the scene waits for it.
                with gzip.GzipFile("", "wb", 3, file, 0) if is_packed else contextlib.nullcontext(file) as target:
                    target.write(changed)
                    shutil.copyfileobj(source, target, 1 << 20)
            shutil.copymode(path, name)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _opened(path: Path, is_packed: bool) -> Iterator[BinaryIO]:
    with gzip.open(path, "rb") if is_packed else path.open("rb") as stream:
        yield stream


class SavedFiles:
    """Watches the storage nodes of a scene, and marks the files of synthetic nodes as soon as they are written."""

    def __init__(self, scene: object) -> None:
        self._scene = scene
        self._is_marking = False
        self._tag = scene.AddObserver(scene.NodeAddedEvent, self._on_added)
        self._observed: list[tuple[object, int]] = []
        for node in slicer.util.getNodesByClass("vtkMRMLStorageNode", scene=scene):
            self._watch(node)

    def close(self) -> None:
        """Watch no more."""
        self._scene.RemoveObserver(self._tag)
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_added(self, _scene: object, _event: str, node: object) -> None:
        if node.IsA("vtkMRMLStorageNode"):
            self._watch(node)

    def _watch(self, storage: object) -> None:
        self._observed = [(node, tag) for node, tag in self._observed if self._scene.IsNodePresent(node)]
        if storage.GetWriteState() == storage.TransferDone:
            storage.SetWriteStateIdle()  # of a file written earlier; a new file name alone must not look like another
        self._observed.append((storage, storage.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_modified)))

    def _on_modified(self, storage: object, _event: str) -> None:
        if self._is_marking or storage.GetWriteState() != storage.TransferDone:
            return
        self._is_marking = True
        try:
            storage.SetWriteStateIdle()
            self._mark_files(storage)
        except OSError as error:
            logging.error("SurgicalStyleTransfer: %s cannot be marked: %s", storage.GetFileName(), error)
            name = storage.GetFileName() or ""
            slicer.util.errorDisplay(
                _("{file} is of a synthetic image, and could not be marked as one: {reason}.").format(
                    file=name, reason=error.strerror or error
                )
            )
        finally:
            self._is_marking = False

    def _mark_files(self, storage: object) -> None:
        path = Path(storage.GetFileName() or "")
        for node in slicer.util.getNodesByClass("vtkMRMLStorableNode", scene=self._scene):
            ids = [node.GetNthStorageNodeID(index) for index in range(node.GetNumberOfStorageNodes())]
            notes = notes_of(node) if storage.GetID() in ids else {}
            if notes and path.is_file():
                mark(path, notes, node.GetDescription() or "")

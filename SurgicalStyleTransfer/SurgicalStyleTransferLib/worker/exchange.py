"""The folder through which voxels travel between Slicer and the worker."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import slicer

from surgical_style_engine.worker import messages as protocol
from SurgicalStyleTransferLib.mrml import geometry as mrml_geometry
from SurgicalStyleTransferLib.mrml import outputs

PREFIX = "SurgicalStyleTransfer-"
KEPT_UPLOADS = 4  # more than one request names: a volume, a region, a volume to match


class Exchange:
    """A scratch folder of .npy files. A volume is written once and found again as long as it does not change."""

    def __init__(self, parent: str | None = None) -> None:
        self._parent = parent
        self._uploads: dict[tuple, dict] = {}
        self._count = 0
        self._make_folder()

    def _make_folder(self) -> None:
        parent = self._parent or slicer.app.temporaryPath
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        except OSError:  # Slicer's folder of temporary files is a setting, which may name what is gone or read-only
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._left: set[Path] = set()

    def renew(self) -> None:
        """Another empty folder: a worker that ends deletes the one it was given, sooner or later."""
        self.close()
        self._make_folder()

    def upload(self, node: object, modality: str = "", relative_to: object | None = None) -> dict:
        """A volume node as the worker's description of it; raises ValueError where its geometry cannot be described.

        relative_to: describe its place as that node sees it (parent transforms of both taken into account).
        """
        geometry = mrml_geometry.of_volume(node, relative_to)
        key = (node.GetID(), node.GetImageData().GetMTime(), geometry.key(), modality, outputs.is_synthetic(node))
        if key in self._uploads:
            self._uploads[key] = self._uploads.pop(key)  # the longest unused goes first
        else:
            message = self._write(node, geometry, modality)
            while len(self._uploads) >= KEPT_UPLOADS:
                self._drop(next(iter(self._uploads)))
            self._uploads[key] = message
        return self._uploads[key]

    def upload_once(self, node: object, modality: str = "", relative_to: object | None = None) -> dict:
        """The same into a file of the caller's own, who discards it: for requests with more volumes than are kept."""
        return self._write(node, mrml_geometry.of_volume(node, relative_to), modality)

    def _write(self, node: object, geometry: mrml_geometry.Geometry, modality: str) -> dict:
        path = self.new_path("input")
        protocol.write_array(path, channels_first(slicer.util.arrayFromVolume(node)))
        return protocol.describe(
            path,
            geometry.spacing,
            geometry.origin,
            geometry.direction,
            is_2d=geometry.is_2d,
            modality=modality,
            name=node.GetName(),
            synthetic=outputs.is_synthetic(node),
        )

    def upload_array(self, array: np.ndarray, like: object) -> dict:
        """A (z, y, x) array on the grid of a volume node."""
        geometry = mrml_geometry.of_volume(like)
        path = self.new_path("mask")
        protocol.write_array(path, array[None])
        return protocol.describe(path, geometry.spacing, geometry.origin, geometry.direction)

    def new_path(self, name: str) -> Path:
        """A file name that was never used before."""
        self._count += 1
        return self.folder / f"{name}-{self._count}.npy"

    def take(self, path: Path | str) -> np.ndarray:
        """The (z, y, x) or (z, y, x, 3) array of a result, as MRML wants it; the file is deleted."""
        array = np.load(path, allow_pickle=False)
        self.discard(path)
        return array[0] if array.shape[0] == 1 else np.moveaxis(array, 0, -1)

    def discard(self, path: Path | str) -> None:
        """Delete a file that is not needed any more, and those that could not be deleted before.

        Windows deletes no file that the worker still has mapped into memory.
        """
        self._left.add(Path(path))
        for file in sorted(self._left):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
                self._left.discard(file)

    def close(self) -> None:
        """Delete the folder."""
        self._uploads.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _drop(self, key: tuple) -> None:
        self.discard(self._uploads.pop(key)["file"])


def channels_first(array: np.ndarray) -> np.ndarray:
    """(z, y, x) or (z, y, x, c) as MRML has it -> (c, z, y, x) without an alpha channel."""
    if array.ndim == 3:
        return array[None]
    colours = array[..., :3] if array.shape[-1] == 4 and array.dtype == np.uint8 else array
    return np.moveaxis(colours, -1, 0)

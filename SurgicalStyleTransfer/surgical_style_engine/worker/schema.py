"""What a request to the worker has to hold: checked here, once, before a task begins."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from surgical_style_engine.adjust.options import Adjustments
from surgical_style_engine.app.import_model import ImportDetails
from surgical_style_engine.common.plain_reasons import first_fault, shown
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.regular import check_regular
from surgical_style_engine.models.calibration import Quickness
from surgical_style_engine.volumes.volume import Volume

from .messages import read_array


def _usable(path: Path) -> Path:
    """The path of a file to be written, whatever lies there."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ValueError("it must be the name of a file") from None
    if "\0" in str(path) or not path.name:
        raise ValueError("it must be the name of a file")
    return path


NewFile = Annotated[Path, AfterValidator(_usable)]


class VolumeMessage(BaseModel):
    """A volume as ``messages.describe`` describes it: a .npy file (c, z, y, x) and its geometry (LPS, mm)."""

    model_config = ConfigDict(frozen=True)

    file: str
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: list[list[float]]
    is_2d: bool = False
    modality: str = ""
    name: str = ""
    synthetic: bool = False

    @property
    def title(self) -> str | None:
        """What sentences about the volume begin with; None where it has no name."""
        return f"The volume {self.name}" if self.name else None

    def read(self, *, copy: bool = False) -> Volume:
        """The volume; its array is mapped into memory, or copied where the file may go before the volume does."""
        array = self._array()
        metadata = {"Modality": self.modality} if self.modality else {}
        metadata |= {"Synthetic": "yes"} if self.synthetic else {}
        direction = np.asarray(self.direction, float)
        return Volume(
            np.array(array) if copy else array, self.spacing, self.origin, direction, self.is_2d, metadata, self.name
        )

    def _array(self) -> np.ndarray:
        """Raise InputError for a file that is no array of a volume, and for a geometry that is none."""
        what = self.title or "The volume"
        check_regular(Path(self.file))
        try:
            array = read_array(self.file)
        except Exception:  # numpy's reader of headers raises many kinds, those of Python's tokenizer among them
            raise InputError(f"{what} cannot be read: its file holds no array, or not all of it.") from None
        if array.ndim != 4 or array.size == 0 or not (array.dtype == bool or np.issubdtype(array.dtype, np.number)):
            raise InputError(f"{what} cannot be read: its file holds no volume of numbers.")
        numbers = [*self.spacing, *self.origin, *(value for row in self.direction for value in row)]
        if (
            [len(row) for row in self.direction] != [3, 3, 3]
            or not np.isfinite(numbers).all()
            or min(self.spacing) <= 0
        ):
            raise InputError(f"{what} has an unusable geometry (spacing, origin or direction).")
        return array


class AdjustmentsMessage(BaseModel):
    """The fields of ``Adjustments``, each None where nothing is said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    structure_guard_mm: float | None = None
    match: VolumeMessage | None = None
    match_by: str | None = None
    flatten_bias: bool | None = None
    least_consistency: float | None = None
    ensemble: bool | None = None

    def read(self, kept: Adjustments | None = None) -> Adjustments:
        """The adjustments.

        Args:
            kept: those of the translation that is adjusted; what they did before the network cannot change.

        Raises:
            InputError: for adjustments that cannot be.
        """
        values = {key: value for key, value in vars(self).items() if value is not None}
        for key in ("flatten_bias", "ensemble") if kept is not None else ():
            if values.setdefault(key, getattr(kept, key)) != getattr(kept, key):
                raise InputError("Bias flattening and ensembles act before the network; press Apply again.")
        if self.match is not None:
            values["match"] = replace(self.match.read(copy=True), name="")
        return Adjustments(**values)


class Request(BaseModel):
    """What a task is asked with."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Check(Request):
    """Why a volume may not be what a model expects."""

    volume: VolumeMessage
    model: str
    direction: str


class Translate(Request):
    """Translate a volume into the file ``output``, and keep the translation under the key ``keep``.

    Attributes:
        disagreement: file for the standard deviation of every voxel over planes and the runs of an ensemble.
        others: the other inputs of a route of several, in its order.
    """

    volume: VolumeMessage
    model: str
    output: NewFile
    keep: str
    others: list[VolumeMessage] = []
    disagreement: NewFile | None = None
    direction: str = "forward"
    strength: float = 1.0
    mask: VolumeMessage | None = None
    planes: list[str] | None = None
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = Field(None, ge=1)
    adjustments: AdjustmentsMessage | None = None


class Adjust(Request):
    """Adjust a kept translation anew; without adjustments, by those that it has."""

    keep: str
    output: NewFile
    strength: float = 1.0
    adjustments: AdjustmentsMessage | None = None


class Figures(Request):
    """Judge a kept translation.

    Attributes:
        reference: a registered volume of the target domain, on any grid.
        error_map: file for the cycle error of every voxel.
        max_slices: most slices that the cycle is judged on.
        sampled: judge it on so few that this takes no longer than the translation did.
        cycle: with the cycle metrics, which run the network.
        uncertainty: how the error bound is found, "quick" or "full".
        bound_map: file for the error bound of every voxel.
    """

    keep: str
    reference: VolumeMessage | None = None
    error_map: NewFile | None = None
    max_slices: int | None = Field(None, ge=1)
    sampled: bool = False
    cycle: bool = True
    uncertainty: Quickness = "quick"
    bound_map: NewFile | None = None


class Preview(Request):
    """Translate the one slice of a plane at a position (mm LPS); ``others`` as of ``Translate``."""

    volume: VolumeMessage
    others: list[VolumeMessage] = []
    model: str
    output: NewFile
    position: tuple[float, float, float]
    plane: str
    direction: str = "forward"
    device: str = "auto"
    precision: str = "auto"


class Measure(Request):
    """Find out what runs a model fastest on this processor, for the runs to come."""

    model: str
    direction: str


class Devices(Request):
    """What there is to compute on."""


class Import(ImportDetails):
    """Bring a model into a folder of models; the rest is what the file does not say of itself."""

    source: Path
    folder: NewFile


class Features(Request):
    """Fetch the weights of a network that describes style pictures, a name of ``stylize.fetch.NAMES``."""

    name: str


class ExportDicom(Request):
    """Write a kept translation as a DICOM series, derived from the files of its input, into a new folder."""

    keep: str
    files: list[Path]
    output: NewFile


class Forget(Request):
    """Drop a kept translation, or all of them and the prepared preview."""

    keep: str | None = None


class Fuse(Request):
    """Fuse volumes, the reference first.

    Attributes:
        model: the folder of one that takes them in their order, for the method "learned".
    """

    volumes: list[VolumeMessage]
    output: NewFile
    method: str = "pyramid"
    weights: list[float] | None = None
    registration: str = Field("auto", alias="register")
    quality: bool = True
    model: str = ""


class Recognise(Request):
    """Which domain of a model for many a volume belongs to."""

    volume: VolumeMessage
    model: str


class Like(Request):
    """Whose look is meant: that of a volume, or of a path, which is a saved look, a scan, or a folder of scans."""

    volume: VolumeMessage | None = None
    path: Path | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Like:
        if (self.volume is None) == (self.path is None):
            raise ValueError("it must name a volume or a path, and not both")
        return self


class CheckLook(Request):
    """Why a volume may not be brought into a look, as far as that is known without measuring anything."""

    volume: VolumeMessage
    like: Like


class Harmonise(Request):
    """Bring a volume into a look, into the file ``output``."""

    volume: VolumeMessage
    like: Like
    output: NewFile


class SaveLook(Request):
    """Measure a look where that was not done yet, and save it in the file ``output``."""

    like: Like
    output: NewFile


class Register(Request):
    """Lay a volume over another one.

    Attributes:
        output: file for the moving volume on the fixed one's grid.
        displacement: file for the displacement of a deformation.
        model: the folder of one through whose translation; "" for mutual information alone.
        kind: "rigid", "affine" or "deformable".
    """

    fixed: VolumeMessage
    moving: VolumeMessage
    output: NewFile
    displacement: NewFile
    model: str = ""
    kind: str = "rigid"
    device: str = "auto"
    precision: str = "auto"


TASKS: dict[str, type[BaseModel]] = {
    "check": Check,
    "translate": Translate,
    "adjust": Adjust,
    "figures": Figures,
    "preview": Preview,
    "measure": Measure,
    "devices": Devices,
    "import": Import,
    "features": Features,
    "export_dicom": ExportDicom,
    "forget": Forget,
    "fuse": Fuse,
    "recognise": Recognise,
    "check_look": CheckLook,
    "harmonise": Harmonise,
    "save_look": SaveLook,
    "register": Register,
}


def parse(message: dict[str, Any]) -> tuple[str, Any]:
    """The task that a message names, and its arguments as that task's request.

    Raises:
        InputError: for a task that is not known, and for arguments that it does not take, with one sentence.
    """
    task = message.get("task")
    if not isinstance(task, str) or task not in TASKS:
        raise InputError(f"The worker knows no task {shown(repr(task))}; it may be of another version.")
    arguments = {key: value for key, value in message.items() if key not in ("id", "task")}
    try:
        return task, TASKS[task].model_validate(arguments)
    except ValidationError as error:
        raise InputError(_sentence(task, error)) from None


def _sentence(task: str, error: ValidationError) -> str:
    fault, (where, reason) = error.errors()[0], first_fault(error)
    *outer, last = (shown(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        what = "adjustment" if outer == ["adjustments"] else f"argument of the task {task!r} called"
        return f"The worker knows no {what} {last!r}; it may be of another version."
    if fault["type"] == "missing":
        return f"The task {task!r} lacks {where!r}."
    return f"The task {task!r} cannot take {where!r} as it is: {reason}."

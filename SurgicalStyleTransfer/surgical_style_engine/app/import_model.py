"""Bring a model into a folder of models: packed, as a folder, as weights of other code, or as a style picture."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.regular import check_regular
from surgical_style_engine.models.archive import import_archive, import_folder, is_model_archive
from surgical_style_engine.models.importers.arbitrary import import_arbitrary_style
from surgical_style_engine.models.importers.picture import import_picture, is_picture_file
from surgical_style_engine.models.importers.reference import import_reference
from surgical_style_engine.models.names import check_free_name


class ImportDetails(BaseModel):
    """What a file does not say of itself.

    The fields are the options of ``sst models import``. Packed models bring their own card, so that only ``name`` and
    ``overwrite`` apply to them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    title: str = ""
    source_name: str = ""
    target_name: str = ""
    source_modality: str = ""
    target_modality: str = ""
    source_window: tuple[float, float] | None = None
    target_window: tuple[float, float] | None = None
    other_direction: Path | None = None
    image_size: int = 256
    spacing_mm: float | None = None
    plane: str = "axial"
    licence: str = "unstated"
    citation: str = ""
    colour: str = "rgb"
    features: str = "auto"
    steps: int | None = None
    transform: Path | None = None
    style: Path | None = None
    overwrite: bool = False


class DetailsMissingError(InputError):
    """A file needs details that were not given. why: the sentence's beginning; fields: those of ``ImportDetails``."""

    def __init__(self, why: str, fields: list[str], words: str) -> None:
        super().__init__(f"{why}; give {words}.")
        self.why, self.fields = why, fields


REFERENCE_FIELDS = {
    "name",
    "title",
    "source_name",
    "target_name",
    "source_modality",
    "target_modality",
    "source_window",
    "target_window",
    "other_direction",
    "image_size",
    "spacing_mm",
    "plane",
    "licence",
    "citation",
    "overwrite",
}
PICTURE_FIELDS = {"name", "title", "licence", "colour", "features", "steps", "plane", "overwrite"}
ARBITRARY_FIELDS = {"name", "title", "licence", "citation", "colour", "plane", "overwrite"}


def import_model(source: Path, models: Path, details: ImportDetails | None = None) -> Path:
    """Bring a model into a folder of models. Nothing in its files is run.

    Args:
        source: a model folder, a zip archive of one, weights of the CycleGAN, pix2pix or CUT code, an ONNX generator,
            the first part of an arbitrary-style network, or a picture.
        models: the folder of models; made if need be.
        details: what the source does not say of itself.

    Returns:
        The model's folder.

    Raises:
        DetailsMissingError: where details are needed that were not given.
        InputError: for what is no model, and for a name that is taken.
        StyleTransferError: for what cannot be written.
    """
    details = details or ImportDetails()
    if not source.exists():
        raise InputError(f"There is no file {source}.")
    if source.is_dir():
        return import_folder(source, models, details.name, details.overwrite)
    for file in (source, details.other_direction, details.transform, details.style):
        if file is not None:
            check_regular(file)
    if source.suffix.lower() == ".zip" or is_model_archive(source):
        return import_archive(source, models, details.name, details.overwrite)
    if details.transform is not None or details.style is not None:
        return _arbitrary_style(source, models, details)
    if is_picture_file(source):
        if not details.name:
            raise DetailsMissingError("A picture has no name of its own", ["name"], "a name")
        folder = models / check_free_name(details.name, models)
        import_picture(source, folder, **_only(details, PICTURE_FIELDS))
        return folder
    return _weights(source, models, details)


def _arbitrary_style(source: Path, models: Path, details: ImportDetails) -> Path:
    if not details.name or details.transform is None or details.style is None:
        raise InputError("An arbitrary-style network needs --transform, --style and --name beside its first part.")
    folder = models / check_free_name(details.name, models)
    import_arbitrary_style(source, details.transform, details.style, folder, **_only(details, ARBITRARY_FIELDS))
    return folder


def _weights(source: Path, models: Path, details: ImportDetails) -> Path:
    missing = [field for field in ("name", "source_name", "target_name") if not getattr(details, field)]
    if missing:
        raise DetailsMissingError("Weights say nothing of their data", missing, "a name and both domains")
    folder = models / check_free_name(details.name, models)
    import_reference(source, folder, **_only(details, REFERENCE_FIELDS))
    return folder


def _only(details: ImportDetails, fields: set[str]) -> dict:
    return {name: value for name, value in vars(details).items() if name in fields}

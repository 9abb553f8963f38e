"""Models trained elsewhere: weights of the reference code and ONNX generators become model folders."""

from __future__ import annotations

import pickle  # nosec B403  # for its error; torch.load reads, with weights_only
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.regular import check_regular
from surgical_style_engine.models.card import Architecture, Direction, Domain, Domains, ModelCard, refused_as_input
from surgical_style_engine.models.folder import save_model
from surgical_style_engine.models.names import check_name
from surgical_style_engine.models.weights import sha256_of
from surgical_style_engine.volumes.normalization import (
    RGB,
    HUWindow,
    LinearLandmarks,
    PercentileLandmarks,
    RobustPercentile,
)

from .onnx import read_onnx
from .reference_layouts import RecognisedGenerator, recognise
from .stored import check_file, check_tensors

# DICOM's modalities whose images are scalar; others (photographs, paintings, microscopy) may be in colour.
SCALAR_MODALITIES = {"CR", "CT", "DX", "IO", "MG", "MR", "NM", "PT", "PX", "RF", "RG", "US", "XA"}
_CT_WINDOW = (-1000.0, 2000.0)  # HU


@dataclass(frozen=True)
class ImportedDomain:
    """What the weights do not say about one side.

    Attributes:
        name: What people call it.
        modality: DICOM's; may be empty.
        window: The two values that were mapped to -1 and 1, or None for what is usual with the modality.
    """

    name: str
    modality: str = ""
    window: tuple[float, float] | None = None

    @property
    def scalar(self) -> bool:
        """Whether its images have one channel."""
        return self.modality.upper() in SCALAR_MODALITIES

    def card(self, channels: int) -> Domain:
        """The domain in a model card, for images of so many channels. Raises InputError for a falling window."""
        modality = self.modality.upper()
        scale: dict[str, Any]
        if self.window is not None or modality == "CT":
            lower, upper = self.window or _CT_WINDOW
            if not upper > lower:
                raise InputError(f"The window of {self.name} must ascend, not go from {lower:g} to {upper:g}.")
            scale = {
                "normalization": HUWindow(lower=lower, upper=upper),
                "inverse": LinearLandmarks(kind="hu_window", low=lower, high=upper),
            }
        elif channels == 3:
            scale = {"normalization": RGB(), "inverse": LinearLandmarks(kind="rgb", low=0, high=255)}
        else:
            # Units are arbitrary and the training volumes unknown: 0 to 1000, linear.
            scale = {
                "normalization": RobustPercentile(),
                "inverse": PercentileLandmarks(low=0, high=950, maximum=1000),
            }
        units = "HU" if modality == "CT" else ""
        return Domain(name=self.name, modality=modality, units=units, channels=channels, **scale)


@dataclass(frozen=True)
class ReferenceDetails:
    """What a file of weights does not say.

    Attributes:
        name: The model's name.
        source_name: Name of the source domain.
        target_name: Name of the target domain.
        title: For people; both domains' names if empty.
        source_modality: DICOM's. Sides with a scalar modality (MR, CT, ...) take and give one channel although the
            reference trains with three equal ones: the outer layers are folded.
        target_modality: The same of the target.
        source_window: The values that were mapped to -1 and 1; what is usual with the modality if None.
        target_window: The same of the target.
        image_size: Pixels a side of the training images, for the record.
        spacing_mm: In-plane spacing of the training images, if known; slices then run at it, otherwise at their own.
        plane: Of the training slices.
        licence: Of the weights.
        citation: Of who trained them.
    """

    name: str
    source_name: str
    target_name: str
    title: str = ""
    source_modality: str = ""
    target_modality: str = ""
    source_window: tuple[float, float] | None = None
    target_window: tuple[float, float] | None = None
    image_size: int = 256
    spacing_mm: float | None = None
    plane: str = "axial"
    licence: str = "unstated"
    citation: str = ""

    @property
    def source(self) -> ImportedDomain:
        """The side that the weights translate from."""
        return ImportedDomain(self.source_name, self.source_modality, self.source_window)

    @property
    def target(self) -> ImportedDomain:
        """The side that the weights translate to."""
        return ImportedDomain(self.target_name, self.target_modality, self.target_window)

    def card(
        self, architecture: Architecture, channels: tuple[int, int], directions: list[Direction], files: list[Path]
    ) -> ModelCard:
        """The model's card.

        Args:
            architecture: Of the weights.
            channels: Of the images of source and target.
            directions: That there are weights for.
            files: That they come from.

        Raises:
            InputError: For what a card cannot hold.
        """
        training = {
            "method": "imported",
            "files": {path.name: sha256_of(path) for path in files},
            "image_size": self.image_size,
            "date": date.today().isoformat(),
        }
        with refused_as_input("A model"):
            return ModelCard.model_validate(
                {
                    "name": self.name,
                    "title": self.title or f"{self.source_name} to {self.target_name}",
                    "architecture": architecture,
                    "domains": Domains(source=self.source.card(channels[0]), target=self.target.card(channels[1])),
                    "spacing_mm": self.spacing_mm,
                    "plane": self.plane,
                    "directions": directions,
                    "training": training,
                    "licence": self.licence,
                    "citation": self.citation,
                }
            )


def import_reference(
    source: Path, folder: Path, *, other_direction: Path | None = None, overwrite: bool = False, **details: Any
) -> ModelCard:
    """Write a model folder from ``*_net_G*.pth`` of the CycleGAN, pix2pix or CUT code, or from an ONNX generator.

    The ResNets come with the names and shapes of the weights alone; batch norm computes as the reference's test script
    does.

    Args:
        source: The file.
        folder: The model's folder.
        other_direction: The .pth file that goes back, of the same kind.
        overwrite: Whether a folder of that name is replaced.
        **details: The fields of ``ReferenceDetails``: name, source_name and target_name at least.

    Returns:
        The card.

    Raises:
        InputError: With one sentence for everything that is no such generator; files with code are refused.
        StyleTransferError: If the folder cannot be written.
    """
    known = ReferenceDetails(**details)
    check_name(known.name)
    files = [path for path in (source, other_direction) if path is not None]
    for path in files:
        if not path.is_file():
            raise InputError(f"There is no file {path}.")
    if source.suffix.lower() != ".onnx":
        return _import_states(files, folder, known, overwrite)
    if other_direction is not None:
        raise InputError("An ONNX model has one direction; import the other one as a model of its own.")
    return _import_onnx(source, folder, known, overwrite)


def _import_onnx(source: Path, folder: Path, details: ReferenceDetails, overwrite: bool) -> ModelCard:
    network = read_onnx(source)
    channels = (network.in_channels, network.out_channels)
    for domain, count in zip((details.source, details.target), channels, strict=True):
        if domain.scalar and count == 3:
            raise InputError(f"The ONNX model {source} has colour images; {domain.modality} needs one channel.")
    card = details.card(Architecture(name="onnx"), channels, ["forward"], [source])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        path = Path(temporary) / "model.onnx"
        path.write_bytes(network.content)
        return save_model(folder, card, path, readme=_readme(card), overwrite=overwrite)


def _import_states(files: list[Path], folder: Path, details: ReferenceDetails, overwrite: bool) -> ModelCard:
    """Files: of the forward direction, and of the backward one if there is one."""
    source, target = details.source, details.target
    forward = _fold(recognise(read_state(files[0]), str(files[0])), source, target)
    backward = None
    if len(files) > 1:
        backward = _fold(recognise(read_state(files[1]), str(files[1])), target, source)
    channels = _image_channels(forward, backward, files[0])
    architecture = Architecture(
        name=forward.name,
        arguments=forward.arguments,
        backward_arguments=None if backward is None else backward.arguments,
    )
    directions: list[Direction] = ["forward"] if backward is None else ["forward", "backward"]
    card = details.card(architecture, channels, directions, files)
    state = None if backward is None else backward.state
    return save_model(folder, card, forward.state, state, _readme(card), overwrite)


def read_state(path: Path) -> dict[str, Any]:
    """The state dictionary in a file of ``torch.save``, read without running anything in it.

    Raises:
        InputError: For files that hold something else, or code beside weights.
    """
    check_torch("Importing weights of PyTorch")
    import torch

    check_regular(path)
    check_file(path)
    # The oldest of torch's formats, in which weights_only did not hold before torch 2.6.
    if tarfile.is_tarfile(path):
        raise InputError(f"The file {path} is in torch's oldest format, which can hold code; save it anew.")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "not an allowed" in str(error):
            raise InputError(f"The file {path} holds code beside weights; save its state dictionary alone.") from None
        raise InputError(f"The file {path} holds no weights of torch.") from None
    except Exception:  # zip, end-of-file, attribute and runtime errors, by the kind of damage
        raise InputError(f"The file {path} is damaged, or holds no weights of torch.") from None
    if isinstance(values, dict) and isinstance(values.get("state_dict"), dict):
        values = values["state_dict"]
    if not isinstance(values, dict) or not values:
        raise InputError(f"The file {path} holds no state dictionary.")
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise InputError(f"The file {path} holds something beside weights: {key!r}.")
    check_tensors(path, values)
    return dict(values)


def _fold(network: RecognisedGenerator, source: ImportedDomain, target: ImportedDomain) -> RecognisedGenerator:
    if source.scalar and network.arguments["in_channels"] == 3:
        network.make_input_grey()
    if target.scalar and network.arguments["out_channels"] == 3:
        network.make_output_grey()
    return network


def _image_channels(
    forward: RecognisedGenerator, backward: RecognisedGenerator | None, source: Path
) -> tuple[int, int]:
    """Channels of both domains; 1 and 3 are images, other numbers nothing the pipeline knows."""
    channels = (forward.arguments["in_channels"], forward.arguments["out_channels"])
    if not set(channels) <= {1, 3}:
        raise InputError(f"The generator {source} maps {channels[0]} to {channels[1]} channels; images have 1 or 3.")
    if backward is not None:
        if backward.name != forward.name:
            raise InputError(f"The two directions are of different kinds: {forward.name} and {backward.name}.")
        if (backward.arguments["out_channels"], backward.arguments["in_channels"]) != channels:
            raise InputError("The two directions do not fit: one's output has other channels than the other's input.")
    return channels


def _readme(card: ModelCard) -> str:
    files = "\n".join(f"- `{file}`, SHA-256 {digest}" for file, digest in card.training["files"].items())
    return (
        f"# {card.title}\n\n"
        f"{card.domains.source.name} to {card.domains.target.name}, imported on {card.training['date']} from\n\n"
        f"{files}\n\n"
        f"Trained elsewhere at {card.training['image_size']}x{card.training['image_size']} pixels; its figures on your "
        f"images are unknown until `sst evaluate` has run.\n\n"
        f"**Intended use.** {card.intended_use}\n\n**Licence of the weights.** {card.licence}\n\n"
        f"**Cite.** {card.citation or 'unstated'}\n"
    )

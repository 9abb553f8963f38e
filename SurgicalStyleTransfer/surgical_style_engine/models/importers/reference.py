"""Models trained elsewhere: weights of the reference code and ONNX generators become model folders."""

from __future__ import annotations

import pickle
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surgical_style_engine.common.torch_presence import check_torch
from surgical_style_engine.errors import InputError
from surgical_style_engine.models.archive import check_name
from surgical_style_engine.models.folder import Architecture, Domain, Domains, ModelCard, save_model, sha256_of
from surgical_style_engine.volumes.normalization import (
    RGB,
    HUWindow,
    LinearLandmarks,
    PercentileLandmarks,
    RobustPercentile,
)

from .onnx import read_onnx
from .reference_layouts import RecognisedGenerator, recognise

# DICOM's modalities whose images are scalar; others (photographs, paintings, microscopy) may be in colour.
SCALAR_MODALITIES = {"CR", "CT", "DX", "IO", "MG", "MR", "NM", "PT", "PX", "RF", "RG", "US", "XA"}


@dataclass(frozen=True)
class ImportedDomain:
    """What the weights do not say about one side. window: the two values that were mapped to -1 and 1, or None for
    what is usual with the modality."""

    name: str
    modality: str = ""
    units: str = ""
    window: tuple[float, float] | None = None

    @property
    def scalar(self) -> bool:
        return self.modality.upper() in SCALAR_MODALITIES

    def card(self, channels: int) -> Domain:
        modality = self.modality.upper()
        if self.window is not None or modality == "CT":
            lower, upper = self.window or (-1000.0, 2000.0)
            if not upper > lower:
                raise InputError(f"The window of {self.name} must ascend, not go from {lower:g} to {upper:g}.")
            normalization = HUWindow(lower=lower, upper=upper)
            inverse = LinearLandmarks(kind="hu_window", low=lower, high=upper)
        elif channels == 3:
            normalization, inverse = RGB(), LinearLandmarks(kind="rgb", low=0, high=255)
        else:
            # Units are arbitrary and the training volumes unknown: 0 to 1000, linear.
            normalization, inverse = RobustPercentile(), PercentileLandmarks(low=0, high=950, maximum=1000)
        units = self.units or ("HU" if modality == "CT" else "")
        return Domain(
            name=self.name,
            modality=modality,
            units=units,
            channels=channels,
            normalization=normalization,
            inverse=inverse,
        )


def import_reference(
    source: Path,
    folder: Path,
    *,
    name: str,
    title: str = "",
    source_name: str,
    target_name: str,
    source_modality: str = "",
    target_modality: str = "",
    source_window: tuple[float, float] | None = None,
    target_window: tuple[float, float] | None = None,
    other_direction: Path | None = None,
    image_size: int = 256,
    spacing_mm: float | None = None,
    plane: str = "axial",
    licence: str = "unstated",
    citation: str = "",
    overwrite: bool = False,
) -> ModelCard:
    """Write the model folder ``folder`` from ``*_net_G*.pth`` of the CycleGAN, pix2pix or CUT code, or from ONNX.

    other_direction: the .pth file that goes back, of the same kind. Sides with a scalar modality (MR, CT, ...) take and
    give one channel although the reference trains with three equal ones: the outer layers are folded. image_size: what
    it was trained at, for the record. spacing_mm: in-plane spacing of the training images, if known; slices then run
    at it, otherwise at their own.

    The ResNets come with the names and shapes of the weights alone; batch norm computes as the reference's test script
    does. Raises InputError with one sentence for everything that is no such generator; files with code are refused.
    """
    check_name(name)
    for path in filter(None, (source, other_direction)):
        if not path.is_file():
            raise InputError(f"There is no file {path}.")
    domains = (
        ImportedDomain(source_name, source_modality, window=source_window),
        ImportedDomain(target_name, target_modality, window=target_window),
    )
    training = {
        "method": "imported",
        "files": {path.name: sha256_of(path) for path in filter(None, (source, other_direction))},
        "image_size": image_size,
        "date": date.today().isoformat(),
    }

    def card(architecture: Architecture, channels: tuple[int, int], directions: list[str]) -> ModelCard:
        try:
            return ModelCard(
                name=name,
                title=title or f"{source_name} to {target_name}",
                architecture=architecture,
                domains=Domains(source=domains[0].card(channels[0]), target=domains[1].card(channels[1])),
                spacing_mm=spacing_mm,
                plane=plane,
                directions=directions,
                training=training,
                licence=licence,
                citation=citation,
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"A model cannot have this {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None

    if source.suffix.lower() == ".onnx":
        if other_direction is not None:
            raise InputError("An ONNX model has one direction; import the other one as a model of its own.")
        network = read_onnx(source)
        for domain, channels in zip(domains, (network.in_channels, network.out_channels), strict=True):
            if domain.scalar and channels == 3:
                raise InputError(f"The ONNX model {source} has colour images; {domain.modality} needs one channel.")
        made = card(Architecture(name="onnx"), (network.in_channels, network.out_channels), ["forward"])
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "model.onnx"
            path.write_bytes(network.content)
            return save_model(folder, made, path, readme=_readme(made), overwrite=overwrite)

    forward = _fold(recognise(read_state(source), str(source)), *domains)
    backward = None
    if other_direction is not None:
        backward = _fold(recognise(read_state(other_direction), str(other_direction)), *reversed(domains))
    channels = _image_channels(forward, backward, source)
    architecture = Architecture(
        name=forward.name,
        arguments=forward.arguments,
        backward_arguments=None if backward is None else backward.arguments,
    )
    made = card(architecture, channels, ["forward"] if backward is None else ["forward", "backward"])
    state = None if backward is None else backward.state
    return save_model(folder, made, forward.state, state, _readme(made), overwrite)


def read_state(path: Path) -> dict[str, Any]:
    """The state dictionary in a file of ``torch.save``, read without running anything in it."""
    check_torch("Importing weights of PyTorch")
    import torch

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
    return dict(values)


def _fold(network: RecognisedGenerator, origin: ImportedDomain, goal: ImportedDomain) -> RecognisedGenerator:
    if origin.scalar and network.arguments["in_channels"] == 3:
        network.make_input_grey()
    if goal.scalar and network.arguments["out_channels"] == 3:
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

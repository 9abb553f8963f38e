"""The models on this machine, as the panel shows them.

Only JSON is read here: the panel opens before the engine's packages are installed. The worker checks cards in full.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from slicer.i18n import tr as _

from surgical_style_engine.common.home import own_folder

from .lesion_text import lesion_text

CARD_NAME = "model.json"
SCHEMA_VERSION, MANY_VERSION = 1, 2  # of two domains, and of a list of them
THUMBNAILS = ("thumbnail.png", "comparison.png")
# The architectures that the engine can build without torch.
OWN_NETWORKS = ("resnet", "bilateral", "domain_grid", "pair_mixture")
STYLE_IMAGE = "style-image"  # the architecture of a picture to optimise for
FIRST = "brain-mr-t1w-t2w"  # selected where nothing is yet


@dataclass(frozen=True)
class Side:
    """One domain of a model."""

    name: str
    modality: str
    units: str
    channels: int

    @property
    def title(self) -> str:
        """'CT (HU)', 'T1w (MR)'."""
        details = [part for part in (self.modality if self.modality != self.name else "", self.units) if part]
        return f"{self.name} ({', '.join(details)})" if details else self.name


@dataclass(frozen=True)
class Card:
    """A model folder's card. ``problem`` says why it cannot be used; then the rest is empty."""

    folder: Path
    title: str
    shipped: bool
    problem: str = ""
    source: Side | None = None
    target: Side | None = None
    directions: tuple[str, ...] = ()
    spacing_mm: float | None = None
    plane: str = "axial"
    licence: str = ""
    citation: str = ""
    intended_use: str = ""
    limits: tuple[str, ...] = ()  # what its training found it unfit for
    sha256: str = ""
    is_damaged: bool = False  # the card cannot be read at all
    is_onnx: bool = False
    is_torch: bool = False  # a network with weights for torch; others are ONNX files, or a picture to optimise for
    runs_in_openvino: bool = False  # also where there is no torch
    features: str = ""  # of a style picture: the network that describes it, "auto" or "random"
    metrics: dict = field(default_factory=dict)
    lesions: dict = field(default_factory=dict)  # how they fared, a table a direction
    thumbnail: Path | None = None
    inputs: tuple[str, ...] = ()  # names of the modalities, where a model makes one image of several
    many: tuple[Side, ...] = ()  # the domains of a model for many, whose directions are routes such as "T1w>T2w"

    is_look: ClassVar[bool] = False  # whether it is none of a folder, but a look (see ``looks``)

    @property
    def name(self) -> str:
        """Of the folder, which is what scenes keep."""
        return self.folder.name

    def starts_in(self, direction: str) -> Side:
        """The domain of the input, in a direction; of several inputs that of the first."""
        if self.many:
            return self._domain(direction.partition(">")[0].partition("+")[0])
        return self.source if direction == "forward" else self.target

    def ends_in(self, direction: str) -> Side:
        """The domain of the result, in a direction."""
        if self.many:
            return self._domain(direction.partition(">")[2])
        return self.target if direction == "forward" else self.source

    def given(self, direction: str) -> list[str]:
        """Names of the domains of the inputs, in a direction; several where a route has them."""
        if self.many:
            return direction.partition(">")[0].split("+")
        return [self.starts_in(direction).name]

    def goes(self, direction: str) -> bool:
        """Whether there is such a direction, also one of several inputs."""
        if not self.many:
            return direction in self.directions
        names, given = [side.name for side in self.many], self.given(direction)
        target = direction.partition(">")[2]
        return target in self.made_of(given) and set(given) <= set(names) and len(set(given)) == len(given)

    def made_of(self, given: list[str]) -> list[str]:
        """Names of the domains that a model for many makes of these; one of them has to lead there by itself."""
        others = [side.name for side in self.many if side.name not in given]
        return [name for name in others if any(f"{start}>{name}" in self.directions for start in given)]

    def alone(self, direction: str) -> str:
        """The direction for the first of several inputs alone."""
        return f"{self.given(direction)[0]}>{direction.partition('>')[2]}" if self.many else direction

    def _domain(self, name: str) -> Side:
        """One of many; the first where there is none of that name, as a scene made with another style may ask."""
        return next((side for side in self.many if side.name == name), self.many[0])


def shipped_folder() -> Path:
    """The models that came with the extension."""
    return Path(__file__).resolve().parents[2] / "Resources" / "Models"


def default_user_folder() -> Path:
    """Where imported models go unless the user says otherwise; the command line's folder too."""
    folder = os.environ.get("SST_MODELS")
    return Path(folder) if folder else own_folder() / "models"


def list_cards(user_folder: Path) -> list[Card]:
    """The shipped models, then the user's, by name. A folder named like a shipped one is left out."""
    cards: dict[str, Card] = {}
    for parent in (shipped_folder(), user_folder):
        if parent.is_dir():
            for folder in sorted(path for path in parent.iterdir() if (path / CARD_NAME).is_file()):
                if not folder.name.startswith("."):
                    cards.setdefault(folder.name, read(folder))
    return list(cards.values())


def read(folder: Path) -> Card:
    """The card of a model folder; what is wrong with it is in ``problem``."""
    shipped = folder.resolve().parent == shipped_folder()
    try:
        values = json.loads((folder / CARD_NAME).read_text(encoding="utf-8"))
        version = values["schema_version"]
        if version not in (SCHEMA_VERSION, MANY_VERSION):
            problem = _("The style {name} is of version {version}; this extension reads versions {known}.").format(
                name=folder.name, version=version, known=f"{SCHEMA_VERSION}, {MANY_VERSION}"
            )
            return Card(folder, folder.name, shipped, problem)
        domains = values["domains"]
        listed = [domains[role] for role in ("source", "target")] if version == SCHEMA_VERSION else list(domains)
        sides = [_side(domain) for domain in listed]
        weights = values["weights"]
        if not (folder / weights["file"]).is_file():
            problem = _("The style {name} lacks its weights file {file}.").format(
                name=folder.name, file=weights["file"]
            )
            return Card(folder, str(values["title"]), shipped, problem)
        architecture = values.get("architecture", {})
        is_picture = architecture.get("name") == STYLE_IMAGE
        of_openvino = architecture.get("name") in OWN_NETWORKS and weights["file"].endswith(".safetensors")
        inputs = listed[0].get("inputs") or []
        if inputs:
            problem = _(
                "The style {name} makes one image of {count} ({inputs}); choose it as the method under Fusion."
            ).format(name=folder.name, count=len(inputs), inputs=", ".join(str(part["name"]) for part in inputs))
            names = tuple(str(part["name"]) for part in inputs)
            title = str(values["title"])
            return Card(folder, title, shipped, problem, inputs=names, runs_in_openvino=of_openvino)
        spacing = values.get("spacing_mm")
        return Card(
            folder=folder,
            title=str(values["title"]),
            shipped=shipped,
            source=sides[0],
            target=sides[1],
            many=tuple(sides) if version == MANY_VERSION else (),
            directions=tuple(values.get("directions", ("forward",))),
            spacing_mm=None if spacing is None else float(spacing),
            plane=str(values.get("plane", "axial")),
            licence=str(values.get("licence", "")),
            citation=str(values.get("citation", "")),
            intended_use=str(values.get("intended_use", "")),
            limits=tuple(map(str, values.get("training", {}).get("limits", ()))),
            sha256=str(weights["sha256"]),
            is_onnx=weights["file"].endswith(".onnx"),
            is_torch=weights["file"].endswith(".safetensors"),
            runs_in_openvino=of_openvino,
            features=str(architecture.get("arguments", {}).get("features", "auto")) if is_picture else "",
            metrics=dict(values.get("metrics", {})),
            lesions=dict(values.get("lesions", {})),
            thumbnail=next((folder / name for name in THUMBNAILS if (folder / name).is_file()), None),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        problem = _("The style {name} is damaged: its card {card} cannot be read.").format(
            name=folder.name, card=CARD_NAME
        )
        return Card(folder, folder.name, shipped, problem, is_damaged=True)


def _side(values: dict) -> Side:
    return Side(
        str(values["name"]),
        str(values.get("modality", "")),
        str(values.get("units", "")),
        int(values.get("channels", 1)),
    )


def describe(card: Card, direction: str, brief: bool = False) -> str:
    """The card as a few lines of rich text; in brief what it expects and what it makes."""
    if card.problem:
        return escape(card.problem)
    start, end = card.starts_in(direction), card.ends_in(direction)
    given = card.given(direction)
    expected = start.title if len(given) == 1 else " + ".join(given)
    resolution = _("{spacing:g} mm").format(spacing=card.spacing_mm) if card.spacing_mm else _("any resolution")
    rows = [
        (_("Expects"), f"{expected}, {_colour(start)}, {_plane(card.plane)}, {resolution}"),
        (_("Makes"), f"{end.title}, {_('synthetic')}"),
    ]
    more = [
        (_("Figures"), _metrics(card.metrics, f"{start.name} to {end.name}", f"{end.name} to {start.name}")),
        (_("Lesions"), lesion_text(card.lesions, direction)),
        (_("Licence"), card.licence or _("unstated")),
        (_("Use"), card.intended_use),
        (_("Limits"), " ".join(card.limits)),
    ]
    return (
        "<table>"
        + "".join(
            f"<tr><td><b>{escape(label)}</b>&nbsp;&nbsp;</td><td>{escape(text)}</td></tr>"
            for label, text in (rows if brief else rows + more)
            if text
        )
        + "</table>"
    )


def _colour(side: Side) -> str:
    return _("colour") if side.channels == 3 else _("greyscale")


def _plane(plane: str) -> str:
    return {"axial": _("axial slices"), "coronal": _("coronal slices"), "sagittal": _("sagittal slices")}[plane]


def _metrics(metrics: dict, way: str, other_way: str) -> str:
    """Metrics on held-out data that a card states for a direction: the known ones, the first that comes of each.

    Cards group them by test volume; groups named after the other direction do not count.
    """
    known = {
        "psnr": _("PSNR {value:.1f} dB"),
        "ssim": _("SSIM {value:.3f}"),
        "mae": _("MAE {value:.4g}"),
        "look_ahead_score": _("Look-Ahead {value:.3f}"),
        "semantic_consistency": _("Consistency {value:.3f}"),
    }
    stated: dict[str, float] = {}

    def collect(values: dict) -> None:
        for key, value in values.items():
            if key in known and isinstance(value, (int, float)) and not isinstance(value, bool):
                stated.setdefault(key, float(value))
        # One level of nesting after another, but never the floors that a translation is compared with.
        for key, value in values.items():
            other = other_way in key and way not in key
            if isinstance(value, dict) and key not in ("floors", "baselines") and not other:
                collect(value)

    collect(metrics)
    return ", ".join(text.format(value=stated[key]) for key, text in known.items() if key in stated) or _("unknown")


def escape(text: str) -> str:
    """Text that is shown as it is where rich text is shown."""
    # Titles and licences come from files and must not be read as markup.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""All settings of a training run: those that every method has, and a section of its own for each method."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from .method_registry import method_entry, methods, sections
from .method_settings import EARLIER, CycleGANSettings, MethodSettings
from .presets import Kind
from .strengths import STRENGTHS, randomise_strengths

Section = TypeVar("Section", bound=MethodSettings)
NormalizationKind = Literal["auto", "hu_window", "robust_percentile", "zscore", "rgb"]

# Settings that change nothing of what is computed: paths, budget and housekeeping.
HOUSEKEEPING = frozenset(
    """source target output pairs max_steps max_minutes device precision workers threads sample_every checkpoint_every
    check_every keep_checkpoints trackers name title licence citation data_description intended_use notes init preset
    extra_sources domains
    """.split()
)
# Newer than many models: at what these had (``EARLIER``, or the default) they are left out of what decides a run, so
# that its digest stays as it was; those of pseudo-pairs also where there are none.
NEWER = frozenset(
    """flatten_pairs generator_settings lambda_ssim lambda_sharpness pairs_tolerance weight_decay randomise
    randomise_settings hold_out_pairs pseudo_pairs pseudo_alone pseudo_distribution pseudo_sharpness lambda_class
    cycle_fraction everywhere reference""".split()
)
TRACKERS = ("csv", "tensorboard")


class TrainingConfig(BaseModel):
    """Everything that decides a training run. Lengths are in mm, times in minutes.

    The settings of a single method are in its section, ``section(CUTSettings).nce_patches``. What is given and what is
    written (``model_dump``) may name them without it, as the command line does.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=(), allow_inf_nan=False)

    # What is trained, on which data, to where
    method: str = Field("cyclegan", description="training method")
    source: Path = Field(description="folder of source-domain volumes, or of plain pictures")
    target: Path = Field(description="folder of target-domain volumes, or of plain pictures")
    output: Path = Field(description="run folder: cache, checkpoints, curves, samples and the finished model")
    pairs: Path | None = Field(
        None,
        description="registered pairs: a CSV of source,target paths, a folder with source/ and target/, or none",
    )
    extra_sources: str = Field(
        "", description="further input modalities: folders, or name patterns in the source folder, comma-separated"
    )
    extra_names: str = Field("", description="names of the further inputs, comma-separated, such as FLAIR")
    init: str | None = Field(None, description="model folder or name whose weights the generators start from")
    register_pairs: bool = Field(False, description="rigidly register each pair's target onto its source first")
    flatten_pairs: bool = Field(
        False, description="divide what the pairs teach by its bias field first (N4), which no input shows; for MR"
    )
    masks: bool = Field(
        False, description="volumes with a *_brainmask or *_mask file beside them also join with all else removed"
    )
    pattern_source: str = Field("*", description="only source files whose name matches this pattern")
    pattern_target: str = Field("*", description="only target files whose name matches this pattern")
    exclude: str = Field("", description="comma-separated name parts; files that contain one are left out")

    preset: Kind = Field(
        "none",
        description="how network, patches and batches are chosen where they are not given: by the hardware (auto, cpu, "
        "gpu), the article's (article), by the defaults alone (none); without --config it is auto",
    )

    # What the model says of itself
    name: str = Field("model", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="name of the model folder")
    title: str = Field("", description="title shown in the list of styles")
    source_name: str = Field("source", description="name of the source domain, such as T1w")
    target_name: str = Field("target", description="name of the target domain, such as T2w")
    source_modality: str = Field("MR", description="DICOM modality of the source: CT, MR, CR, ...; ART for pictures")
    target_modality: str = Field("MR", description="DICOM modality of the target")
    source_units: str = Field("", description="units of the source, such as HU; empty for arbitrary ones")
    target_units: str = Field("", description="units of the target")
    source_normalization: NormalizationKind = Field("auto", description="intensity normalisation of the source")
    target_normalization: NormalizationKind = Field("auto", description="intensity normalisation of the target")
    hu_lower: float = Field(-1000.0, description="lower end of the HU window, in HU")
    hu_upper: float = Field(2000.0, description="upper end of the HU window, in HU")
    licence: str = Field("unstated", description="licence of the trained weights")
    citation: str = Field("", description="what to cite: the data and their papers")
    data_description: str = Field("", description="which data the model was trained on, for the model card")
    notes: str = Field("", description="further notes for the model card, such as the command that made it")
    intended_use: str = Field("Research. Not for diagnosis.", description="intended use, for the model card")

    # Geometry
    spacing: float = Field(1.0, gt=0, description="in-plane spacing the network works at, in mm")
    plane: Literal["axial", "coronal", "sagittal"] = Field("axial", description="plane of the slices")
    stack: int = Field(1, ge=1, le=9, description="neighbouring slices given to the network (2.5-D), odd")
    stack_spacing: float = Field(3.0, gt=0, description="distance of the neighbouring slices, in mm")
    patch_size: int = Field(256, ge=32, description="side of the square training patch, in pixels")
    picture_zoom: float = Field(
        1.125, ge=1, le=32, description="short side of plain pictures, in patches: above 1, patches are details of them"
    )
    min_body_fraction: float = Field(0.02, ge=0, lt=1, description="slices with less body than this are left out")

    # Networks
    generator: str = Field("resnet", description="generator architecture")
    ngf: int = Field(64, ge=4, description="generator features in the first layer")
    n_blocks: int = Field(9, ge=1, description="residual blocks")
    generator_settings: dict[str, bool | int | float | str] = Field(
        {}, description="further settings that the generator has, as name=value, comma-separated"
    )
    discriminator: str = Field("patchgan", description="discriminator architecture")
    ndf: int = Field(64, ge=4, description="discriminator features in the first layer")
    n_layers: int = Field(3, ge=1, description="stride-2 layers of the PatchGAN (3: 70x70)")
    spectral_norm: bool = Field(False, description="spectral normalisation in the discriminators")

    # Losses
    adversarial: Literal["least_squares", "bce"] = Field("least_squares", description="adversarial criterion")
    lambda_adversarial: float = Field(1.0, ge=0, description="weight of the adversarial term")
    lambda_spatial: float = Field(1.0, ge=0, description='weight of the feature-distribution ("spatial-domain") term')
    lambda_pairs: float = Field(
        30.0, ge=0, description="weight of the supervised term on registered pairs, L1 and more"
    )
    lambda_ssim: float = Field(0.0, ge=0, description="weight of 1 - SSIM beside the L1 of pairs, whose weight is 1")
    lambda_sharpness: float = Field(
        0.0, ge=0, description="weight of the difference in local sharpness beside the L1 of pairs, whose weight is 1"
    )
    pairs_tolerance: float = Field(
        0.0, ge=0, le=10, description="mm by which pairs may lie off each other; the target is moved to where it fits"
    )
    pairs_fraction: float = Field(0.8, ge=0, le=1, description="share of steps whose two images are a registered pair")
    hold_out_pairs: int = Field(
        0,
        ge=0,
        description="registered pairs, the last ones, that are not learned from: they show over-fitting",
    )
    pairs_warmup: float = Field(
        0.0, ge=0, lt=1, description="leading share of the budget with only the supervised term (needs pairs)"
    )

    # Optimisation
    learning_rate: float = Field(2e-4, gt=0, description="Adam learning rate")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam beta 1")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam beta 2")
    weight_decay: float = Field(
        0.0, ge=0, description="decoupled weight decay of the generators' kernels (AdamW); none of biases and gains"
    )
    constant_fraction: float = Field(
        0.5, ge=0, le=1, description="share of the budget at constant learning rate, then linear to 0; 0.7 is late"
    )
    batch_size: int = Field(1, ge=1, description="images per step and process")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="decay of the generators' moving average")
    max_steps: int | None = Field(None, ge=1, description="budget in steps")
    max_minutes: float | None = Field(None, gt=0, description="budget in minutes, over all resumed parts")
    seed: int = Field(0, ge=0, description="seed of weights, data order and augmentation")
    augment: bool = Field(True, description="flips, affine and intensity augmentation")
    randomise: Literal["none", "mild", "strong"] = Field(
        "none", description="contrast randomisation of the inputs, in place of the intensity augmentation; for MR"
    )
    randomise_settings: dict[str, float] = Field(
        {}, description=f"its strengths, as name=value, comma-separated: {', '.join(STRENGTHS['none'])}"
    )

    # Running
    device: str = Field("auto", description="auto, cpu, cuda, mps")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="compute precision; weights stay fp32")
    workers: int = Field(0, ge=0, description="data-loading processes")
    threads: int = Field(0, ge=0, description="CPU threads of the network; 0 leaves the default")
    sample_every: int = Field(200, ge=0, description="steps between sample pictures; 0 for none")
    check_every: int = Field(200, ge=0, description="steps between checks for what goes wrong; 0 for none")
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="checkpoints kept")
    trackers: list[str] = Field(["csv", "tensorboard"], description="csv, tensorboard")

    # What a single method has, by the name of its section
    sections: dict[str, SerializeAsAny[MethodSettings]] = Field(default={}, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _sort_into_sections(cls, values: Any) -> Any:
        return with_sections(values, cls.model_fields["method"].default) if isinstance(values, dict) else values

    @field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        if name not in methods():
            raise ValueError(f"there is no training method '{name}'; there are {', '.join(methods())}")
        return name

    @field_validator("trackers", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return comma_separated(value) if isinstance(value, str) else value

    @field_validator("generator_settings", "randomise_settings", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return named_values(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> TrainingConfig:
        if self.stack % 2 == 0:
            raise ValueError("stack must be odd")
        if self.patch_size % 4:
            raise ValueError("patch_size must be a multiple of 4")
        if self.hu_upper <= self.hu_lower:
            raise ValueError("hu_upper must be above hu_lower")
        if self.max_steps is None and self.max_minutes is None:
            raise ValueError("give a budget: max_steps or max_minutes")
        if self.hold_out_pairs and self.pairs is None:
            raise ValueError("hold_out_pairs needs pairs")
        if self.flatten_pairs and (self.pairs is None or method_entry(self.method).many_domains):
            raise ValueError("flatten_pairs needs pairs of a source and a target")
        if self.pairs_warmup > 0 and self.pairs is None:
            raise ValueError("pairs_warmup needs pairs")
        if method_entry(self.method).needs_pairs and self.pairs is None:
            raise ValueError(f"the method {self.method} needs pairs")
        if len(self.extra_name_list()) not in (0, len(self.extra_list())):
            raise ValueError("extra_names needs a name for each of extra_sources")
        randomise_strengths(self.randomise, self.randomise_settings)
        unknown = set(self.trackers) - set(TRACKERS)
        if unknown:
            raise ValueError(f"unknown tracker {sorted(unknown)[0]}; there are {' and '.join(TRACKERS)}")
        return self

    @model_serializer(mode="wrap")
    def _flat(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        own = method_entry(self.method).settings.section
        flat = handler(self)
        for name in sorted(self.sections, key=lambda name: name != own):
            for key, value in self.sections[name].model_dump(mode="json").items():
                flat.setdefault(key, value)
        return flat

    def section(self, kind: type[Section]) -> Section:
        """The settings that the methods with settings of this class have."""
        settings = self.sections.get(kind.section)
        return settings if isinstance(settings, kind) else kind()

    def extra_list(self) -> list[str]:
        """The further input modalities, one entry each."""
        return comma_separated(self.extra_sources)

    def extra_name_list(self) -> list[str]:
        """Names of the further input modalities."""
        return comma_separated(self.extra_names)

    def digest(self) -> str:
        """SHA-256 of the settings that decide the result, for the model card."""
        return hashlib.sha256(json.dumps(self.decisive(), sort_keys=True).encode()).hexdigest()

    def decisive(self) -> dict[str, Any]:
        """The settings that change what is computed, as plain JSON: all but ``HOUSEKEEPING``."""
        flat = {key: value for key, value in self.model_dump(mode="json").items() if key not in HOUSEKEEPING}
        defaults, asked = default_settings() | EARLIER, self.asks_pseudo_pairs()
        unused = {key for key in flat if key.startswith("pseudo_") and not asked}
        return {
            key: value
            for key, value in flat.items()
            if key not in unused and (key not in NEWER or value != defaults[key])
        }

    def learns_both_ways(self) -> bool:
        """Whether the way back from target to source is learned as well."""
        return method_entry(self.method).settings is CycleGANSettings

    def asks_pseudo_pairs(self) -> bool:
        """Whether pseudo-pairs are to be made: for cyclegan of single inputs, without registered pairs."""
        asked = self.learns_both_ways() and self.section(CycleGANSettings).pseudo_pairs != "none"
        return asked and self.pairs is None and not self.extra_list()

    def changed_since(self, decisive: dict[str, Any]) -> list[str]:
        """What differs from an earlier ``decisive()``, as 'ngf was 4 and is 8'; settings it lacks had their default."""
        defaults, now = default_settings() | EARLIER, self.decisive()
        keys = now.keys() | (decisive.keys() & NEWER)
        pairs = {key: (decisive.get(key, defaults.get(key)), now.get(key, defaults.get(key))) for key in keys}
        return [f"{key} was {then} and is {now}" for key, (then, now) in sorted(pairs.items()) if then != now]


def default_settings() -> dict[str, Any]:
    """The default of every setting that has one, by its name without a section."""
    tables: list[type[BaseModel]] = [TrainingConfig, *sections().values()]
    fields = {name: field for table in tables for name, field in table.model_fields.items()}
    return {name: field.default for name, field in fields.items() if not field.is_required()}


def with_sections(values: dict[str, Any], default_method: str) -> dict[str, Any]:
    """Sort the settings of single methods into ``sections``, whether they were given below its name or without it.

    A name without a section means the setting of the chosen method where it has one, else that of whichever method
    has it. Raises ValueError, pydantic's own with the name of the setting at fault.
    """
    common = dict(values)
    sorted_before = common.pop("sections", {})
    chosen = methods().get(common.get("method", default_method))
    own_section = chosen.settings.section if chosen else ""
    gathered: dict[str, MethodSettings] = {}
    for name, kind in sorted(sections().items(), key=lambda item: item[0] != own_section):
        below = common.pop(name, {})
        if not isinstance(below, dict):
            raise ValueError(f"{name} is a table of settings")
        gathered[name] = kind(**{**below, **{key: common.pop(key) for key in kind.model_fields if key in common}})
    return {**common, "sections": {**gathered, **sorted_before}}


def comma_separated(text: str) -> list[str]:
    """'a, b' -> ['a', 'b']."""
    return [part.strip() for part in text.split(",") if part.strip()]


def named_values(text: str) -> dict[str, Any]:
    """'bins=8,guide=learned' -> {'bins': 8, 'guide': 'learned'}. Raises ValueError."""
    named: dict[str, Any] = {}
    for part in comma_separated(text):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"'{part}' is not of the form name=value")
        named[name.strip()] = yaml.safe_load(value)
    return named

"""The configuration of a training run: one flat, validated table, from YAML and from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from surgical_style_engine.errors import InputError

NormalizationKind = Literal["auto", "hu_window", "robust_percentile", "zscore", "rgb"]


class TrainingConfig(BaseModel):
    """Everything that decides a training run. Lengths are in mm, times in minutes."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=(), allow_inf_nan=False)

    # What is trained, on which data, to where
    method: Literal["cyclegan", "cut", "fastcut", "paired", "perceptual"] = Field(
        "cyclegan", description="training method"
    )
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
    masks: bool = Field(
        False, description="volumes with a *_brainmask or *_mask file beside them also join with all else removed"
    )
    pattern_source: str = Field("*", description="only source files whose name matches this pattern")
    pattern_target: str = Field("*", description="only target files whose name matches this pattern")
    exclude: str = Field("", description="comma-separated name parts; files that contain one are left out")

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
    hu_lower: float = Field(-1000.0, description="lower end of the HU window [HU]")
    hu_upper: float = Field(2000.0, description="upper end of the HU window [HU]")
    licence: str = Field("unstated", description="licence of the trained weights")
    citation: str = Field("", description="what to cite: the data and their papers")
    data_description: str = Field("", description="which data the model was trained on, for the model card")
    notes: str = Field("", description="further notes for the model card, such as the command that made it")
    intended_use: str = Field("Research. Not for diagnosis.", description="intended use, for the model card")

    # Geometry
    spacing: float = Field(1.0, gt=0, description="in-plane spacing the network works at [mm]")
    plane: Literal["axial", "coronal", "sagittal"] = Field("axial", description="plane of the slices")
    stack: int = Field(1, ge=1, le=9, description="neighbouring slices given to the network (2.5-D), odd")
    stack_spacing: float = Field(3.0, gt=0, description="distance of the neighbouring slices [mm]")
    patch_size: int = Field(256, ge=32, description="side of the square training patch [pixels]")
    picture_zoom: float = Field(
        1.125, ge=1, le=32, description="short side of plain pictures, in patches: above 1, patches are details of them"
    )
    min_body_fraction: float = Field(0.02, ge=0, lt=1, description="slices with less body than this are left out")

    # Networks
    generator: str = Field("resnet", description="generator architecture")
    ngf: int = Field(64, ge=4, description="generator features in the first layer")
    n_blocks: int = Field(9, ge=1, description="residual blocks")
    discriminator: str = Field("patchgan", description="discriminator architecture")
    ndf: int = Field(64, ge=4, description="discriminator features in the first layer")
    n_layers: int = Field(3, ge=1, description="stride-2 layers of the PatchGAN (3: 70x70)")
    spectral_norm: bool = Field(False, description="spectral normalisation in the discriminators")

    # Losses
    adversarial: Literal["least_squares", "bce"] = Field("least_squares", description="adversarial criterion")
    cycle_norm: Literal["l1", "l2"] = Field("l1", description="norm of the cycle term")
    lambda_adversarial: float = Field(1.0, ge=0, description="weight of the adversarial term")
    lambda_cycle: float = Field(10.0, ge=0, description="weight of the cycle term")
    lambda_identity: float = Field(5.0, ge=0, description="weight of the identity term |G(y)-y|")
    identity_every: int = Field(1, ge=1, description="compute the identity term on every n-th step only")
    lambda_spatial: float = Field(1.0, ge=0, description='weight of the feature-distribution ("spatial-domain") term')
    lambda_pairs: float = Field(30.0, ge=0, description="weight of the supervised L1 term on registered pairs")
    pairs_fraction: float = Field(0.8, ge=0, le=1, description="share of steps whose two images are a registered pair")
    pairs_warmup: float = Field(
        0.0, ge=0, lt=1, description="leading share of the budget with only the supervised term (needs pairs)"
    )

    lambda_nce: float | None = Field(
        None, ge=0, description="cut, fastcut: weight of the PatchNCE term; 1 for cut and 10 for fastcut if not given"
    )
    nce_patches: int = Field(256, ge=2, description="cut, fastcut: places compared in each layer")
    nce_features: int = Field(256, ge=2, description="cut, fastcut: length of the projected features")
    nce_temperature: float = Field(0.07, gt=0, description="cut, fastcut: temperature of the PatchNCE term")
    conditional: bool = Field(True, description="paired: the discriminators see input and output together")

    # Optimisation
    learning_rate: float = Field(2e-4, gt=0, description="Adam learning rate")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam beta 1")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam beta 2")
    constant_fraction: float = Field(0.5, ge=0, le=1, description="share of the budget at constant learning rate")
    batch_size: int = Field(1, ge=1, description="images per step and process")
    pool_size: int = Field(50, ge=0, description="generated images kept for the discriminators")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="decay of the generators' moving average")
    max_steps: int | None = Field(None, ge=1, description="budget in steps")
    max_minutes: float | None = Field(None, gt=0, description="budget in minutes, over all resumed parts")
    seed: int = Field(0, ge=0, description="seed of weights, data order and augmentation")
    augment: bool = Field(True, description="flips, affine and intensity augmentation")

    # Running
    device: str = Field("auto", description="auto, cpu, cuda, mps")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="compute precision; weights stay fp32")
    workers: int = Field(0, ge=0, description="data-loading processes")
    threads: int = Field(0, ge=0, description="CPU threads of the network; 0 leaves the default")
    sample_every: int = Field(200, ge=0, description="steps between sample pictures; 0 for none")
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")
    keep_checkpoints: int = Field(2, ge=1, description="checkpoints kept")
    trackers: list[str] = Field(["csv", "tensorboard"], description="csv, tensorboard")

    # The method "perceptual": the target is one picture, whose style is learned
    features: Literal["auto", "vgg19", "random"] = Field("auto", description="network that describes the style")
    lambda_content: float = Field(1.0, ge=0, description="weight of the content term")
    lambda_style: float = Field(30.0, ge=0, description="weight of the style term")
    lambda_variation: float = Field(5.0, ge=0, description="weight of the smoothness term")
    brush: float = Field(1.0, gt=0.05, le=10, description="size of the picture's strokes")

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
        if self.pairs_warmup > 0 and self.pairs is None:
            raise ValueError("pairs_warmup needs pairs")
        if self.method == "paired" and self.pairs is None:
            raise ValueError("the method paired needs pairs")
        if len(self.extra_name_list()) not in (0, len(self.extra_list())):
            raise ValueError("extra_names needs a name for each of extra_sources")
        unknown = set(self.trackers) - {"csv", "tensorboard"}
        if unknown:
            raise ValueError(f"unknown tracker {sorted(unknown)[0]}; there are csv and tensorboard")
        return self

    def extra_list(self) -> list[str]:
        """The further input modalities, one entry each."""
        return _parts(self.extra_sources)

    def extra_name_list(self) -> list[str]:
        return _parts(self.extra_names)

    def digest(self) -> str:
        """SHA-256 of the settings that decide the result, for the model card and for guarding a resume."""
        import hashlib

        return hashlib.sha256(json.dumps(self.decisive(), sort_keys=True).encode()).hexdigest()

    def decisive(self) -> dict[str, Any]:
        """The settings that change what is computed (paths, budget and housekeeping left out)."""
        housekeeping = {
            "source",
            "target",
            "output",
            "pairs",
            "max_steps",
            "max_minutes",
            "device",
            "precision",
            "workers",
            "threads",
            "sample_every",
            "checkpoint_every",
            "keep_checkpoints",
            "trackers",
            "name",
            "title",
            "licence",
            "citation",
            "data_description",
            "intended_use",
            "notes",
            "init",
            "extra_sources",
        }
        return self.model_dump(mode="json", exclude=housekeeping)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def load_config(path: Path | None, overrides: dict[str, Any]) -> TrainingConfig:
    """Read a YAML file (or none) and lay ``overrides`` (None means not given) over it.

    Paths in the file are relative to the file's folder. Raises InputError with one sentence on anything wrong.
    """
    values: dict[str, Any] = {}
    if path is not None:
        import yaml

        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"The configuration {path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise InputError(f"The configuration {path} is not a text file in UTF-8.") from None
        try:
            loaded = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"The configuration {path} is not valid YAML: {' '.join(str(error).split())}.") from None
        if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
            raise InputError(f"The configuration {path} is not a table of settings.")
        values.update(loaded)
        folder = Path(path).parent
        if isinstance(values.get("init"), str) and (folder / values["init"]).is_dir():
            values["init"] = str(folder / values["init"])
        if isinstance(values.get("extra_sources"), str):
            parts = [folder / part if (folder / part).is_dir() else part for part in _parts(values["extra_sources"])]
            values["extra_sources"] = ",".join(map(str, parts))
        for key in ("source", "target", "output", "pairs"):
            if isinstance(values.get(key), str | int) and values[key] != "none":
                values[key] = Path(path).parent / Path(str(values[key])).expanduser()
    values.update({key: value for key, value in overrides.items() if value is not None})
    if str(values.get("pairs")) == "none":
        values["pairs"] = None
    try:
        return TrainingConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            raise InputError(f"The setting '{where}' is missing.") from None
        if first["type"] == "extra_forbidden":
            raise InputError(f"There is no setting '{where}'.") from None
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        subject = f"setting '{where}' is wrong" if where else "settings cannot be used"
        raise InputError(f"The {subject}: {message}.") from None

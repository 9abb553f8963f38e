"""What each training method alone can be told: its section of the configuration. Nothing here imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from surgical_style_engine.models.card import LEAST_MANY, MOST_MANY
from surgical_style_engine.models.routes import DOMAIN_NAME
from surgical_style_engine.models.style_settings import Features

# What the runs of earlier versions had of settings that are newer, where it is not their default.
EARLIER = {"pseudo_pairs": "none"}


class MethodSettings(BaseModel):
    """The settings of one method, or of several that share them; a method without any uses this class itself.

    A subclass names its ``section``. In a YAML file the settings stand below that name, or beside the common ones; on
    the command line they are options like all others. ``Field(description=...)`` is what the help shows.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=(), allow_inf_nan=False)

    section: ClassVar[str] = ""


class CycleGANSettings(MethodSettings):
    """Settings of the method cyclegan."""

    section: ClassVar[str] = "cyclegan"

    cycle_norm: Literal["l1", "l2"] = Field("l1", description="norm of the cycle term")
    lambda_cycle: float = Field(10.0, ge=0, description="weight of the cycle term")
    lambda_identity: float = Field(5.0, ge=0, description="weight of the identity term |G(y)-y|")
    identity_every: int = Field(1, ge=1, description="compute the identity term on every n-th step only")
    pool_size: int = Field(50, ge=0, description="generated images kept for the discriminators")
    pseudo_pairs: Literal["auto", "none"] = Field(
        "auto",
        description="learn the tone from volumes of other patients registered to each source, where none are given",
    )
    pseudo_alone: float = Field(
        0.8, ge=0, le=1, description="leading share of the budget with only the terms on pseudo-pairs"
    )
    pseudo_distribution: float = Field(
        1.0, ge=0, description="weight of local distributions on pseudo-pairs, beside L1"
    )
    pseudo_sharpness: float = Field(0.5, ge=0, description="weight of local sharpness on pseudo-pairs, beside L1")


class CUTSettings(MethodSettings):
    """Settings of the methods cut and fastcut."""

    section: ClassVar[str] = "cut"

    lambda_nce: float | None = Field(
        None, ge=0, description="weight of the PatchNCE term; 1 for cut and 10 for fastcut if not given"
    )
    nce_patches: int = Field(256, ge=2, description="places compared in each layer")
    nce_features: int = Field(256, ge=2, description="length of the projected features")
    nce_temperature: float = Field(0.07, gt=0, description="temperature of the PatchNCE term")


class PairedSettings(MethodSettings):
    """Settings of the method paired."""

    section: ClassVar[str] = "paired"

    conditional: bool = Field(True, description="the discriminators see input and output together")


class FoldersSettings(MethodSettings):
    """What all methods have that learn from many folders, each with a name."""

    domains: dict[str, Path] = Field(
        {}, description="a folder of volumes for each domain, as NAME=DIR, comma-separated; or --domain for each"
    )

    @field_validator("domains", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return domains_of(value) if isinstance(value, str) else value

    @field_validator("domains")
    @classmethod
    def _can_be(cls, value: dict[str, Path]) -> dict[str, Path]:
        if value and not LEAST_MANY <= len(value) <= MOST_MANY:
            raise ValueError(f"there must be {LEAST_MANY} to {MOST_MANY}, not {len(value)}")
        for name in value:
            if not DOMAIN_NAME.fullmatch(name):
                raise ValueError(f"a domain cannot be called '{name}'")
        return value


class MultiDomainSettings(FoldersSettings):
    """Settings of the method multi-domain."""

    section: ClassVar[str] = "multi_domain"

    lambda_cycle: float = Field(10.0, ge=0, description="weight of the cycle term")
    lambda_identity: float = Field(5.0, ge=0, description="weight of the identity term |G(y)-y|")
    lambda_class: float = Field(1.0, ge=0, description="weight of the discriminator's class output")
    cycle_fraction: float = Field(
        0.15, ge=0, le=1, description="share of steps in which volumes with registered ones also go there and back"
    )
    everywhere: bool = Field(
        False, description="cycle, identity and discriminator in every step also for volumes with registered ones"
    )


class ManyToOneSettings(FoldersSettings):
    """Settings of the method many-to-one, whose domains are sites."""

    section: ClassVar[str] = "many_to_one"

    reference: str = Field("", description="the site, of those named by --domain, whose look is learned")
    lambda_cycle: float = Field(10.0, ge=0, description="weight of the cycle term")
    lambda_identity: float = Field(10.0, ge=0, description="weight of the identity term |G(y)-y|")


def domains_of(text: str) -> dict[str, str]:
    """'T1w=a,T2w=b' -> {'T1w': 'a', 'T2w': 'b'}. Raises ValueError."""
    named: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, folder = (piece.strip() for piece in part.partition("="))
        if not (name and equals and folder):
            raise ValueError(f"'{part}' is not of the form NAME=DIR")
        if name in named:
            raise ValueError(f"the domain {name} is named twice")
        named[name] = folder
    return named


class PerceptualSettings(MethodSettings):
    """Settings of the method perceptual, whose target is one picture."""

    section: ClassVar[str] = "perceptual"

    features: Features = Field("auto", description="network that describes the style")
    lambda_content: float = Field(1.0, ge=0, description="weight of the content term")
    lambda_style: float = Field(30.0, ge=0, description="weight of the style term")
    lambda_variation: float = Field(5.0, ge=0, description="weight of the smoothness term")
    brush: float = Field(1.0, gt=0.05, le=10, description="size of the picture's strokes")

"""What a card says of lesions: found, weakened, lost and invented ones, and how small an implanted one may be."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

PICTURE_NAME = "lesions.png"


class Implanted(BaseModel):
    """Implanted lesions of one diameter: how many were visible in the source, and of these in the translation."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    diameter_mm: float = Field(gt=0)
    trials: int = Field(ge=1)
    survived: int = Field(ge=0)

    @model_validator(mode="after")
    def _no_more_than_tried(self) -> Implanted:
        if self.survived > self.trials:
            raise ValueError("no more lesions can survive than were tried")
        return self


class LesionSummary(BaseModel):
    """The lesion ledger of one direction.

    Attributes:
        patients: On whom it was measured, in a few words.
        volumes: How many.
        kept: Real lesions, visible in the target contrast, that the translation shows with half of their contrast.
        weakened: Those that it shows with less.
        lost: Those that it does not show.
        contrast_kept: Median over these of the contrast, over the real image's; None without any.
        invented_per_100_ml: Spots that the real image lacks.
        source_difference: Of the implanted lesions to their surroundings in the source, of a range of 2.
        smallest_mm: Diameter from which on implanted lesions survive 9 times of 10; None if none does.
        implanted: How many survived, by diameter.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    patients: str
    volumes: int = Field(ge=1)
    kept: int = Field(ge=0)
    weakened: int = Field(ge=0)
    lost: int = Field(ge=0)
    contrast_kept: float | None = None
    invented_per_100_ml: float = Field(ge=0)
    source_difference: float
    smallest_mm: float | None = Field(None, gt=0)
    implanted: list[Implanted] = []

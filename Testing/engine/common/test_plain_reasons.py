"""What pydantic refuses is said without Python's words."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from surgical_style_engine.common.plain_reasons import first_fault, shown


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    size: float = Field(1.0, gt=0)
    path: Path = Path()
    pair: tuple[float, float] = (0, 1)
    count: int = 0
    told: bool = False
    name: str = Field("a", pattern="^a")
    rows: list[int] = []

    @field_validator("rows")
    @classmethod
    def _few(cls, value):
        if len(value) > 2:
            raise ValueError("there can be two rows.")
        return value


class Outer(BaseModel):
    inner: Inner
    table: dict[str, int] = {}


@pytest.mark.parametrize(
    ("values", "place", "reason"),
    [
        ({}, "inner", "it is missing"),
        ({"inner": 3}, "inner", "it must be a table"),
        ({"inner": {}, "table": []}, "table", "it must be a table"),
        ({"inner": {"size": "x"}}, "inner.size", "it must be a number"),
        ({"inner": {"size": None}}, "inner.size", "it must be a number"),
        ({"inner": {"size": float("nan")}}, "inner.size", "it must be a number, not NaN or infinite"),
        ({"inner": {"size": 0}}, "inner.size", "it must be greater than 0"),
        ({"inner": {"path": 3}}, "inner.path", "it must be a path"),
        ({"inner": {"pair": 3}}, "inner.pair", "it must be a list"),
        ({"inner": {"pair": [1, 2, 3]}}, "inner.pair", "it must have at most 2 entries"),
        ({"inner": {"pair": [1]}}, "inner.pair.1", "it is missing"),
        ({"inner": {"count": 0.5}}, "inner.count", "it must be a whole number"),
        ({"inner": {"count": "1e"}}, "inner.count", "it must be a whole number"),
        ({"inner": {"told": []}}, "inner.told", "it must be true or false"),
        ({"inner": {"name": 3}}, "inner.name", "it must be text"),
        ({"inner": {"rows": [1, 2, 3]}}, "inner.rows", "there can be two rows"),
        ({"inner": {"x" * 900: 3}}, "inner." + "x" * 80 + "...", "nothing of that name is known"),
    ],
)
def test_reasons(values, place, reason):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    assert first_fault(caught.value) == (place, reason)


def test_shown():
    assert shown("a\nb  c") == "a b c" and shown([1, None]) == "[1, None]"
    assert len(shown(["x" * 10**6])) < 90


class Square(BaseModel):
    kind: Literal["square"]


class Circle(BaseModel):
    kind: Literal["circle"]


class Drawing(BaseModel):
    shape: Annotated[Square | Circle, Field(discriminator="kind")]


def test_a_reason_is_one_line_whatever_it_repeats():
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate({"shape": {"kind": "a\nb"}})
    place, reason = first_fault(caught.value)
    assert place == "shape" and "a b" in reason and "\n" not in reason

"""The options of `sst train`, made from the configuration, so that a setting is written once."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .method_registry import methods, sections
from .settings import TrainingConfig

METAVARS = {int: "<int>", float: "<float>", Path: "<path>"}


def setting_options() -> list[inspect.Parameter]:
    """An option for every setting, common ones first, as keyword parameters for Typer; None means not given.

    All but switches come as text, so that the configuration judges them, with one sentence for what is wrong.
    """
    described: dict[str, tuple[FieldInfo, str]] = {
        name: (field, "") for name, field in TrainingConfig.model_fields.items() if name != "sections"
    }
    for section, settings in sections().items():
        users = ", ".join(name for name, entry in methods().items() if entry.settings.section == section)
        for name, field in settings.model_fields.items():
            described.setdefault(name, (field, f"{users}: "))
    return [_option(name, field, prefix) for name, (field, prefix) in described.items()]


def _option(name: str, field: FieldInfo, prefix: str) -> inspect.Parameter:
    kind = plain_type(field.annotation)
    flag = "--" + name.replace("_", "-")
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if kind is bool else flag,
        help=f"{prefix}{field.description}{_choices(name, field)}{_default(field)}",
        show_default=False,
        metavar=METAVARS.get(kind),
    )
    annotation = bool | None if kind is bool else str | None
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[annotation, option]
    )


def plain_type(annotation: Any) -> Any:
    """The type of an option: int for int | None, str for a choice, a list or a table, and so on."""
    if get_origin(annotation) in (Literal, list, dict):
        return str
    arguments = [part for part in get_args(annotation) if part is not type(None)]
    return plain_type(arguments[0]) if arguments else annotation


def _choices(name: str, field: FieldInfo) -> str:
    choices = list(methods()) if name == "method" else [str(choice) for choice in _literals(field)]
    return f" ({'|'.join(choices)})" if choices else ""


def _literals(field: FieldInfo) -> tuple[Any, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _default(field: FieldInfo) -> str:
    default = field.default
    if field.is_required() or default is None or default in ("", {}) or isinstance(default, BaseModel):
        return ""
    # In round brackets: rich takes square ones for markup and shows nothing of them.
    return f" (default: {','.join(default) if isinstance(default, list) else default})"

"""Settings from a YAML file with others laid over it, judged, with one sentence for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from surgical_style_engine.common.plain_reasons import first_fault
from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.gate.regular import check_small

from .many_domains import with_domains
from .method_settings import EARLIER
from .settings import TrainingConfig, comma_separated

PATHS = ("source", "target", "output", "pairs")


def load_config(path: Path | None, overrides: dict[str, Any]) -> TrainingConfig:
    """Read a YAML file (or none) and lay ``overrides`` over it.

    Args:
        path: the file; paths in it are relative to its folder.
        overrides: settings by name; None means not given.

    Raises:
        InputError: with one sentence on anything wrong.
    """
    values = {} if path is None else read_settings(Path(path))
    values.update({key: value for key, value in overrides.items() if value is not None})
    if str(values.get("pairs")) == "none":
        values["pairs"] = None
    values = with_domains(values)
    try:
        return TrainingConfig(**values)
    except ValidationError as error:
        raise InputError(_sentence(error)) from None


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a YAML file by name, unjudged, with paths as seen from here. Raises InputError."""
    check_small(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"The configuration {path} is not a text file in UTF-8.") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"The configuration {path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"The configuration {path} is not a table of settings.")
    return values | _relative_to(path.parent, values)


def settings_of_run(run: Path, overrides: dict[str, Any]) -> dict[str, Any]:
    """The settings with which a training began, and what is given now over them.

    Args:
        run: the training's folder; paths in its ``config.json`` are as seen from where that training was started.
        overrides: settings by name; None means not given.

    Raises:
        InputError: where the folder is no run, or its settings cannot be read.
    """
    path = run / "config.json"
    if not path.is_file():
        raise InputError(f"The folder {run} is no run of sst train.")
    try:
        began = json.loads(path.read_text(encoding="utf-8"))
        values = {**EARLIER, **began, "output": run}
    except (OSError, ValueError, TypeError):
        raise InputError(f"The settings {path} cannot be read.") from None
    return {**values, **{key: value for key, value in overrides.items() if value is not None}}


def _relative_to(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Those settings that name files, as seen from where the program runs."""
    moved: dict[str, Any] = {}
    for key in PATHS:
        if isinstance(values.get(key), str | int) and values[key] != "none":
            moved[key] = folder / Path(str(values[key])).expanduser()
    if isinstance(values.get("init"), str) and (folder / values["init"]).is_dir():
        moved["init"] = str(folder / values["init"])
    if isinstance(values.get("domains"), dict):
        moved["domains"] = {name: folder / Path(str(path)).expanduser() for name, path in values["domains"].items()}
    if isinstance(values.get("extra_sources"), str):
        entries = comma_separated(values["extra_sources"])
        moved["extra_sources"] = ",".join(str(folder / e) if (folder / e).is_dir() else e for e in entries)
    return moved


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong."""
    kind, (where, reason) = error.errors()[0]["type"], first_fault(error)
    if kind == "missing":
        return f"The setting '{where}' is missing."
    if kind == "extra_forbidden":
        return f"There is no setting '{where}'."
    subject = f"setting '{where}' is wrong" if where else "settings cannot be used"
    return f"The {subject}: {reason}."

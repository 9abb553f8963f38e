"""Models by name: which names there can be, where models are looked for, what is there, and removing one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from surgical_style_engine.common.atomic_write import remove_folder
from surgical_style_engine.common.home import own_folder
from surgical_style_engine.errors import InputError

from .card import CARD_NAME, ModelCard, read_card
from .lesion_summary import PICTURE_NAME

DEFAULT_MODEL = "brain-mr-t1w-t2w"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # as in the card


def check_name(name: str) -> str:
    """The name itself if it can be a model's.

    Raises:
        InputError: If it cannot.

    >>> check_name("brain-mr-t1w-t2w")
    'brain-mr-t1w-t2w'
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot be a model's name; use letters, digits, '.', '-' and '_', at most 64.")
    return name


def check_free_name(name: str, models: Path) -> str:
    """The name itself if a model of another origin can have it.

    Args:
        name: Of the model.
        models: The folder of models that it is to be in.

    Raises:
        InputError: If it cannot be a name, or is that of a shipped model, which would be found in its place.
    """
    shipped = shipped_models_folder()
    if (shipped / check_name(name) / CARD_NAME).is_file() and Path(models).resolve() != shipped.resolve():
        raise InputError(f"A model called {name} comes with the program; give yours another name.")
    return name


def shipped_models_folder() -> Path:
    """Resources/Models of a clone or of the installed Slicer module, or the copy inside an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    clone = package.parent / "Resources" / "Models"
    return clone if clone.is_dir() else package / "shipped_models"


def user_models_folder() -> Path:
    """Where imported models go: $SST_MODELS, or ~/.surgical_style_transfer/models."""
    folder = os.environ.get("SST_MODELS")
    return Path(folder) if folder else own_folder() / "models"


def models_folders() -> list[Path]:
    """The folders searched for models, in order."""
    return [shipped_models_folder(), user_models_folder()]


def list_models(folders: list[Path] | None = None) -> list[tuple[Path, ModelCard | None, str]]:
    """Every model in the folders of models. Reads cards only, neither weights nor torch.

    Args:
        folders: Where to look; the shipped and the user's models if None.

    Returns:
        (folder, card, problem) of each, by name within each folder of models; the card is None where it cannot be
        read, and the problem a sentence then.

    >>> shipped = list_models([shipped_models_folder()])
    >>> all(card is not None for folder, card, problem in shipped)
    True
    """
    models: list[tuple[Path, ModelCard | None, str]] = []
    for parent in folders or models_folders():
        if not parent.is_dir():
            continue
        for folder in sorted(path for path in parent.iterdir() if _is_model(path)):
            try:
                models.append((folder, read_card(folder), ""))
            except InputError as error:
                models.append((folder, None, str(error)))
    return models


def _is_model(folder: Path) -> bool:
    """Whether a folder has a card; hidden ones are half written, or on their way out."""
    return not folder.name.startswith(".") and (folder / CARD_NAME).is_file()


def find_model(name: str | Path, folders: list[Path] | None = None) -> Path:
    """The folder of a model.

    Args:
        name: Path of a model folder, or the name of a model.
        folders: Where names are looked for; among the shipped and the user's models if None.

    Raises:
        InputError: If there is none, listing what there is.
    """
    path = Path(name)
    try:
        if (path / CARD_NAME).is_file():
            return path
    except (OSError, ValueError):  # longer than names can be, or with characters no name may have
        raise InputError(f"There is no model '{str(name)[:80]}'.") from None
    # A bare name only: a name with separators must be a path that exists.
    if path.name == str(name) and path.name not in ("", ".", ".."):
        for parent in folders or models_folders():
            if (parent / path.name / CARD_NAME).is_file():
                return parent / path.name
    if path.is_dir():
        raise InputError(f"The folder {name} is no model: it has no {CARD_NAME}.")
    known = sorted({folder.name for folder, _, _ in list_models(folders)})
    raise InputError(f"There is no model '{name}'; there are: {', '.join(known) or 'none'}.")


def remove_model(name: str | Path, folders: list[Path] | None = None) -> Path:
    """Delete a model of the user's. Shipped models stay.

    In a models folder the model's whole folder goes; elsewhere its files do, and the folder if nothing else is in it.
    Of a link, the link goes.

    Args:
        name: Path of a model folder, or the name of a model.
        folders: Where names are looked for; among the shipped and the user's models if None.

    Returns:
        The folder.

    Raises:
        InputError: For a shipped model, and for what has no card of this program's.
        OSError: Where it cannot be deleted.
    """
    folder = find_model(name, folders)
    if folder.resolve().parent == shipped_models_folder().resolve():
        raise InputError(f"The model {folder.name} came with the program and cannot be removed.")
    card = read_card(folder)
    if folder.is_symlink():
        folder.unlink()
    elif folder.resolve().parent in [parent.resolve() for parent in folders or models_folders()]:
        remove_folder(folder)
    else:
        # The card goes last: as long as it is there, the rest can be removed with it.
        for file in (card.stored.file, "README.md", "thumbnail.png", PICTURE_NAME, CARD_NAME):
            (folder / file).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    return folder

"""Looks in place of styles: of a volume, of a folder of scans, or saved; only JSON is read here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from .model_cards import Card, Side, escape

KEY = "look:"  # what the parameter "model" begins with where it is a look; alone where it is that of a volume
ENDING = ".look.json"  # of a saved look, as the engine has it


@dataclass(frozen=True)
class LookCard(Card):
    """A look, as the panel treats a style: it goes in one direction, and no network is run.

    Attributes:
        key: what the parameter "model" is.
        volume_id: the node whose look it is; "" for a path.
        entry: what its file holds, once it was measured; {} before.
    """

    key: str = KEY
    volume_id: str = ""
    entry: dict | None = None

    is_look = True

    @property
    def name(self) -> str:
        """What scenes keep in place of a folder's name."""
        return self.key

    @property
    def path(self) -> str:
        """A folder, a scan, or a saved look; "" for a volume's."""
        return path_of(self.key)

    @property
    def is_saved(self) -> bool:
        """Whether it is a file that can be used again."""
        return self.path.endswith(ENDING)

    def levels(self) -> str:
        """'CSF 130, grey matter 250, white matter 330'; "" before it was measured."""
        levels = (self.entry or {}).get("levels", {})
        return ", ".join(f"{tissue} {level:.4g}" for tissue, level in levels.items())


def is_key(model: str) -> bool:
    """Whether a parameter "model" is a look."""
    return model.startswith(KEY)


def path_of(key: str) -> str:
    """The path that a look's key names; "" for that of a volume."""
    return key.removeprefix(KEY)


def key_of(path: Path | str) -> str:
    """What the parameter "model" is for a path."""
    return f"{KEY}{path}"


def title_of(key: str, volume_name: str = "") -> str:
    """What a look is called in the list of styles.

    Args:
        key: of the look.
        volume_name: of the chosen volume, for that of a volume; "" where none is chosen.
    """
    path = path_of(key)
    if path:
        return _("Look of {name}").format(name=Path(path).name.removesuffix(ENDING))
    return _("Look of {name}").format(name=volume_name) if volume_name else _("Look of a volume or folder...")


def file_name(name: str) -> str:
    """A look's name as every file system takes it."""
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "-", name).strip(" .") or "look"


def with_ending(path: str) -> str:
    """The path of a file that is to hold a look, with the ending that it then has."""
    return path if path.endswith(ENDING) else f"{path.removesuffix('.json').removesuffix('.look')}{ENDING}"


def saved_in(folder: Path) -> list[str]:
    """The keys of the looks that are saved in a folder, by name."""
    if not folder.is_dir():
        return []
    return [key_of(path) for path in sorted(folder.iterdir()) if path.name.endswith(ENDING) and path.is_file()]


def card_of(key: str, volume: object | None = None, entry: dict | None = None) -> LookCard:
    """A look as a card; what is wrong with it is in ``problem``.

    Args:
        key: of the look.
        volume: the node whose look it is; None where none is chosen, and for a path.
        entry: what the look was measured as; None before that.
    """
    path = path_of(key)
    title = title_of(key, "" if volume is None else volume.GetName())
    problem = ""
    if not path:
        if volume is None:
            problem = _("Select the volume whose look is to be taken on, or a folder of scans.")
        elif volume.GetImageData() is None:
            problem = _("{name}, whose look is to be taken on, is empty.").format(name=volume.GetName())
    elif not Path(path).exists():
        problem = _("The look of {path} is not on this computer; select another one.").format(path=path)
    elif path.endswith(ENDING):
        entry = _read(Path(path))
        if entry is None:
            problem = _("{path} holds no look; select another one.").format(path=path)
    kind = (entry or {}).get("kind", "MR")
    name = (entry or {}).get("name") or title.removeprefix(_("Look of {name}").format(name=""))
    return LookCard(
        folder=Path(path) if path else Path(),
        title=title,
        shipped=False,
        problem=problem,
        source=Side(kind, "MR", "", 1),
        target=Side(_("{kind} in the look of {name}").format(kind=kind, name=name), "MR", "", 1),
        directions=("forward",),
        intended_use=_("Research. Not for diagnosis."),
        # In place of the digest of weights: what the look is of, as far as it can change while the panel is open.
        sha256="" if problem or path else f"{volume.GetID()} {volume.GetImageData().GetMTime()}",
        key=key,
        volume_id="" if path or volume is None else volume.GetID(),
        entry=entry or {},
    )


def _read(path: Path) -> dict | None:
    """What a saved look holds; None where it is none."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        float(sum(entry["levels"].values()))
        return entry if isinstance(entry["kind"], str) and isinstance(entry["name"], str) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def describe(card: LookCard) -> str:
    """The look as a few lines of rich text, in place of a style's card."""
    if card.problem:
        return escape(card.problem)
    kind = (card.entry or {}).get("kind") or _("T1w, T2w or FLAIR, as the look is")
    count = (card.entry or {}).get("volumes")
    known = card.levels()
    if known:
        text = _("{levels} (one scan)") if count == 1 else _("{levels} (median of {count} scans)")
        known = text.format(levels=known, count=count)
    rows = [
        (_("Expects"), _("{kind} of a head, with or without skull").format(kind=kind)),
        (_("Makes"), _("the same in this look, synthetic; nothing is trained, nothing appears or vanishes")),
        (_("Tissues"), known or _("measured with the first Apply")),
    ]
    lines = (f"<tr><td><b>{escape(label)}</b>&nbsp;&nbsp;</td><td>{escape(text)}</td></tr>" for label, text in rows)
    return f"<table>{''.join(lines)}</table>"

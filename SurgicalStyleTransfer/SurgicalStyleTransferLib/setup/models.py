"""The models on this machine: where they are, listing, importing and removing them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _

from surgical_style_engine.common.atomic_write import remove_folder

from . import model_cards
from .model_cards import Card

FOLDER_SETTING = "SurgicalStyleTransfer/ModelsFolder"


class Models:
    """The shipped models and the user's."""

    @property
    def folder(self) -> Path:
        """The user's folder of models, as set in the panel."""
        return Path(str(qt.QSettings().value(FOLDER_SETTING) or model_cards.default_user_folder()))

    @folder.setter
    def folder(self, folder: Path | str) -> None:
        qt.QSettings().setValue(FOLDER_SETTING, str(folder))

    def cards(self) -> list[Card]:
        """The shipped models, then the user's, by name."""
        return model_cards.list_cards(self.folder)

    def import_through(
        self,
        client: object,
        source: str,
        on_done: Callable[[str], None],
        on_error: Callable[[str, str], None],
        **arguments: object,
    ) -> None:
        """Have the worker bring a packed model, weights or a style picture into the user's folder.

        Args:
            client: of the worker.
            source: file or folder.
            on_done: called with the name of the new model.
            on_error: called with a code and one sentence.
            **arguments: what the file does not say of itself, see the import dialog.
        """
        client.request(
            "import",
            lambda answer: on_done(answer["name"]),
            on_error,
            source=source,
            folder=str(self.folder),
            **arguments,
        )

    def remove(self, card: Card) -> None:
        """Delete a model of the user's; of a link, the link.

        Raises:
            ValueError: it was shipped, or its card cannot be read, so that the folder may be anything.
            OSError: the disk refuses.
        """
        if card.shipped:
            raise ValueError(_("The style {name} came with the extension and stays.").format(name=card.title))
        if card.is_damaged:
            raise ValueError(
                _("the card of {folder} cannot be read; delete the folder by hand").format(folder=card.folder)
            )
        if card.folder.is_symlink():
            card.folder.unlink()
        else:
            remove_folder(card.folder)

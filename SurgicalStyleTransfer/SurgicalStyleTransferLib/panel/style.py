"""The section Style: which one, its card, importing and removing."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.setup import looks, model_cards

from . import import_dialog
from .context import Context, Section
from .dialogs.packages import provide
from .tools import fill

THUMBNAIL_HEIGHT = 96


class StyleSection(Section):
    """Keeps the context's list of styles."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        ui = self.ui
        context.bind(ui.styleComboBox, "model")
        context.bind(ui.directionComboBox, "direction")
        ui.cardButton.connect("toggled(bool)", lambda checked: self.context.update())
        ui.importButton.connect("clicked(bool)", self.on_import)
        ui.removeButton.connect("clicked(bool)", self.on_remove)
        ui.openFolderButton.connect("clicked(bool)", self.on_open_folder)

    def parameters_set(self) -> None:
        """Read the folders of models."""
        self.read_cards()

    def read_cards(self) -> None:
        """Read the folders of models anew; a scene without a style gets one."""
        context = self.context
        context.cards = self.engine.cards()
        if self.parameters is not None and not self.parameters.model:
            names = [card.name for card in context.cards if not card.problem]
            if names:
                self.parameters.model = model_cards.FIRST if model_cards.FIRST in names else names[0]

    def update(self) -> None:
        """Show the styles, and the selected one's card."""
        ui, parameters, card = self.ui, self.parameters, self.context.card()
        entries = self._entries()
        fill(ui.styleComboBox, entries)
        is_look = card is not None and card.is_look
        ui.openFolderButton.enabled = True
        ui.removeButton.enabled = card is not None and not card.shipped and bool(not is_look or card.path)
        if is_look:
            ui.removeButton.toolTip = (
                _("Delete this saved look.")
                if self._is_own(card)
                else _("Take this look out of the list; files and folders stay where they are.")
            )
        elif card is not None and card.shipped:
            ui.removeButton.toolTip = _("This style came with the extension and stays.")
        else:
            ui.removeButton.toolTip = _("Delete this style from its folder.")
        ui.directionLabel.visible = ui.directionComboBox.visible = not is_look
        ui.directionLabel.text = _("To:") if card is not None and card.many else _("Direction:")
        directions = card.directions if card is not None else ()
        if directions and not card.goes(parameters.direction):
            parameters.direction = directions[0]
        if card is None or not card.many:  # of many, the inputs decide where it can go
            fill(
                ui.directionComboBox,
                [
                    (
                        _("{source} to {target}").format(
                            source=card.starts_in(way).name, target=card.ends_in(way).name
                        ),
                        way,
                    )
                    for way in directions
                ],
            )
            ui.directionComboBox.enabled = len(directions) > 1
        if is_look:
            ui.cardLabel.text = looks.describe(card)
        elif card is not None:
            ui.cardLabel.text = model_cards.describe(card, parameters.direction, brief=not ui.cardButton.checked)
        elif self.context.cards:
            ui.cardLabel.text = _("This style is not on this machine. Import it, or select another one.")
        else:
            ui.cardLabel.text = _("Import a style, or put its folder into the styles folder (see Advanced).")
        ui.cardButton.visible = card is not None and not card.problem and not is_look
        self._show_thumbnail(card)

    def _entries(self) -> list[tuple[str, str]]:
        """(title, name) of every style, and of one that the scene names and that is not here."""
        entries = [
            (card.title if not card.problem else _("{name} (unusable)").format(name=card.name), card.name)
            for card in self.context.cards
            if self.context.is_style_listed(card) or card.name == self.parameters.model
        ]
        if not entries:
            entries = [(_("No style yet"), "")]
        entries += self._looks()
        chosen = self.parameters.model
        if chosen and chosen not in [name for title, name in entries]:
            entries.append((_("{name} (not on this machine)").format(name=chosen), chosen))
        return entries

    def _looks(self) -> list[tuple[str, str]]:
        """(title, key) of the looks: of a volume, those saved in the folder of styles, those used in this session."""
        parameters, words = self.parameters, str(self.ui.styleSearchLineEdit.text).lower().split()
        chosen, volume = parameters.model, parameters.lookVolume
        name = volume.GetName() if chosen == looks.KEY and volume is not None else ""
        keys = [looks.KEY, *looks.saved_in(self.engine.models.folder), *self.engine.looks.used]
        keys += [chosen] if looks.is_key(chosen) else []
        named = [(looks.title_of(key, "" if looks.path_of(key) else name), key) for key in dict.fromkeys(keys)]
        return [(title, key) for title, key in named if key == chosen or all(word in title.lower() for word in words)]

    def _show_thumbnail(self, card: model_cards.Card | None) -> None:
        picture = qt.QPixmap(str(card.thumbnail)) if card is not None and card.thumbnail else None
        is_there = picture is not None and not picture.isNull()
        self.ui.thumbnailLabel.visible = self.ui.thumbnailLegendLabel.visible = is_there
        if is_there:
            self.ui.thumbnailLabel.setPixmap(picture.scaledToHeight(THUMBNAIL_HEIGHT, qt.Qt.SmoothTransformation))

    def update_buttons(self) -> None:
        """No import while packages are installed."""
        self.ui.importButton.enabled = not self.context.installing

    def on_import(self, _checked: bool = False) -> None:
        """Ask for a file, and for what it does not say of itself."""
        source = import_dialog.choose_file()
        if not source:
            return
        arguments = {} if import_dialog.is_packed(source) else import_dialog.dialog_for(source).ask()
        if arguments is not None:
            self.import_style(source, arguments)

    def import_style(self, source: str, arguments: dict[str, object]) -> None:
        """Import through the worker; the new style is selected then."""
        packed = import_dialog.is_packed(source)  # nothing of it is run to read it
        if not self.context.has_packages(lambda: provide(openvino=packed)):
            return
        status = self.context.status

        def done(name: str) -> None:
            status.show(_("The style {name} was imported.").format(name=name))
            if self.parameters is not None:
                self.parameters.model = name
                self.context.refresh_styles()

        def failed(_code: str, message: str) -> None:
            status.show(message, error=True)

        status.show(_("Importing..."))
        self.engine.models.import_through(self.engine.client, source, done, failed, **arguments)

    def on_remove(self, _checked: bool = False) -> None:
        """Delete the selected style after asking."""
        card, status = self.context.card(), self.context.status
        if card.is_look:
            self._remove_look(card)
            return
        question = _("Delete the style {title} from {folder}?").format(title=card.title, folder=card.folder)
        if not slicer.util.confirmOkCancelDisplay(question):
            return
        try:
            self.engine.models.remove(card)
        except (OSError, ValueError) as error:
            status.show(_("The style cannot be deleted: {reason}.").format(reason=error), error=True)
        else:
            self.parameters.model = ""
            status.show(_("The style {title} was deleted.").format(title=card.title))
        self.context.refresh_styles()

    def _is_own(self, card: looks.LookCard) -> bool:
        """Whether a look is saved in the folder of styles."""
        path = Path(card.path)
        return card.is_saved and path.parent == self.engine.models.folder and path.exists()

    def _remove_look(self, card: looks.LookCard) -> None:
        """Take a look out of the list; one that is saved in the folder of styles is deleted after asking."""
        path = Path(card.path)
        if self._is_own(card):
            question = _("Delete the saved look {path}?").format(path=path)
            if not slicer.util.confirmOkCancelDisplay(question):
                return
            try:
                path.unlink()
            except OSError as error:
                reason = error.strerror or error
                self.context.status.show(_("The look cannot be deleted: {reason}.").format(reason=reason), error=True)
                return
        self.engine.looks.drop(card.key)
        self.parameters.model = looks.KEY
        self.context.refresh_styles()

    def on_open_folder(self, _checked: bool = False) -> None:
        """Show the style's folder, or that of all styles, in the system's file manager."""
        card = self.context.card()
        folder = card.folder if card is not None else self.engine.models.folder
        if card is not None and card.is_look:
            places = [folder, folder.parent] if card.path else []
            folder = next((place for place in places if place.is_dir()), self.engine.models.folder)
        folder.mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))

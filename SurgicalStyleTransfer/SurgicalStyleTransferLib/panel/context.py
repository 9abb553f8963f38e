"""What the sections of the panel know of each other: parameters, engine, styles, the status line, and signals."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.engine import Engine
from SurgicalStyleTransferLib.setup import dependencies, looks
from SurgicalStyleTransferLib.setup.model_cards import Card

from .apply_rules import why_not
from .features import FeatureQuestion
from .tools import ERROR_STYLE, select


class Signal:
    """Calls whoever is connected, in the order in which they came."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., None]] = []

    def connect(self, slot: Callable[..., None]) -> None:
        """Call this, too."""
        self._slots.append(slot)

    def emit(self, *arguments: object) -> None:
        """Call everyone."""
        for slot in self._slots:
            slot(*arguments)


class Status:
    """The line that says what goes on, and the progress bar under it. ``on_shown`` is called with what it says."""

    def __init__(self, label: object, bar: object) -> None:
        self._label, self._bar = label, bar
        self.on_shown: Callable[[str], None] = lambda text: None
        self.show("")
        self.hide_progress()

    @property
    def text(self) -> str:
        """What the line says."""
        return self._label.text

    def show(self, text: str, error: bool = False) -> None:
        """Say something; "" hides the line."""
        self._label.text = text
        self._label.visible = bool(text)
        self._label.setStyleSheet(ERROR_STYLE if error else "")
        self.on_shown(text)

    def show_failure(self, code: str, message: str) -> None:
        """Say how a job ended that has no outcome; it is no error where somebody wanted it to end."""
        if code == "cancelled":
            self.show(_("Cancelled. The scene is as it was."))
        elif message:
            self.show(message, error=code not in ("stopped", "abandoned"))

    def show_progress(self, done: int = 0, total: int = 0) -> None:
        """Steps done of all; a total of 0 where nobody knows how long it takes."""
        self._bar.maximum = total
        self._bar.value = done
        self._bar.visible = True

    def hide_progress(self) -> None:
        """No bar."""
        self._bar.visible = False


class Context:
    """The sections' common ground. A section changes its own widgets only, and learns of the others through this.

    Attributes:
        ui: the widgets of the .ui file by name.
        engine: what does the work.
        parameters: the parameter node; None while there is no scene to speak of.
        status: the status line and the progress bar.
        cards: the styles and fusion models on this machine.
        problem: what the worker found wrong with the input volume; "" for nothing.
        route_problem: why the inputs of a style for many domains do not go together; "" for nothing.
        in_front: whether the module is shown.
        installing: whether packages or features are being fetched; nothing else may be started then.
        features: the question for the network that describes style pictures.
        is_style_listed: whether a style is among those to choose from.
        other_inputs: IDs of the volumes that a style for many domains takes beside the input volume.
        is_updating: whether widgets are being set, so that what they signal is nobody's choice.
        preview_active: whether a slice view shows the preview.
        run_starting: a job that makes a new volume is about to start.
        packages_missing: a style cannot be applied because packages did not come; with its ``Card``.
        translated: a style was applied; with its ``Result``.
        fused: volumes were fused; with the ``FusionResult``.
        adjusted: a result was blended anew, or could not be.
        worker_changed: the worker has started or ended.
    """

    def __init__(self, ui: object, engine: Engine) -> None:
        self.ui, self.engine = ui, engine
        self.parameters: object | None = None
        self.status = Status(ui.statusLabel, ui.progressBar)
        self.cards: list[Card] = []
        self.problem = self.route_problem = ""
        self.in_front = True
        self.installing = False
        self.is_updating = False
        self.preview_active = False
        self.features = FeatureQuestion(self)
        self.is_style_listed: Callable[[Card], bool] = lambda card: True
        self.other_inputs: Callable[[], tuple[str, ...]] = lambda: ()
        self.run_starting, self.translated, self.fused = Signal(), Signal(), Signal()
        self.packages_missing, self.adjusted, self.worker_changed = Signal(), Signal(), Signal()
        self._update_wanted, self._buttons_wanted, self._styles_wanted = Signal(), Signal(), Signal()
        self._combos: list[tuple[object, str]] = []

    def on_wanted(self, update: Callable[[], None], buttons: Callable[[], None], styles: Callable[[], None]) -> None:
        """Say what does the work of ``update``, ``update_buttons`` and ``refresh_styles``."""
        self._update_wanted.connect(update)
        self._buttons_wanted.connect(buttons)
        self._styles_wanted.connect(styles)

    def update(self) -> None:
        """Bring every section up to date with parameters, scene and engine."""
        self._update_wanted.emit()

    def update_buttons(self) -> None:
        """Only what may be pressed now has changed."""
        self._buttons_wanted.emit()

    def refresh_styles(self) -> None:
        """The folders of models have changed."""
        self._styles_wanted.emit()

    def card(self) -> Card | None:
        """The style that is selected, if it is on this machine; or the look."""
        key = self.parameters.model
        if looks.is_key(key):
            volume = None if looks.path_of(key) else self.parameters.lookVolume
            entry = self.engine.looks.entry(key, "" if volume is None else volume.GetID())
            return looks.card_of(key, volume, entry)
        return next((card for card in self.cards if card.name == self.parameters.model), None)

    def why_not_apply(self, problem: str | None = None) -> str:
        """The reason why the style cannot be applied, or "".

        Args:
            problem: in place of what the worker found wrong with the input.
        """
        problem = self.problem if problem is None else problem
        return why_not(self.parameters, self.card(), bool(self.cards), self.route_problem or problem)

    def bind(self, combo: object, name: str) -> None:
        """Bind a combo box to a parameter, which Slicer's parameter nodes only do for fixed choices."""

        def chosen(_index: int) -> None:
            if not self.is_updating and self.parameters is not None:
                self.parameters.setValue(name, combo.currentData or "")

        combo.connect("currentIndexChanged(int)", chosen)
        self._combos.append((combo, name))

    def show_choices(self) -> None:
        """Every bound combo box shows its parameter."""
        for combo, name in self._combos:
            select(combo, self.parameters.getValue(name))

    def has_packages(self, ensure: Callable[[], bool]) -> bool:
        """Run one of ``dependencies``'s installations.

        Slicer stays alive while pip works, so that nothing else may be started meanwhile. What went wrong is in the
        status line.

        Args:
            ensure: installs what is missing after asking; says whether it did.

        Returns:
            Whether everything is there now.
        """
        if self.installing:
            return False
        before = self.status.text
        self.installing = True
        self.status.show(_("Installing packages; this can take some minutes..."))
        self.update_buttons()
        problem = ""
        try:
            if ensure():
                self.engine.client.stop()
        except dependencies.InstallationError as error:
            problem = str(error)
        finally:
            self.installing = False
            self.status.show(problem or before, error=bool(problem))
            self.update_buttons()
        return not problem


class Section:
    """A part of the panel. Every hook may be left out."""

    def __init__(self, context: Context) -> None:
        self.context, self.ui, self.engine = context, context.ui, context.engine

    @property
    def parameters(self) -> object | None:
        """The parameter node; None while there is no scene to speak of."""
        return self.context.parameters

    def parameters_set(self) -> None:
        """Other parameters are there, as of a loaded scene."""

    def update(self) -> None:
        """Set the section's widgets to what follows from parameters, scene and engine."""

    def update_buttons(self) -> None:
        """Set what may be pressed now."""

    def follow(self) -> None:
        """Do what the parameters ask for beside the widgets; after every section's ``update``."""

    def enter(self) -> None:
        """The module is in front again."""

    def exit(self) -> None:
        """Another module is in front."""

    def node_added(self, node: object) -> None:
        """A volume came into the scene; its voxels may still be missing."""

    def node_removed(self, node: object) -> None:
        """A node leaves the scene."""

    def scene_closing(self) -> None:
        """The scene goes; what belongs to it is forgotten without a trace."""

    def close(self) -> None:
        """The panel goes; nothing keeps running."""


def existing(node_id: str) -> object | None:
    """The node with an ID, if it is in the scene."""
    return slicer.mrmlScene.GetNodeByID(node_id) if node_id else None

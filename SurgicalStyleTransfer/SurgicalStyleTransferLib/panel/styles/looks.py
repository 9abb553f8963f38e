"""The rows under the style where it is a look: whose, and saving it."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.jobs.style_job import Result
from SurgicalStyleTransferLib.setup import dependencies, looks
from SurgicalStyleTransferLib.setup.looks import ENDING, LookCard

from ..context import Context, Section, Status, existing
from ..dialogs.packages import provide

FILTER = f"*{ENDING}"


class LookSection(Section):
    """Chooses a volume, a folder or a saved look, and saves what was measured."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._of = self._tissues = ""  # the result whose tissues are told, and what is told of them
        self._saves = False  # the saving under way was started here
        ui = self.ui
        ui.lookFolderButton.connect("clicked(bool)", self.on_folder)
        ui.lookFileButton.connect("clicked(bool)", self.on_file)
        ui.lookSaveButton.connect("clicked(bool)", self.on_save)
        context.translated.connect(self._on_translated)

    def update(self) -> None:
        """Show what belongs to the look that is chosen; nothing for a style."""
        ui, card = self.ui, self._card()
        ui.lookFrame.visible = card is not None
        if card is None:
            return
        ui.lookLabel.visible = ui.lookSelector.visible = not card.path
        node = self.parameters.resultVolume
        told = self._tissues if node is not None and node.GetID() == self._of else ""
        lines = [card.path, told]
        ui.lookNoteLabel.text = "\n".join(line for line in lines if line)
        ui.lookNoteLabel.visible = any(lines)
        self.update_buttons()

    def update_buttons(self) -> None:
        """Save or Cancel, and why not."""
        button, engine = self.ui.lookSaveButton, self.engine
        card = self._card() if self.parameters is not None else None
        is_free = engine.style_job is None and engine.fusion_job is None and not self.context.installing
        button.text = _("Save look...") if engine.look_job is None else _("Cancel")
        if engine.look_job is not None:
            button.enabled, button.toolTip = True, _("Stop. Nothing is saved.")
            return
        reason = ""
        if card is not None and (card.is_saved or card.problem):
            reason = card.problem or _("This look is saved already.")
        button.enabled = card is not None and is_free and not reason
        button.toolTip = reason or _(
            "Keep this look in a file, to use it again without its scans. It holds the levels of three tissues and the "
            "name of the look."
        )
        for other in (self.ui.lookFolderButton, self.ui.lookFileButton):
            other.enabled = engine.look_job is None

    def node_removed(self, node: object) -> None:
        """What is told of a result goes with it."""
        if node.GetID() == self._of:
            self._of = self._tissues = ""

    def scene_closing(self) -> None:
        """Save no more, and forget what was told."""
        self._of = self._tissues = ""
        self.close()

    def close(self) -> None:
        """Save no more what was begun here."""
        if self.engine.look_job is not None and self._saves:
            self.engine.look_job.abandon("")

    def _card(self) -> LookCard | None:
        """The look that is chosen; None where it is a style."""
        if self.parameters is None or not looks.is_key(self.parameters.model):
            return None
        return self.context.card()

    def choose(self, path: str) -> None:
        """Take the look of a path as style, which stays in the list for the session."""
        key = looks.key_of(path)
        self.engine.looks.use(key)
        self.parameters.model = key
        self.context.update()

    def on_folder(self, _checked: bool = False) -> None:
        """Ask for a folder of scans."""
        title = _("Folder of scans whose look is taken on")
        folder = str(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title) or "")
        if folder:
            self.choose(folder)

    def on_file(self, _checked: bool = False) -> None:
        """Ask for a saved look."""
        kinds = _("Looks ({pattern})").format(pattern=FILTER)
        place = str(self.engine.models.folder)
        title = _("Saved look")
        path = str(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, place, kinds) or "")
        if path:
            self.choose(path)

    def on_save(self, _checked: bool = False) -> None:
        """Ask for a file, and save the look; or cancel that."""
        if self.engine.look_job is not None:
            self.context.status.show(_("Cancelling..."))
            self.engine.look_job.cancel()
            return
        card = self._card()
        name = (card.entry or {}).get("name") or card.title.removeprefix(_("Look of {name}").format(name=""))
        folder = self.engine.models.folder
        folder.mkdir(parents=True, exist_ok=True)
        kinds = _("Looks ({pattern})").format(pattern=FILTER)
        proposal = str(folder / f"{looks.file_name(name)}{ENDING}")
        path = str(qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), _("Save look"), proposal, kinds) or "")
        if path:
            self.save(card, Path(looks.with_ending(path)))

    def save(self, card: LookCard, path: Path) -> None:
        """Save a look, and select what was saved.

        Args:
            card: the look.
            path: the file; one that is there is replaced.
        """
        context, status = self.context, self.context.status
        if not context.has_packages(lambda: provide(**dependencies.needs_of(card))):
            return

        def ended() -> None:
            self._saves = False
            status.hide_progress()

        def done(outcome: tuple[dict, list[str]]) -> None:
            ended()
            said = _("The look was saved as {path}.").format(path=path)
            status.show(" ".join([said, *outcome[1]]))
            if self.parameters is not None:
                self.choose(str(path))

        def failed(code: str, message: str) -> None:
            ended()
            status.show(
                _("Cancelled. Nothing was saved.") if code == "cancelled" else message, error=code != "cancelled"
            )
            context.update_buttons()

        self._saves = True
        show_look_progress(status, Progress("look", 0, 0))
        self.engine.save_look(card, path, Listener(done, failed, lambda told: show_look_progress(status, told)))
        context.update_buttons()

    def _on_translated(self, result: Result) -> None:
        if not result.tissues or existing(result.output_id) is None:
            return
        levels = [
            _("{tissue} {before:.4g} to {after:.4g}").format(
                tissue=tissue, before=values["before"], after=values["after"]
            )
            for tissue, values in result.tissues.items()
        ]
        self._of = result.output_id
        self._tissues = _("Tissues of the latest result: {levels}.").format(levels=", ".join(levels))


def show_look_progress(status: Status, progress: Progress) -> None:
    """Say how far the measuring of a look is, or that a volume is being brought into it."""
    if progress.stage != "look":
        status.show_progress()
        text = _("Bringing the volume into the look...")
        if progress.frames > 1:
            text = _("Bringing frame {frame} of {frames} into the look...").format(
                frame=progress.frame, frames=progress.frames
            )
        status.show(text)
        return
    status.show_progress(progress.done, progress.total if progress.done else 0)
    text = _("Measuring the look...")
    if progress.total > 2 and progress.done:  # of several scans, each in two steps
        text = _("Measuring the look, {percent:.0f} %...").format(percent=100 * progress.done / progress.total)
    status.show(text)

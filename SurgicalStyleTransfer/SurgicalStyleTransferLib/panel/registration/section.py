"""The section Register to...: what is laid over what, Register or Cancel, Undo, and both as a checkerboard."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.jobs.register_job import RegisterPlan, RegisterResult, why_not
from SurgicalStyleTransferLib.mrml import registered
from SurgicalStyleTransferLib.setup.dependencies import needs_of
from SurgicalStyleTransferLib.setup.model_cards import Card

from ..context import Context, Section, Status, existing
from ..dialogs.packages import provide
from ..tools import duration, fill


class RegistrationSection(Section):
    """Turns two volumes and a style into a plan, and undoes what came of it.

    Attributes:
        status: the section's own line and progress bar.
        done: registrations of this scene that can be undone, the latest last.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.done: list[RegisterResult] = []
        self._is_mine = False  # what is under way was started here, and not in another widget of the module
        ui = self.ui
        self.status = Status(ui.registerStatusLabel, ui.registerProgressBar)
        kinds = (
            (_("Rigid"), "rigid", _("Moved and turned; for two scans of one session, and most of one patient.")),
            (_("Affine"), "affine", _("Also stretched by a few per cent, for scanners whose millimetres differ.")),
            (_("Deformable"), "deformable", _("Also bent smoothly, by some millimetres, where tissue has shifted.")),
        )
        fill(ui.registerKindComboBox, [(text, kind) for text, kind, _tip in kinds])
        for index, (_text, _kind, tip) in enumerate(kinds):
            ui.registerKindComboBox.setItemData(index, tip, qt.Qt.ToolTipRole)
        ui.registerSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: self.update_buttons())
        ui.registerButton.connect("clicked(bool)", self.on_register)
        ui.registerUndoButton.connect("clicked(bool)", self.on_undo)

    # Hooks

    def update_buttons(self) -> None:
        """Register or Cancel, and why not."""
        ui, job = self.ui, self.engine.register_job
        ui.registerButton.text = _("Register") if job is None else _("Cancel")
        ui.registerUndoButton.enabled = bool(self.done) and job is None
        if job is not None:
            ui.registerButton.enabled = True
            ui.registerButton.toolTip = _("Stop. The scene stays as it was.")
            return
        reason = _("Packages are being installed.") if self.context.installing else ""
        if not reason and self.parameters is not None:
            reason = why_not(self.parameters.inputVolume, ui.registerSelector.currentNode())
        ui.registerButton.enabled = not reason and self.parameters is not None
        tip = _("Lay the input volume over the other one by a transform, and show both as a checkerboard.")
        ui.registerButton.toolTip = reason or tip

    def node_removed(self, node: object) -> None:
        """End a registration that needs the node, and forget what cannot be undone any more."""
        job, node_id = self.engine.register_job, node.GetID()
        if job is not None and node_id in job.plan.node_ids:
            job.abandon(
                _("{name} was deleted during the registration; nothing was changed.").format(name=node.GetName())
            )
        self.done = [result for result in self.done if result.registered.moving_id != node_id]

    def scene_closing(self) -> None:
        """End a registration; there is nothing to undo."""
        if self.engine.register_job is not None:
            self.engine.register_job.abandon(_("The scene was closed; nothing was changed."))
        self.done = []

    def close(self) -> None:
        """End a registration that was started here."""
        if self.engine.register_job is not None and self._is_mine:
            self.engine.register_job.abandon("")

    # The run

    def on_register(self, _checked: bool = False) -> None:
        """Register what is chosen, or cancel that."""
        context, status, ui = self.context, self.status, self.ui
        if self.engine.register_job is not None:
            ui.registerButton.enabled = False
            status.show(_("Cancelling..."))
            self.engine.register_job.cancel()
            return
        if self.parameters is None:
            return
        moving, fixed = self.parameters.inputVolume, ui.registerSelector.currentNode()
        card = self.context.card() if ui.registerThroughCheckBox.checked else None
        kind = ui.registerKindComboBox.currentData or "rigid"
        reason = why_not(moving, fixed) or self._why_not_through(card, kind)
        if reason:
            status.show(reason, error=True)
            return
        status.show("")
        needs = {"torch": False} if card is None else needs_of(card)
        context.run_starting.emit()
        if not context.has_packages(lambda: provide(**needs)):
            return
        if self.parameters is None or not all(slicer.mrmlScene.IsNodePresent(node) for node in (moving, fixed)):
            return  # the scene was changed while packages were installed
        status.show_progress()
        status.show(_("Starting..."))
        self._is_mine = True
        plan = RegisterPlan(moving.GetID(), fixed.GetID(), kind, card)
        self.engine.register(plan, Listener(self._on_done, self._on_failed, self._on_progress))
        context.update()

    def on_undo(self, _checked: bool = False) -> None:
        """Put the latest registration's volume back to where it was."""
        if not self.done or self.engine.register_job is not None:
            return
        result = self.done.pop()
        moving = existing(result.registered.moving_id)
        registered.undo(result.registered)
        self.status.show(_("{name} is where it was before.").format(name="" if moving is None else moving.GetName()))
        self.context.update()

    def _why_not_through(self, card: Card | None, kind: str) -> str:
        if not self.ui.registerThroughCheckBox.checked:
            if kind != "deformable":
                return ""
            return _("A deformable registration goes through a translation: tick that, with a style.")
        if card is None:
            return _("Select a style that translates one of the two contrasts into the other.")
        return card.problem

    def _on_progress(self, progress: Progress) -> None:
        self.status.show_progress()
        stages = {"translate": _("Translating..."), "register": _("Registering...")}
        self.status.show(stages.get(progress.stage, _("Starting...")))

    def _on_done(self, result: RegisterResult) -> None:
        context, self._is_mine = self.context, False
        self.status.hide_progress()
        if self.parameters is None:
            context.update_buttons()
            return
        self.done.append(result)
        # The section Compare shows the latest pair: here at once as a checkerboard.
        self.parameters.compare = "checkerboard"
        context.fused.emit(result)
        moved = _("{name}: moved by {mm:.1f} mm and {degrees:.1f} degrees in {time}.").format(
            name=existing(result.plan.moving_id).GetName(),
            mm=result.figures["translation_mm"],
            degrees=result.figures["rotation_deg"],
            time=duration(result.seconds),
        )
        self.status.show(" ".join([moved, result.sentence]))
        context.update()

    def _on_failed(self, code: str, message: str) -> None:
        self._is_mine = False
        self.status.hide_progress()
        self.status.show_failure(code, message)
        self.context.update()

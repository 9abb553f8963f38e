"""The section Adjust and the strength: the latest result follows them, without running the network again."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.adjustments import of_parameters
from SurgicalStyleTransferLib.jobs.job import Listener
from SurgicalStyleTransferLib.jobs.style_job import Result

from .context import Context, Section
from .tools import fill, single_shot_timer

DELAY_MS = 150  # after the last move of the slider


class AdjustSection(Section):
    """Blends the latest result anew while the user moves the strength or changes an adjustment."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._refused: tuple | None = None
        self._timer = single_shot_timer(self._adjust)
        fill(self.ui.matchByComboBox, [(_("Histogram"), "histogram"), (_("Mean and spread"), "moments")])
        context.bind(self.ui.matchByComboBox, "matchBy")

    def update(self) -> None:
        """Show what can be set, and the strength that was chosen automatically."""
        ui, parameters, card = self.ui, self.parameters, self.context.card()
        is_look = card is not None and card.is_look
        ui.matchByComboBox.enabled = parameters.matchVolume is not None
        ui.consistencySpinBox.enabled = parameters.automaticStrength
        ui.strengthSlider.enabled = not parameters.automaticStrength
        node = parameters.resultVolume
        result = self.engine.results.get(node.GetID()) if node is not None else None
        is_chosen = result is not None and result.consistency is not None
        # The slider keeps the strength for when none is chosen automatically; till then it would show another one.
        ui.strengthSlider.visible = not parameters.automaticStrength and not is_look
        ui.strengthNoteLabel.visible = parameters.automaticStrength or is_look
        if is_look:
            ui.strengthNoteLabel.text = _("a look is taken on wholly; nothing of Adjust is done to it")
            ui.adjustNoteLabel.visible = False
            return
        ui.strengthNoteLabel.text = (
            _("{strength:.2f}, chosen automatically (see Adjust)").format(strength=result.used_strength)
            if is_chosen and result.used_strength is not None
            else _("chosen automatically with Apply (see Adjust)")
        )
        ui.adjustNoteLabel.visible = is_chosen
        ui.adjustNoteLabel.text = ""
        if is_chosen:
            ui.adjustNoteLabel.text = _(
                "Strength {strength:.2f} was chosen; it keeps a consistency of {consistency:.3f}."
            ).format(strength=result.used_strength, consistency=result.consistency)

    def follow(self) -> None:
        """Blend the latest result anew, a little later, if it is not what the panel says."""
        result = self.adjustable()
        if result is not None and self.differs(result):
            self._timer.start(DELAY_MS)

    def scene_closing(self) -> None:
        """Blend nothing any more."""
        self._timer.stop()

    def close(self) -> None:
        """Blend nothing any more."""
        self._timer.stop()

    def adjustable(self) -> Result | None:
        """The result that the strength slider changes: the latest, as long as nothing else was chosen since."""
        parameters, node = self.parameters, self.parameters.resultVolume if self.parameters else None
        result = self.engine.results.get(node.GetID()) if node is not None else None
        if result is None or self.engine.style_job is not None or parameters.inputVolume is None or not result.keys:
            return None
        plan = result.plan
        is_same = plan.input_id == parameters.inputVolume.GetID() and plan.card.name == parameters.model
        return result if is_same and plan.direction == parameters.direction else None

    def differs(self, result: Result) -> bool:
        """Whether a result was adjusted otherwise, or its strength chosen otherwise, than the panel says now."""
        chosen = of_parameters(self.parameters)
        if (result.output_id, chosen.after_network()) == self._refused:
            return False
        if chosen.least_consistency is None and abs(result.strength - self.parameters.strength) > 1e-6:
            return True
        return chosen.after_network() != result.adjustments.after_network()

    def _adjust(self) -> None:
        result = self.adjustable()
        # Whatever changes while one is under way is followed when that is done.
        if result is None or self.engine.adjust_job is not None or not self.differs(result):
            return
        chosen = of_parameters(self.parameters)

        def done(_result: Result) -> None:
            self.context.adjusted.emit()
            self.context.update()

        def failed(code: str, message: str) -> None:
            if code == "bad_input":
                # The worker cannot do what is chosen; it is not asked again until something else is.
                self._refused = result.output_id, chosen.after_network()
            if message:
                self.context.status.show(message, error=code not in ("stopped", "cancelled", "abandoned"))
            self.context.adjusted.emit()

        self.engine.adjust(result.output_id, self.parameters.strength, Listener(done, failed), chosen)

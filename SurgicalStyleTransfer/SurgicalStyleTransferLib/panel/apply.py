"""The section Output: Apply, its progress, and the result's way into the scene."""

from __future__ import annotations

import functools

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.jobs.style_job import Result, plan_of
from SurgicalStyleTransferLib.mrml import overwriting, sequences
from SurgicalStyleTransferLib.setup import dependencies
from SurgicalStyleTransferLib.setup.model_cards import Card

from .context import Context, Section, existing
from .dialogs.packages import provide
from .dialogs.question import choose
from .styles.looks import show_look_progress
from .tools import duration


class ApplySection(Section):
    """Turns the parameters into a plan and the engine's result into the scene's latest result."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._links = sequences.BrowserLinks()
        self._is_mine = False  # the run under way was started here, and not in another widget of the module
        self._shows_others = False
        self.ui.applyButton.connect("clicked(bool)", self.on_apply)
        context.status.on_shown = self._show_reason
        self.ui.styleCollapsibleButton.connect("contentsCollapsed(bool)", lambda collapsed: self.update_buttons())

    def parameters_set(self) -> None:
        """Link the browsers of sequences that a loaded scene brought."""
        self._links.refresh()

    def update_buttons(self) -> None:
        """Apply or Cancel, and why not: under the button, as a grey one shows its tooltip to few."""
        button, engine, reason = self.ui.applyButton, self.engine, ""
        button.text = _("Cancel") if engine.style_job is not None else _("Apply")
        if self.context.installing:
            button.enabled, button.toolTip = False, _("Packages are being installed.")
        elif engine.style_job is not None:
            button.enabled, button.toolTip = True, _("Stop. The scene stays as it was.")
        elif engine.fusion_job is not None:
            button.enabled, button.toolTip = False, _("Volumes are being fused.")
            reason = button.toolTip
        elif engine.look_job is not None:
            button.enabled, button.toolTip = False, _("A look is being saved.")
            reason = button.toolTip
        elif self.parameters is not None:
            reason = self.context.why_not_apply()
            button.enabled = not reason
            button.toolTip = reason or _("Apply the style to the input volume.")
        self.ui.reasonLabel.text = reason
        self._show_reason(self.context.status.text)
        if self._shows_others and engine.style_job is None:
            self._shows_others = False
            self.context.status.hide_progress()
            self.context.status.show("")

    def _show_reason(self, said: str) -> None:
        """Under the button, unless the status line or the note on the style says the same."""
        reason = str(self.ui.reasonLabel.text)
        notes = [] if self.ui.styleCollapsibleButton.collapsed else str(self.ui.warningLabel.text).split("\n")
        self.ui.reasonLabel.visible = bool(reason) and reason not in (said, *notes)

    def node_removed(self, node: object) -> None:
        """End a run whose input or output goes."""
        job, node_id = self.engine.style_job, node.GetID()
        if job is not None and node_id in (job.plan.input_id, job.plan.output_id):
            what = _("input") if node_id == job.plan.input_id else _("output")
            job.abandon(_("The {what} volume was deleted during the run; nothing was written.").format(what=what))

    def scene_closing(self) -> None:
        """End a run, and unlink browsers."""
        if self.engine.style_job is not None:
            self.engine.style_job.abandon(_("The scene was closed; nothing was written."))
        self._links.close()

    def close(self) -> None:
        """End a run that was started here, and unlink browsers."""
        if self.engine.style_job is not None and self._is_mine:
            self.engine.style_job.abandon("")
        self._links.close()

    def on_apply(self, _checked: bool = False) -> None:
        """Apply the style, or cancel that."""
        context = self.context
        if self.engine.style_job is not None:
            self.ui.applyButton.enabled = False
            context.status.show(_("Cancelling..."))
            self.engine.style_job.cancel()
            return
        card = context.card()
        all_frames = self._wants_all_frames()
        if all_frames is None or not self._may_overwrite(all_frames):
            return
        context.run_starting.emit()
        if not context.has_packages(lambda: provide(**dependencies.needs_of(card))):
            context.packages_missing.emit(card)
            return
        context.features.settle(card.features, functools.partial(self._start, card, all_frames))

    def _start(self, card: Card, all_frames: bool) -> None:
        context, status = self.context, self.context.status
        if self.parameters is None or context.card() != card or context.why_not_apply():
            return  # the scene was changed while something was installed; the button says what is missing
        status.show_progress()
        status.show(_("Starting..."))
        listener = Listener(self._on_done, self._on_failed, self._on_progress)
        self._is_mine = True
        self.engine.apply(plan_of(self.parameters, card, all_frames, context.other_inputs()), listener)
        context.update_buttons()

    def _wants_all_frames(self) -> bool | None:
        """Whether all frames of a sequence are meant; None where the user changed their mind."""
        volume = self.parameters.inputVolume
        if sequences.browser_of(volume) is None:
            return False
        choice = self.parameters.frames
        if choice == "ask":
            choice = self.ask_frames(len(sequences.frames(volume)))
            if not choice:
                return None
            self.parameters.frames = choice
        return choice == "all"

    def ask_frames(self, count: int) -> str:
        """Ask whether "all" or the "current" of so many frames are meant; "" where the user changed their mind."""
        return choose(
            _("The input volume is one of {count} frames of a sequence.").format(count=count),
            _("You can change the answer under Frames."),
            {"current": _("This frame"), "all": _("All frames")},
        )

    def _may_overwrite(self, all_frames: bool) -> bool:
        """Whether the chosen output may be written: it is this input's own result, or the user says so."""
        parameters = self.parameters
        output = parameters.outputVolume
        if all_frames or output is None or overwriting.is_result_of(output, parameters.inputVolume):
            return True
        answer = self.ask_overwriting(output.GetName(), parameters.inputVolume.GetName())
        if answer == "new":
            parameters.outputVolume = None
        return bool(answer)

    def ask_overwriting(self, output: str, source: str) -> str:
        """Ask whether a "new" volume is made or the chosen one "replaced"; "" where the user changed their mind."""
        return choose(
            _("{output} was not made from {source} by this module. Replace it?").format(output=output, source=source),
            _("Its voxels would be lost, and it would be renamed. A new volume leaves it as it is."),
            {"new": _("Make a new volume"), "replaced": _("Replace {output}").format(output=output)},
        )

    def show_progress_of_others(self) -> None:
        """Show how far a run is that another widget of the module started."""
        if self.engine.style_job is not None and self.engine.style_progress is not None and not self._is_mine:
            self._shows_others = True
            self._on_progress(self.engine.style_progress)

    def _on_progress(self, progress: Progress) -> None:
        status = self.context.status
        if progress.stage in ("look", "harmonise"):
            show_look_progress(status, progress)
            return
        if progress.stage != "translate" or not progress.total:
            status.show_progress()
            status.show(_("Loading the style..."))
            return
        frames, total = progress.frames, progress.total
        status.show_progress(total * (progress.frame - 1) + progress.done, total * frames)
        text = _("Slice {done} of {total}").format(done=progress.done, total=total)
        if frames > 1:
            text = _("Frame {frame} of {frames}, slice {done} of {total}").format(
                frame=progress.frame, frames=frames, done=progress.done, total=total
            )
        if progress.seconds_left is not None:
            text = _("{text}, about {time} left").format(text=text, time=duration(progress.seconds_left))
        status.show(text)

    def _on_done(self, result: Result) -> None:
        context, self._is_mine = self.context, False
        context.status.hide_progress()
        if self.parameters is None:
            context.update_buttons()
            return
        self._links.refresh()
        node = existing(result.output_id)
        self.parameters.resultVolume = node
        text = _("{name}: {slices} slices in {time} on {device} ({precision}).")
        if result.plan.card.is_look:
            text = _("{name}: {slices} slices in {time}.")
        context.status.show(
            text.format(
                name=node.GetName(),
                slices=result.slices,
                time=duration(result.seconds),
                device=result.device,
                precision=result.precision,
            )
        )
        context.translated.emit(result)
        context.update()

    def _on_failed(self, code: str, message: str) -> None:
        self._is_mine = False
        self.context.status.hide_progress()
        self.context.status.show_failure(code, message)
        self.context.update_buttons()

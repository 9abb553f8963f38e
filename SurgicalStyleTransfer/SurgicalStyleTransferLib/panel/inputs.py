"""The section Inputs: what is translated, the region, and whether the volume looks like what the style expects."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.style_job import Result
from SurgicalStyleTransferLib.mrml import outputs, regions, sequences, volume_groups
from SurgicalStyleTransferLib.mrml.observers import Observers

from .context import Context, Section
from .tools import WARNING_STYLE, fill, single_shot_timer

CHECK_DELAY_MS = 400  # after the last change of several, as when a scene is loaded
SAMPLE = "CTMRBrain"
SAMPLE_START = "MRBrainT1"


class InputsSection(Section):
    """Frames, segments and sample data; asks the worker about the input volume.

    Attributes:
        warnings: what the worker said of the input volume, or of the latest run.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.warnings: list[str] = []
        self._checked: tuple | None = None
        self._timer = single_shot_timer(self._check)
        self._choose_later = single_shot_timer(self.choose)
        self._update_later = single_shot_timer(context.update)
        self._watched = Observers()
        self._watched_id = ""
        ui = self.ui
        fill(
            ui.framesComboBox, [(_("Ask when applying"), "ask"), (_("This frame"), "current"), (_("All frames"), "all")]
        )
        ui.warningLabel.setStyleSheet(WARNING_STYLE)
        context.bind(ui.framesComboBox, "frames")
        context.bind(ui.segmentComboBox, "segment")
        ui.sampleDataButton.connect("clicked(bool)", self.on_sample_data)
        context.translated.connect(self._on_translated)

    def update(self) -> None:
        """Show what the scene and the volume need: sample data, frames, segments, warnings."""
        ui, parameters = self.ui, self.parameters
        ui.emptyFrame.visible = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode") is None
        volume = parameters.inputVolume
        self._watch(volume)
        in_sequence = volume is not None and sequences.browser_of(volume) is not None
        ui.framesLabel.visible = ui.framesComboBox.visible = in_sequence
        region = parameters.region
        is_segmentation = region is not None and region.IsA("vtkMRMLSegmentationNode")
        ui.segmentLabel.visible = ui.segmentComboBox.visible = is_segmentation
        if is_segmentation:
            segments = regions.segments(region)
            fill(ui.segmentComboBox, [(name, segment) for segment, name in segments])
            if segments and parameters.segment not in dict(segments):
                parameters.segment = segments[0][0]
        self._show_warnings(self.warnings)

    def node_added(self, node: object) -> None:
        """A volume is chosen where there is none; once the loading of it, and of others with it, is over."""
        if self.parameters is not None and self.parameters.inputVolume is None:
            self._choose_later.start(0)

    def choose(self) -> None:
        """Start with the scene's first acquired volume where none is chosen."""
        if self.parameters is None or self.parameters.inputVolume is not None or slicer.mrmlScene.IsBatchProcessing():
            return
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            if volume_groups.is_translatable(node):
                self.parameters.inputVolume = node
                return

    def _watch(self, volume: object | None) -> None:
        """Voxels that come later than their volume, as when a file is loaded, change what can be applied."""
        node_id = "" if volume is None else volume.GetID()
        if node_id != self._watched_id:
            self._watched.clear()
            self._watched_id = node_id
            if volume is not None:
                event = slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent
                self._watched.add(volume, event, lambda: self._update_later.start(0))

    def follow(self) -> None:
        """Have another input, style or direction checked, a little later."""
        key = self._check_key()
        if key == self._checked:
            return
        self._checked = key
        self.context.problem = ""
        if self.warnings:
            self.warnings = []
            self._show_warnings([])
        self._timer.stop()
        if key is not None:
            self._timer.start(CHECK_DELAY_MS)

    def scene_closing(self) -> None:
        """Forget what was checked."""
        self._stop()
        self._checked, self.context.problem, self.warnings = None, "", []

    def close(self) -> None:
        """Check nothing any more."""
        self._stop()

    def _stop(self) -> None:
        for timer in (self._timer, self._choose_later, self._update_later):
            timer.stop()
        self._watch(None)

    def on_sample_data(self, _checked: bool = False) -> None:
        """Load Slicer's sample of one person's CT and MR, and start with the MR."""
        import SampleData  # noqa: PLC0415 - a module of Slicer, which loads it after this one

        with slicer.util.tryWithErrorDisplay(_("The sample data could not be loaded."), waitCursor=True):
            nodes = SampleData.SampleDataLogic().downloadSamples(SAMPLE)
            start = next((node for node in nodes if node.GetName().startswith(SAMPLE_START)), nodes[0])
            self.parameters.inputVolume = start
            outputs.show_in_slices(start)

    def _on_translated(self, result: Result) -> None:
        self.warnings = result.warnings

    def _show_warnings(self, texts: list[str]) -> None:
        self.ui.warningLabel.text = "\n".join(texts)
        self.ui.warningLabel.visible = bool(texts)

    def _check_key(self) -> tuple | None:
        """What the answer depends on; None where there is nothing to ask."""
        volume, card = self.parameters.inputVolume, self.context.card()
        if (
            volume is None
            or volume.GetImageData() is None
            or card is None
            or card.problem
            or self.context.route_problem
        ):
            return None
        return volume.GetID(), volume.GetImageData().GetMTime(), card.name, card.sha256, self.parameters.direction

    def _check(self) -> None:
        """Ask whether the input looks like what the style expects; not while a style is being applied."""
        if self.parameters is None or self.engine.style_job is not None:
            return
        key = self._checked
        if key is None or key != self._check_key() or self.context.why_not_apply(""):
            return

        def answered(problem: str, warnings: list[str]) -> None:
            if self.parameters is not None and key == self._checked:
                self.context.problem, self.warnings = problem, warnings
                # What the status line says already is not said twice.
                said = self.context.status.text
                self._show_warnings([text for text in (problem, *warnings) if text and text != said])
                self.context.update_buttons()

        card = self.context.card()
        if card.is_look:
            self.engine.check_look(self.parameters.inputVolume, card, answered)
        else:
            self.engine.check(self.parameters.inputVolume, card, self.parameters.direction, answered)

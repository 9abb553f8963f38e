"""The panel: what is in the .ui file, bound to the parameter node and to the engine."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.engine import QUICK_SLICES, Engine
from SurgicalStyleTransferLib.jobs.metrics_job import FiguresRun
from SurgicalStyleTransferLib.jobs.style_job import Plan, Progress, Result
from SurgicalStyleTransferLib.mrml import outputs, regions, sequences
from SurgicalStyleTransferLib.mrml.compare import Compare
from SurgicalStyleTransferLib.mrml.preview import Preview
from SurgicalStyleTransferLib.mrml.slice_views import slice_widgets
from SurgicalStyleTransferLib.setup import dependencies, model_cards

from . import import_dialog, metrics_table
from .adjust import AdjustPanel
from .apply_rules import why_not
from .fusion import FusionPanel
from .tools import duration
from .tools import fill as _fill
from .tools import select as _select

CHECK_DELAY_MS = 400
STRENGTH_DELAY_MS = 150
THUMBNAIL_HEIGHT = 96
SAMPLE = "CTMRBrain"
SAMPLE_START = "MRBrainT1"
WARNING_STYLE = "padding: 6px; border: 1px solid #c90; border-radius: 3px; background: #fff4d6; color: #3a2c00;"
ERROR_STYLE = "padding: 6px; border: 1px solid #b33; border-radius: 3px; background: #fde4e1; color: #4a0d08;"
ALL_PLANES = ["axial", "coronal", "sagittal"]


class Panel:
    """Connects widgets, parameters and engine. ``ui`` holds the widgets by name."""

    def __init__(self, ui: object, engine: Engine) -> None:
        self.ui, self.engine = ui, engine
        self.parameters: object | None = None
        self.compare = Compare()
        self.preview = Preview(engine, self._show_preview_message)
        self.figures: dict | None = None
        self._figures_request: FiguresRun | None = None
        self._links = sequences.BrowserLinks()
        self._figures_of = ""
        self._plot: dict[str, str] = {}
        self._map_id = ""
        self._cards: list[model_cards.Card] = []
        self._updating = False
        self._checked: tuple | None = None
        self._problem = ""
        self._warnings: list[str] = []
        self._devices: list[dict] = []
        self._in_front = True
        self._map_shown = False
        self._adjusting = self._adjust_again = False
        self.installing = False
        self._check_timer = _timer(CHECK_DELAY_MS, self._check)
        self._strength_timer = _timer(STRENGTH_DELAY_MS, self._adjust)
        self.fusion, self.adjustments = FusionPanel(self), AdjustPanel(self)
        engine.on_worker_changed = self._on_worker_changed
        self._fill_fixed()
        self._connect()
        self._show_running(False)
        self.ui.logTextEdit.visible = False
        self._show_preview_message("")
        self._set_status("")
        self.ui.fasterButton.visible = False

    # Parameter node

    def set_parameters(self, parameters: object | None) -> None:
        """Show other parameters, or none while there is no scene to speak of."""
        self.parameters = parameters
        if parameters is not None:
            if parameters.compare and not self.compare.active:
                parameters.compare = ""  # it was saved while comparing; the views were not
            self._links.refresh()
            self.refresh_styles()

    def enter(self) -> None:
        """The module is in front again."""
        self._in_front = True
        self.update()

    def exit(self) -> None:
        """Another module is in front: no overlay is left in its views. A run goes on."""
        self._in_front = False
        self.preview.stop()

    def close(self) -> None:
        """Before the panel goes: nothing keeps running."""
        self._check_timer.stop()
        self._strength_timer.stop()
        self.fusion.close()
        if self.engine.run is not None:
            self.engine.run.abandon("")
        self.preview.stop()
        self.compare.restore()
        self._links.close()
        self.engine.close()

    def scene_closing(self) -> None:
        """The scene goes: a run ends without a trace, overlays and layouts are forgotten."""
        self._check_timer.stop()
        self._strength_timer.stop()
        if self.engine.run is not None:
            self.engine.run.abandon(_("The scene was closed; nothing was written."))
        self.fusion.scene_closing()
        self._stop_figures()
        self.preview.stop()
        self.compare.forget()
        self._links.close()
        for output_id in list(self.engine.results):
            self.engine.forget(output_id)
        self.figures, self._figures_of, self._plot, self._map_id = None, "", {}, ""
        self._map_shown = self._adjusting = self._adjust_again = False
        self._checked, self._problem, self._warnings = None, "", []
        self._fill_figures()

    def node_removed(self, node: object) -> None:
        """A node left the scene; whatever depends on it ends."""
        if self.parameters is None:
            return
        run, node_id = self.engine.run, node.GetID()
        if run is not None and node_id in (run.plan.input_id, run.plan.output_id):
            what = _("input") if node_id == run.plan.input_id else _("output")
            run.abandon(_("The {what} volume was deleted during the run; nothing was written.").format(what=what))
        if self.compare.concerns(node_id):
            self.compare.restore()
            self.parameters.compare = ""
        self.fusion.node_removed(node)
        if node_id in self.engine.results:
            self.engine.forget(node_id)
        if node_id == self._figures_of:
            self._stop_figures()
            self.figures, self._figures_of = None, ""
            self._fill_figures()
        if node_id == self._map_id:
            self._map_id = ""
        self.update()

    # Widgets

    def _fill_fixed(self) -> None:
        ui = self.ui
        _fill(
            ui.framesComboBox, [(_("Ask when applying"), "ask"), (_("This frame"), "current"), (_("All frames"), "all")]
        )
        names = ("fp32", "bf16", "fp16", "int8")
        _fill(ui.precisionComboBox, [(_("Automatic"), "auto"), *((name, name) for name in names)])
        _fill(
            ui.planeComboBox,
            [
                (_("As the style was trained"), ""),
                (_("Axial"), "axial"),
                (_("Coronal"), "coronal"),
                (_("Sagittal"), "sagittal"),
                (_("All three, averaged"), "all"),
            ],
        )
        _fill(
            ui.figuresComboBox,
            [
                (_("After every run, {count} slices").format(count=QUICK_SLICES), "quick"),
                (_("After every run, all slices"), "all"),
                (_("Only on request"), "off"),
            ],
        )
        self._fill_devices()
        ui.figuresTable.setHorizontalHeaderLabels([_("Figure"), _("Value")])
        header = ui.figuresTable.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        ui.figuresTable.verticalHeader().visible = False
        ui.warningLabel.setStyleSheet(WARNING_STYLE)
        ui.folderButton.directory = str(self.engine.models_folder())
        self._fill_figures()

    def _connect(self) -> None:
        ui = self.ui
        for combo, name in (
            (ui.framesComboBox, "frames"),
            (ui.segmentComboBox, "segment"),
            (ui.styleComboBox, "model"),
            (ui.directionComboBox, "direction"),
            (ui.deviceComboBox, "device"),
            (ui.precisionComboBox, "precision"),
            (ui.planeComboBox, "plane"),
            (ui.figuresComboBox, "figures"),
            (ui.previewViewComboBox, "previewView"),
        ):
            combo.connect("currentIndexChanged(int)", lambda index, combo=combo, name=name: self._chosen(combo, name))
        ui.applyButton.connect("clicked(bool)", self.on_apply)
        ui.fasterButton.connect("clicked(bool)", self.on_faster)
        ui.sampleDataButton.connect("clicked(bool)", self.on_sample_data)
        ui.importButton.connect("clicked(bool)", self.on_import)
        ui.removeButton.connect("clicked(bool)", self.on_remove)
        ui.openFolderButton.connect("clicked(bool)", self.on_open_folder)
        ui.folderButton.connect("directoryChanged(QString)", self.on_folder)
        ui.sidesButton.connect("clicked(bool)", lambda checked: self.on_compare("sides" if checked else ""))
        ui.fadeButton.connect("clicked(bool)", lambda checked: self.on_compare("fade" if checked else ""))
        ui.checkerboardButton.connect(
            "clicked(bool)", lambda checked: self.on_compare("checkerboard" if checked else "")
        )
        ui.restoreButton.connect("clicked(bool)", lambda checked: self.on_compare(""))
        ui.computeButton.connect("clicked(bool)", self.on_compute)
        ui.plotButton.connect("clicked(bool)", self.on_plot)
        ui.exportButton.connect("clicked(bool)", self.on_export)
        ui.logButton.connect("clicked(bool)", self.on_log)
        ui.stopWorkerButton.connect("clicked(bool)", self.on_stop_worker)
        ui.advancedCollapsibleButton.connect("contentsCollapsed(bool)", self.on_advanced)

    def _chosen(self, combo: object, name: str) -> None:
        if not self._updating and self.parameters is not None:
            self.parameters.setValue(name, combo.currentData or "")

    def refresh_styles(self) -> None:
        """Read the folders of models anew."""
        self._cards = self.engine.cards()
        if self.parameters is not None:
            usable = [card for card in self._cards if not card.problem]
            if not self.parameters.model and usable:
                names = [card.name for card in usable]
                self.parameters.model = model_cards.FIRST if model_cards.FIRST in names else names[0]
        self.update()

    def card(self) -> model_cards.Card | None:
        """The style that is selected, if it is on this machine."""
        return next((card for card in self._cards if card.name == self.parameters.model), None)

    def update(self) -> None:
        """Everything in the panel that follows from parameters, scene and engine."""
        if self.parameters is None or self._updating:
            return
        self._updating = True
        try:
            self._update_inputs()
            self._update_style()
            self._update_results()
            for combo, name in (
                (self.ui.framesComboBox, "frames"),
                (self.ui.deviceComboBox, "device"),
                (self.ui.precisionComboBox, "precision"),
                (self.ui.planeComboBox, "plane"),
                (self.ui.figuresComboBox, "figures"),
            ):
                _select(combo, self.parameters.getValue(name))
            self.fusion.update()
            self.adjustments.update()
        finally:
            self._updating = False
        self._update_apply()
        self._schedule_check()
        self._follow_strength()
        self._follow_preview()
        self._follow_compare()
        self._follow_map()

    def _update_inputs(self) -> None:
        ui, parameters = self.ui, self.parameters
        ui.emptyFrame.visible = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode") is None
        volume = parameters.inputVolume
        in_sequence = volume is not None and sequences.browser_of(volume) is not None
        ui.framesLabel.visible = ui.framesComboBox.visible = in_sequence
        region = parameters.region
        is_segmentation = region is not None and region.IsA("vtkMRMLSegmentationNode")
        ui.segmentLabel.visible = ui.segmentComboBox.visible = is_segmentation
        if is_segmentation:
            found = regions.segments(region)
            _fill(ui.segmentComboBox, [(name, segment) for segment, name in found])
            if found and parameters.segment not in dict(found):
                parameters.segment = found[0][0]
            _select(ui.segmentComboBox, parameters.segment)

    def _update_style(self) -> None:
        ui, parameters = self.ui, self.parameters
        entries = [
            (card.title if not card.problem else _("{name} (unusable)").format(name=card.name), card.name)
            for card in self._cards
        ]
        if parameters.model and parameters.model not in [name for title, name in entries]:
            entries.append((_("{name} (not on this machine)").format(name=parameters.model), parameters.model))
        _fill(ui.styleComboBox, entries or [(_("No style yet"), "")])
        _select(ui.styleComboBox, parameters.model)
        card = self.card()
        ui.openFolderButton.enabled = True
        ui.removeButton.enabled = card is not None and not card.shipped
        ui.removeButton.toolTip = (
            _("This style came with the extension and stays.")
            if card is not None and card.shipped
            else _("Delete this style from its folder.")
        )
        directions = card.directions if card is not None else ()
        if card is not None and directions and parameters.direction not in directions:
            parameters.direction = directions[0]
        _fill(
            ui.directionComboBox,
            [
                (_("{source} to {target}").format(source=card.starts_in(way).name, target=card.ends_in(way).name), way)
                for way in directions
            ],
        )
        ui.directionComboBox.enabled = len(directions) > 1
        _select(ui.directionComboBox, parameters.direction)
        if card is None:
            text = (
                _("Import a style, or put its folder into the styles folder (see Advanced).")
                if not entries
                else (_("This style is not on this machine. Import it, or select another one."))
            )
        else:
            text = model_cards.describe(card, parameters.direction)
        ui.cardLabel.text = text
        picture = qt.QPixmap(str(card.thumbnail)) if card is not None and card.thumbnail else None
        ui.thumbnailLabel.visible = picture is not None and not picture.isNull()
        if picture is not None and not picture.isNull():
            ui.thumbnailLabel.setPixmap(picture.scaledToHeight(THUMBNAIL_HEIGHT, qt.Qt.SmoothTransformation))
        ui.warningLabel.visible = bool(self._warnings)
        ui.warningLabel.text = "\n".join(self._warnings)

    def _update_apply(self) -> None:
        ui = self.ui
        self.fusion.update_button()
        ui.importButton.enabled = ui.fasterButton.enabled = not self.installing
        if self.installing:
            ui.applyButton.enabled = False
            ui.applyButton.toolTip = _("Packages are being installed.")
            return
        if self.engine.run is not None:
            ui.applyButton.enabled = True
            ui.applyButton.toolTip = _("Stop. The scene stays as it was.")
            return
        if self.fusion.run is not None:
            ui.applyButton.enabled = False
            ui.applyButton.toolTip = _("Volumes are being fused.")
            return
        reason = why_not(self.parameters, self.card(), bool(self._cards), self._problem)
        ui.applyButton.enabled = not reason
        ui.applyButton.toolTip = reason or _("Apply the style to the input volume.")

    def _update_results(self) -> None:
        ui = self.ui
        result = self.parameters.resultVolume
        comparable = all(self._compared())
        for button, kind in (
            (ui.sidesButton, "sides"),
            (ui.fadeButton, "fade"),
            (ui.checkerboardButton, "checkerboard"),
        ):
            button.enabled = comparable
            button.toolTip = self._compare_tip(kind) if comparable else _("Apply a style or fuse volumes first.")
            button.checked = self.parameters.compare == kind
        ui.restoreButton.enabled = self.compare.active
        ui.fadeSlider.enabled = self.parameters.compare == "fade"
        known = result is not None and result.GetID() in self.engine.results
        running = self._figures_request is not None
        ui.computeButton.enabled = running or (known and self.engine.run is None)
        ui.computeButton.text = _("Stop") if running else _("Compute")
        ui.computeButton.toolTip = (
            _("Judge the latest result.") if known else _("The translation is no longer in memory; press Apply first.")
        )
        ui.plotButton.enabled = ui.exportButton.enabled = self.figures is not None
        ui.mapCheckBox.enabled = bool(self._map_id)
        ui.mapCheckBox.toolTip = (
            _("Overlay of |F(G(x)) - x| on the slice views.") if self._map_id else _("Compute the figures first.")
        )
        views = list(slice_widgets())
        _fill(ui.previewViewComboBox, [(name, name) for name in views])
        if self.parameters.previewView not in views and views:
            self.parameters.previewView = views[0]
        _select(ui.previewViewComboBox, self.parameters.previewView)

    def _compare_tip(self, kind: str) -> str:
        return {
            "sides": _("Input and result in two linked slice views."),
            "fade": _("Result over the input in every slice view."),
            "checkerboard": _("Squares of the input and of the result in turn, in every slice view."),
        }[kind]

    def _compared(self) -> tuple[object | None, object | None]:
        """What the latest result was made from, and that result: a translation, or a fusion made after it.

        The input survives saving as a node reference.
        """
        fused = slicer.mrmlScene.GetNodeByID(self.fusion.latest_id) if self.fusion.latest_id else None
        result = fused or self.parameters.resultVolume
        return None if result is None else result.GetNodeReference(outputs.INPUT_ROLE), result

    # Apply

    def on_apply(self, _checked: bool = False) -> None:
        if self.engine.run is not None:
            self.ui.applyButton.enabled = False
            self._set_status(_("Cancelling..."))
            self.engine.run.cancel()
            return
        card = self.card()
        all_frames = self._all_frames()
        if all_frames is None:
            return
        self._stop_figures()
        if not self.has_packages(lambda: dependencies.ensure(**dependencies.needs_of(card))):
            self._offer_openvino(card)
            return
        parameters = self.parameters
        if parameters is None or why_not(parameters, self.card(), bool(self._cards), self._problem):
            return  # the scene was changed while packages were installed; the button says what is missing
        plan = Plan(
            input_id=parameters.inputVolume.GetID(),
            card=card,
            direction=parameters.direction,
            strength=parameters.strength,
            region_id=parameters.region.GetID() if parameters.region else "",
            segment=parameters.segment,
            all_frames=all_frames,
            output_id=parameters.outputVolume.GetID() if parameters.outputVolume and not all_frames else "",
            planes=self._planes(),
            device=parameters.device,
            precision=parameters.precision,
            batch_size=parameters.batchSize or None,
            adjustments=self.adjustments.wanted(),
        )
        self._show_running(True)
        self._set_status(_("Starting..."))
        self.engine.apply(plan, self._on_done, self._on_failed, self._on_progress)
        self._update_apply()

    def has_packages(self, ensure: Callable[[], bool]) -> bool:
        """Run one of ``dependencies``'s installations; whether everything is there now. What went wrong is in the
        status line. Slicer stays alive while pip works, so that nothing else may be started meanwhile."""
        if self.installing:
            return False
        before = self.ui.statusLabel.text
        self.installing = True
        self._set_status(_("Installing packages; this can take some minutes..."))
        self._update_apply()
        problem = ""
        try:
            if ensure():
                self.engine.client.stop()
        except dependencies.InstallationError as error:
            problem = str(error)
        finally:
            self.installing = False
            self._set_status(problem or before, error=bool(problem))
            if self.parameters is not None:
                self._update_apply()
        return not problem

    def _all_frames(self) -> bool | None:
        """Whether all frames of a sequence are meant; None where the user changed their mind."""
        volume = self.parameters.inputVolume
        if sequences.browser_of(volume) is None:
            return False
        choice = self.parameters.frames
        if choice == "ask":
            choice = self._ask_frames(len(sequences.frames(volume)))
            if not choice:
                return None
            self.parameters.frames = choice
        return choice == "all"

    def _ask_frames(self, count: int) -> str:
        box = qt.QMessageBox(slicer.util.mainWindow())
        box.setWindowTitle(_("Surgical Style Transfer"))
        box.text = _("The input volume is one of {count} frames of a sequence.").format(count=count)
        box.informativeText = _("You can change the answer under Frames.")
        answers = {_("This frame"): "current", _("All frames"): "all"}
        for text in answers:
            box.addButton(text, qt.QMessageBox.AcceptRole)
        box.addButton(qt.QMessageBox.Cancel)
        box.exec_()
        clicked = box.clickedButton()
        return answers.get(clicked.text, "") if clicked else ""

    def _planes(self) -> list[str] | None:
        plane = self.parameters.plane
        return self.adjustments.planes() if not plane else ALL_PLANES if plane == "all" else [plane]

    def _on_progress(self, progress: Progress) -> None:
        ui = self.ui
        if progress.stage != "translate" or not progress.total:
            ui.progressBar.maximum = 0  # busy: how long loading takes is unknown
            self._set_status(_("Loading the style..."))
            return
        frames, done = progress.frames, progress.frame - 1
        ui.progressBar.maximum = progress.total * frames
        ui.progressBar.value = progress.total * done + progress.done
        text = _("Slice {done} of {total}").format(done=progress.done, total=progress.total)
        if frames > 1:
            text = _("Frame {frame} of {frames}, slice {done} of {total}").format(
                frame=progress.frame, frames=frames, done=progress.done, total=progress.total
            )
        if progress.seconds_left is not None:
            text = _("{text}, about {time} left").format(text=text, time=duration(progress.seconds_left))
        self._set_status(text)

    def _on_done(self, result: Result) -> None:
        self._show_running(False)
        if self.parameters is None:
            return
        self._links.refresh()
        node = slicer.mrmlScene.GetNodeByID(result.output_id)
        source = slicer.mrmlScene.GetNodeByID(result.plan.input_id)
        node.SetNodeReferenceID(outputs.INPUT_ROLE, source.GetID())
        self.fusion.latest_id = ""
        self._warnings = result.warnings
        self.figures, self._figures_of = None, ""
        self._fill_figures()
        self.parameters.resultVolume = node
        if self.compare.active:
            self.on_compare(self.parameters.compare)
        elif not self.preview.active:
            outputs.show_in_slices(node)
        self._set_status(
            _("{name}: {slices} slices in {time} on {device} ({precision}).").format(
                name=node.GetName(),
                slices=result.slices,
                time=duration(result.seconds),
                device=result.device,
                precision=result.precision,
            )
        )
        by_torch = result.plan.card.is_torch and (result.backend, result.device) == ("torch", "cpu")
        self.ui.fasterButton.text = _("Make it faster on this processor...")
        self.ui.fasterButton.visible = by_torch and not dependencies.has_faster_cpu()
        self.update()
        if self.parameters.figures != "off":
            self.on_compute()

    def _offer_openvino(self, card: model_cards.Card) -> None:
        """Where PyTorch did not come: the way without it, for a style that has one."""
        self.ui.fasterButton.text = _("Use the processor, without PyTorch...")
        self.ui.fasterButton.visible = card.runs_in_openvino and dependencies.TORCH in dependencies.missing(
            **dependencies.needs_of(card)
        )

    def on_faster(self, _checked: bool = False) -> None:
        """Install what runs styles (faster) on the CPU; the next worker finds it."""
        if not self.has_packages(dependencies.ensure_faster_cpu):
            return
        self.ui.fasterButton.visible = False
        if dependencies.TORCH in dependencies.missing():
            self._set_status(_("OpenVINO is installed. Press Apply; styles run on the processor."))
        else:
            self._set_status(_("OpenVINO is installed. The next Apply measures once what is fastest here."))

    def _on_failed(self, code: str, message: str) -> None:
        self._show_running(False)
        if code == "cancelled":
            self._set_status(_("Cancelled. The scene is as it was."))
        elif message:
            self._set_status(message, error=code not in ("stopped", "abandoned"))
        if self.parameters is not None:
            self._update_apply()

    def _show_running(self, running: bool) -> None:
        ui = self.ui
        ui.applyButton.text = _("Cancel") if running else _("Apply")
        ui.progressBar.visible = running
        if running:
            ui.fasterButton.visible = False
            ui.progressBar.maximum = 0
            ui.progressBar.value = 0

    def _set_status(self, text: str, error: bool = False) -> None:
        self.ui.statusLabel.text = text
        self.ui.statusLabel.visible = bool(text)
        self.ui.statusLabel.setStyleSheet(ERROR_STYLE if error else "")

    # What follows the parameters

    def _schedule_check(self) -> None:
        key = self._check_key()
        if key != self._checked:
            self._checked = key
            self._problem = ""
            if self._warnings:
                self._warnings = []
                self.ui.warningLabel.visible = False
            self._check_timer.stop()
            if key is not None:
                self._check_timer.start(CHECK_DELAY_MS)

    def _check_key(self) -> tuple | None:
        volume, card = self.parameters.inputVolume, self.card()
        if volume is None or volume.GetImageData() is None or card is None or card.problem:
            return None
        return volume.GetID(), volume.GetImageData().GetMTime(), card.name, card.sha256, self.parameters.direction

    def _check(self) -> None:
        """Ask whether the input looks like what the style expects; not while something else computes."""
        if self.parameters is None:
            return
        key, reason = self._checked, why_not(self.parameters, self.card(), True, "")
        if key is None or key != self._check_key() or self.engine.run is not None:
            return
        if reason:
            return

        def answered(problem: str, warnings: list[str]) -> None:
            if self.parameters is not None and key == self._checked:
                self._problem, self._warnings = problem, warnings
                # What the status line says already is not said twice.
                texts = [text for text in (problem, *warnings) if text and text != self.ui.statusLabel.text]
                self.ui.warningLabel.text = "\n".join(texts)
                self.ui.warningLabel.visible = bool(texts)
                self._update_apply()

        self.engine.check(self.parameters.inputVolume, self.card(), self.parameters.direction, answered)

    def _adjustable(self) -> Result | None:
        """The result that the strength slider changes: the latest, as long as nothing else was chosen since."""
        parameters, node = self.parameters, self.parameters.resultVolume if self.parameters else None
        result = self.engine.results.get(node.GetID()) if node is not None else None
        if result is None or self.engine.run is not None or parameters.inputVolume is None:
            return None
        plan = result.plan
        same = plan.input_id == parameters.inputVolume.GetID() and plan.card.name == parameters.model
        return result if same and plan.direction == parameters.direction else None

    def _follow_strength(self) -> None:
        result = self._adjustable()
        if result is not None and self.adjustments.differs(result):
            self._strength_timer.start(STRENGTH_DELAY_MS)

    def _adjust(self) -> None:
        result = self._adjustable()
        if result is None:
            return
        if self._adjusting:
            self._adjust_again = True
            return
        self._adjusting = True

        def finished() -> None:
            self._adjusting = False
            if self._adjust_again:
                self._adjust_again = False
                self._adjust()

        def done() -> None:
            finished()
            self.update()

        def failed(code: str, message: str) -> None:
            self._adjust_again = False
            finished()
            if code == "bad_input":
                self.adjustments.refused(result)
            if message:
                self._set_status(message, error=code not in ("stopped", "cancelled"))

        self.engine.adjust(result.output_id, self.parameters.strength, done, failed, self.adjustments.wanted())

    def _follow_preview(self) -> None:
        parameters, card = self.parameters, self.card()
        wanted = self._in_front and parameters.preview and not why_not(parameters, card, True, self._problem)
        if not wanted or self.engine.run is not None:
            self.preview.stop()
            return
        if dependencies.missing(**dependencies.needs_of(card)):
            self._show_preview_message(_("The preview needs packages that the first Apply installs."))
            return
        self.preview.start(
            parameters.previewView,
            parameters.inputVolume,
            card,
            parameters.direction,
            parameters.device,
            parameters.precision,
        )

    def _show_preview_message(self, text: str) -> None:
        self.ui.previewMessageLabel.text = text
        self.ui.previewMessageLabel.visible = bool(text)

    def _follow_compare(self) -> None:
        if self.parameters.compare == "fade" and self.compare.active:
            self.compare.set_opacity(self.parameters.fade)
        self.compare.refresh()

    def on_compare(self, kind: str) -> None:
        """Show input and result "sides" by side, as "fade" or "checkerboard"; "" goes back to what was before."""
        source, result = self._compared()
        if source is None or result is None:
            kind = ""
        self.parameters.preview = False
        if not kind:
            self.compare.restore()
        elif kind == "sides":
            self.compare.restore()
            self.compare.side_by_side(source, result)
        elif kind == "checkerboard":
            self.compare.checkerboard(source, result)
        else:
            self.compare.fade(source, result, self.parameters.fade)
        self.parameters.compare = kind
        self.update()

    def _follow_map(self) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._map_id) if self._map_id else None
        wanted = node is not None and self.parameters.showErrorMap
        if wanted != self._map_shown:
            self._map_shown = wanted
            if wanted:
                metrics_table.show_map(node, self.parameters.resultVolume)
            else:
                metrics_table.hide_map(self._map_id)

    # Figures

    def on_compute(self, _checked: bool = False) -> None:
        if self._figures_request is not None:
            self._stop_figures()
            return
        result = self.parameters.resultVolume
        if result is None or result.GetID() not in self.engine.results:
            return
        limit = None if self.parameters.figures == "all" else QUICK_SLICES
        output_id = result.GetID()
        before = self.ui.statusLabel.text

        def ended() -> None:
            self._figures_request = None
            if self.engine.run is None:
                self.ui.progressBar.visible = False

        def done(found: dict, error_map: object) -> None:
            ended()
            node = slicer.mrmlScene.GetNodeByID(output_id)
            if node is None or self.parameters is None:
                return
            self.figures, self._figures_of = found, output_id
            source = node.GetNodeReference(outputs.INPUT_ROLE)
            if error_map is not None and source is not None:
                self._map_id = metrics_table.write_map(error_map, node, source, self._map_id).GetID()
            self._fill_figures()
            self.ui.qualityCollapsibleButton.collapsed = False
            self._set_status(before)
            self.update()

        def failed(code: str, message: str) -> None:
            ended()
            if code == "cancelled":
                self._set_status(before)
            else:
                self._set_status(message, error=code != "stopped")
            if self.parameters is not None:
                self.update()

        def progressed(done_: int, total: int) -> None:
            if self.engine.run is None:
                self.ui.progressBar.maximum = total
                self.ui.progressBar.value = done_
                self.ui.progressBar.visible = True
                self._set_status(
                    _("{before} Judging it: translation {done} of {total}.")
                    .format(before=before, done=done_, total=total)
                    .strip()
                )

        self._figures_request = self.engine.figures(
            output_id, self.parameters.referenceVolume, limit, done, failed, progressed
        )
        if self._figures_request is not None:
            progressed(0, 7)
        self.update()

    def _stop_figures(self) -> None:
        if self._figures_request is not None:
            self._figures_request.cancel()

    def _fill_figures(self) -> None:
        self.adjustments.fill_worst(self.figures, self._figures_of)
        table = self.ui.figuresTable
        entries = metrics_table.rows(self.figures) if self.figures else []
        table.rowCount = len(entries)
        for row, (name, value, meaning) in enumerate(entries):
            for column, text in enumerate((name, value)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(meaning)
                table.setItem(row, column, item)
        table.resizeRowsToContents()

    def on_plot(self, _checked: bool = False) -> None:
        if self.figures is not None:
            self._plot = metrics_table.show_plot(self.figures, self.parameters.resultVolume.GetName(), self._plot)

    def on_export(self, _checked: bool = False) -> None:
        node = self.parameters.resultVolume
        path = str(
            qt.QFileDialog.getSaveFileName(
                slicer.util.mainWindow(), _("Export figures"), f"{node.GetName()}.csv", _("Tables (*.csv)")
            )
            or ""
        )
        if path:
            self.export(path)

    def export(self, path: str) -> None:
        """Write the figures as CSV and say so."""
        node = self.parameters.resultVolume
        about = {_("Volume"): node.GetName(), _("Description"): node.GetDescription()}
        try:
            metrics_table.export_csv(path, self.figures, about)
        except OSError as error:
            self._set_status(_("The file cannot be written: {reason}.").format(reason=error.strerror or error), True)
        else:
            self._set_status(_("Figures saved to {path}.").format(path=path))

    # Styles

    def on_sample_data(self, _checked: bool = False) -> None:
        import SampleData

        with slicer.util.tryWithErrorDisplay(_("The sample data could not be loaded."), waitCursor=True):
            nodes = SampleData.SampleDataLogic().downloadSamples(SAMPLE)
            start = next((node for node in nodes if node.GetName().startswith(SAMPLE_START)), nodes[0])
            self.parameters.inputVolume = start
            outputs.show_in_slices(start)

    def on_import(self, _checked: bool = False) -> None:
        source = import_dialog.choose_file()
        if not source:
            return
        arguments = {} if import_dialog.is_packed(source) else import_dialog.dialog_for(source).ask()
        if arguments is not None:
            self.import_style(source, arguments)

    def import_style(self, source: str, arguments: dict[str, object]) -> None:
        """Import through the worker; the new style is selected then."""
        packed = import_dialog.is_packed(source)  # nothing of it is run to read it
        if not self.has_packages(lambda: dependencies.ensure(openvino=packed)):
            return

        def done(name: str) -> None:
            self._set_status(_("The style {name} was imported.").format(name=name))
            if self.parameters is not None:
                self.parameters.model = name
                self.refresh_styles()

        self._set_status(_("Importing..."))
        self.engine.import_model(source, done, lambda code, message: self._set_status(message, error=True), **arguments)

    def on_remove(self, _checked: bool = False) -> None:
        card = self.card()
        question = _("Delete the style {title} from {folder}?").format(title=card.title, folder=card.folder)
        if not slicer.util.confirmOkCancelDisplay(question):
            return
        try:
            self.engine.remove_model(card)
        except (OSError, ValueError) as error:
            self._set_status(_("The style cannot be deleted: {reason}.").format(reason=error), error=True)
        else:
            self.parameters.model = ""
            self._set_status(_("The style {title} was deleted.").format(title=card.title))
        self.refresh_styles()

    def on_open_folder(self, _checked: bool = False) -> None:
        card = self.card()
        folder = card.folder if card is not None else self.engine.models_folder()
        folder.mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))

    def on_folder(self, folder: str) -> None:
        self.engine.set_models_folder(str(folder))
        self.refresh_styles()

    # Worker

    def on_advanced(self, collapsed: bool) -> None:
        if not collapsed and self.engine.run is None and self._figures_request is None:
            self.engine.devices(self._on_devices)

    def _on_devices(self, found: list[dict]) -> None:
        self._devices = found
        self._fill_devices()

    def _fill_devices(self) -> None:
        entries = [(_("Automatic"), "auto")]
        for device in self._devices or [{"name": "cpu", "title": _("Processor"), "free_bytes": None}]:
            text = device["title"]
            if device["free_bytes"]:
                text = _("{title} ({free:.1f} GB free)").format(title=text, free=device["free_bytes"] / 1e9)
            entries.append((text, device["name"]))
        chosen = self.parameters.device if self.parameters is not None else "auto"
        if chosen not in [name for text, name in entries]:
            entries.append((_("{name} (not found)").format(name=chosen), chosen))
        _fill(self.ui.deviceComboBox, entries)
        _select(self.ui.deviceComboBox, chosen)

    def on_log(self, _checked: bool = False) -> None:
        ui = self.ui
        ui.logTextEdit.visible = not ui.logTextEdit.visible
        ui.logButton.text = _("Hide log") if ui.logTextEdit.visible else _("Show log")
        ui.logTextEdit.plainText = "\n".join(self.engine.client.log) or _("The worker has said nothing yet.")

    def on_stop_worker(self, _checked: bool = False) -> None:
        self.engine.client.stop()

    def _on_worker_changed(self) -> None:
        running = self.engine.client.running
        self.ui.workerStateLabel.text = _("ready") if running else _("not running")
        self.ui.stopWorkerButton.enabled = running
        if not running:
            self._adjusting = self._adjust_again = False
        self.update()


def _timer(delay_ms: int, slot: object) -> object:
    timer = qt.QTimer()
    timer.singleShot = True
    timer.interval = delay_ms
    timer.connect("timeout()", slot)
    return timer

"""The panel: the sections put together around their context, and what happens to the scene handed on to each."""

from __future__ import annotations

from SurgicalStyleTransferLib.jobs import shared_engine
from SurgicalStyleTransferLib.jobs.engine import Engine

from .adaptation.section import AdaptationSection
from .adjust import AdjustSection
from .advanced import AdvancedSection
from .apply import ApplySection
from .batch.section import BatchSection
from .compare import CompareSection
from .context import Context
from .fusion.section import FusionSection
from .help.section import HelpSection
from .inputs import InputsSection
from .output.dicom_export import DicomExportSection
from .output.disagreement import DisagreementSection
from .output.measuring import MeasuringSection
from .packages import PackagesSection
from .preview import PreviewSection
from .quality.section import QualitySection
from .registration.section import RegistrationSection
from .routes.section import RouteSection
from .style import StyleSection
from .styles.finder import FinderSection
from .styles.looks import LookSection
from .styles.presets import PresetSection
from .tools import single_shot_timer


class Panel:
    """Connects widgets, parameters and engine.

    Attributes:
        context: what the sections know of each other.
        inputs, style, looks, routes, apply, packages, compare, preview, quality, adjust, dicom, disagreement,
            measuring, fusion, registration, batch, adaptation, advanced, finder, presets, help: the sections.
    """

    def __init__(self, ui: object, engine: Engine) -> None:
        """Make every section; the parameters come with ``set_parameters``.

        Args:
            ui: the widgets of the .ui file by name.
            engine: what does the work.
        """
        self.engine = engine
        self.context = context = Context(ui, engine)
        context.on_wanted(self.update, self.update_buttons, self.refresh_styles)
        # The order in which they are told of everything: what was applied is shown before it is judged.
        self.inputs = InputsSection(context)
        self.style = StyleSection(context)
        self.looks = LookSection(context)
        self.routes = RouteSection(context)
        self.apply = ApplySection(context)
        self.packages = PackagesSection(context)
        self.compare = CompareSection(context)
        self.adjust = AdjustSection(context)
        self.preview = PreviewSection(context)
        self.quality = QualitySection(context)
        self.dicom = DicomExportSection(context)
        self.disagreement = DisagreementSection(context)
        self.measuring = MeasuringSection(context)
        self.fusion = FusionSection(context)
        self.registration = RegistrationSection(context)
        self.batch = BatchSection(context)
        self.adaptation = AdaptationSection(context)
        self.advanced = AdvancedSection(context)
        self.finder = FinderSection(context)
        self.presets = PresetSection(context)
        self.help = HelpSection(context, self.compare.on_compare)
        self._sections = (
            self.inputs,
            self.routes,  # the direction, before the style says what it is
            self.style,
            self.looks,
            self.apply,
            self.packages,
            self.compare,
            self.adjust,
            self.preview,
            self.quality,
            self.dicom,
            self.disagreement,
            self.measuring,
            self.fusion,
            self.registration,
            self.batch,
            self.adaptation,
            self.advanced,
            self.finder,
            self.presets,
            self.help,
        )
        engine.subscribe(self._on_engine_changed)
        self._later = single_shot_timer(self.update)
        self.update_buttons()

    def set_parameters(self, parameters: object | None) -> None:
        """Show other parameters, or none while there is no scene to speak of."""
        self.context.parameters = parameters
        if parameters is not None:
            for section in self._sections:
                section.parameters_set()
            self.update()

    def update(self) -> None:
        """Bring everything up to date with parameters, scene and engine."""
        context = self.context
        if context.is_updating:
            return
        if context.parameters is None:
            self.update_buttons()
            return
        context.is_updating = True
        try:
            for section in self._sections:
                section.update()
            context.show_choices()
        finally:
            context.is_updating = False
        self.update_buttons()
        for section in self._sections:
            section.follow()

    def update_buttons(self) -> None:
        """Only what may be pressed now has changed."""
        for section in self._sections:
            section.update_buttons()

    def refresh_styles(self) -> None:
        """Read the folders of models anew."""
        self.style.read_cards()
        self.update()

    def enter(self) -> None:
        """The module is in front again."""
        self.context.in_front = True
        for section in self._sections:
            section.enter()
        self.update()

    def exit(self) -> None:
        """Another module is in front. What runs goes on."""
        self.context.in_front = False
        for section in self._sections:
            section.exit()

    def node_added(self, node: object) -> None:
        """A volume came into the scene."""
        for section in self._sections:
            section.node_added(node)
        self.update()

    def node_removed(self, node: object) -> None:
        """A node leaves the scene; whatever depends on it ends."""
        if self.context.parameters is None:
            return
        for section in self._sections:
            section.node_removed(node)
        if node.GetID() in self.engine.results:
            self.engine.forget(node.GetID())
        self.update()

    def scene_closing(self) -> None:
        """The scene goes: jobs end without a trace, and what belongs to it is forgotten."""
        for section in self._sections:
            section.scene_closing()
        for output_id in list(self.engine.results):
            self.engine.forget(output_id)

    def close(self) -> None:
        """Before the panel goes: nothing keeps running."""
        for section in self._sections:
            section.close()
        self._later.stop()
        self.engine.unsubscribe(self._on_engine_changed)
        shared_engine.release(self.engine)

    def _on_engine_changed(self, what: str) -> None:
        """Another widget of the module may have done it."""
        if what == "worker":
            self.context.worker_changed.emit()
            self.update()
        elif what == "progress":
            self.apply.show_progress_of_others()
        else:
            self._later.start(0)

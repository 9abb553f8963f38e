"""The button that offers OpenVINO: faster on the CPU than PyTorch, or in its place."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.style_job import Result
from SurgicalStyleTransferLib.setup import dependencies
from SurgicalStyleTransferLib.setup.model_cards import Card

from .context import Context, Section
from .dialogs.packages import PackagesDialog


class PackagesSection(Section):
    """Offers it where a run on the CPU went without it, and where PyTorch did not come."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.ui.fasterButton.visible = False
        self.ui.fasterButton.connect("clicked(bool)", self.on_faster)
        self.ui.packagesButton.connect("clicked(bool)", self.on_packages)
        context.translated.connect(self._on_translated)
        context.packages_missing.connect(self._on_packages_missing)

    def update_buttons(self) -> None:
        """Nothing is offered while something runs."""
        self.ui.fasterButton.enabled = not self.context.installing
        self.ui.packagesButton.enabled = not self.context.installing and self.engine.style_job is None
        if self.engine.style_job is not None:
            self.ui.fasterButton.visible = False

    def _on_translated(self, result: Result) -> None:
        by_torch = result.plan.card.is_torch and (result.backend, result.device) == ("torch", "cpu")
        self.ui.fasterButton.text = _("Make it faster on this processor...")
        self.ui.fasterButton.visible = by_torch and not dependencies.has_faster_cpu()

    def _on_packages_missing(self, card: Card) -> None:
        """Where PyTorch did not come: the way without it, for a style that has one."""
        missing = dependencies.missing(**dependencies.needs_of(card))
        self.ui.fasterButton.text = _("Use the processor, without PyTorch...")
        self.ui.fasterButton.visible = card.runs_in_openvino and dependencies.TORCH in missing

    def on_packages(self, _checked: bool = False) -> None:
        """Show what is installed, and install another library, or the same again."""

        def ask() -> bool:
            choice = PackagesDialog(installed_too=True).ask()
            if choice is not None:
                dependencies.install(choice)
            return choice is not None

        self.context.has_packages(ask)

    def on_faster(self, _checked: bool = False) -> None:
        """Install what runs styles (faster) on the CPU; the next worker finds it."""
        if not self.context.has_packages(dependencies.ensure_faster_cpu):
            return
        self.ui.fasterButton.visible = False
        if dependencies.TORCH in dependencies.missing():
            self.context.status.show(_("OpenVINO is installed. Press Apply; styles run on the processor."))
        else:
            self.context.status.show(_("OpenVINO is installed. The next Apply measures once what is fastest here."))

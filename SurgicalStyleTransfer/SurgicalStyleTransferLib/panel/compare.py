"""The section Compare: what the latest result was made from beside it, faded, or as a checkerboard."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.fusion_job import FusionResult
from SurgicalStyleTransferLib.jobs.style_job import Result
from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.mrml.compare import Compare

from .context import Context, Section, existing


class CompareSection(Section):
    """Decides what the slice views show once there is a result.

    Attributes:
        views: what was changed in the slice views, to be put back.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.views = Compare()
        self._fused_id = ""  # of the fused volume, as long as nothing was translated since
        ui = self.ui
        self._buttons = (
            (ui.sidesButton, "sides", _("Input and result in two linked slice views.")),
            (ui.fadeButton, "fade", _("Result over the input in every slice view.")),
            (
                ui.checkerboardButton,
                "checkerboard",
                _("Squares of the input and of the result in turn, in every slice view."),
            ),
        )
        for button, kind, _tip in self._buttons:
            button.connect("clicked(bool)", lambda checked, kind=kind: self.on_compare(kind if checked else ""))
        ui.restoreButton.connect("clicked(bool)", lambda checked: self.on_compare(""))
        context.translated.connect(self._on_translated)
        context.fused.connect(self._on_fused)

    def parameters_set(self) -> None:
        """Forget a comparison of a loaded scene."""
        if self.parameters.compare and not self.views.active:
            self.parameters.compare = ""  # it was saved while comparing; the views were not

    def update(self) -> None:
        """Show what can be compared, and how it is."""
        comparable = all(self.compared())
        for button, kind, tip in self._buttons:
            button.enabled = comparable
            button.toolTip = tip if comparable else _("Apply a style or fuse volumes first.")
            button.checked = self.parameters.compare == kind
        self.ui.restoreButton.enabled = self.views.active
        self.ui.fadeSlider.enabled = self.parameters.compare == "fade"

    def follow(self) -> None:
        """Bring the views up to date with the fade and the volumes."""
        if self.parameters.compare == "fade" and self.views.active:
            self.views.set_opacity(self.parameters.fade)
        self.views.refresh()

    def node_removed(self, node: object) -> None:
        """Put the views back where they cannot do without the node."""
        if self.views.concerns(node.GetID()):
            self.views.restore()
            self.parameters.compare = ""

    def scene_closing(self) -> None:
        """Forget how the views were."""
        self.views.forget()
        self._fused_id = ""

    def close(self) -> None:
        """Put the views back."""
        self.views.restore()

    def compared(self) -> tuple[object | None, object | None]:
        """What the latest result was made from, and that result: a translation, or a fusion made after it.

        The input survives saving as a node reference.
        """
        result = existing(self._fused_id) or self.parameters.resultVolume
        return None if result is None else result.GetNodeReference(outputs.INPUT_ROLE), result

    def on_compare(self, kind: str) -> None:
        """Show input and result "sides" by side, as "fade" or "checkerboard"; "" goes back to what was before."""
        source, result = self.compared()
        if source is None or result is None:
            kind = ""
        self.parameters.preview = False
        if not kind:
            self.views.restore()
        elif kind == "sides":
            self.views.restore()
            self.views.side_by_side(source, result)
        elif kind == "checkerboard":
            self.views.checkerboard(source, result)
        else:
            self.views.fade(source, result, self.parameters.fade)
        self.parameters.compare = kind
        self.context.update()

    def _on_translated(self, result: Result) -> None:
        self._fused_id = ""
        if self.views.active:
            self.on_compare(self.parameters.compare)
        elif not self.context.preview_active:
            outputs.show_in_slices(existing(result.output_id))

    def _on_fused(self, result: FusionResult) -> None:
        self._fused_id = result.output_id
        compared = self.parameters.compare
        self.on_compare(compared)
        if not compared:
            outputs.show_in_slices(existing(result.output_id))

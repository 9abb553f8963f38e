"""The preview of the style in a slice view, as a part of the section Compare."""

from __future__ import annotations

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.preview import Asked, Preview
from SurgicalStyleTransferLib.mrml.slice_views import slice_widgets
from SurgicalStyleTransferLib.setup import dependencies

from .context import Context, Section
from .tools import fill


class PreviewSection(Section):
    """Starts and stops the preview; it never outlives the module's being in front."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.preview = Preview(self.engine, self._show_message)
        context.bind(self.ui.previewViewComboBox, "previewView")
        self._show_message("")

    def update(self) -> None:
        """Show the slice views of the layout."""
        views = list(slice_widgets())
        fill(self.ui.previewViewComboBox, [(name, name) for name in views])
        if self.parameters.previewView not in views and views:
            self.parameters.previewView = views[0]

    def follow(self) -> None:
        """Start, move or stop the preview."""
        context, parameters = self.context, self.parameters
        is_wanted = context.in_front and parameters.preview and not context.why_not_apply()
        if not is_wanted or self.engine.style_job is not None:
            self._stop()
            return
        card = context.card()
        if card.is_look:
            self._stop()
            self._show_message(_("A look has no preview: it takes the tissues of the whole volume."))
            return
        if dependencies.missing(**dependencies.needs_of(card)):
            self._show_message(_("The preview needs packages that the first Apply installs."))
            return
        asked = Asked(
            parameters.inputVolume.GetID(),
            context.other_inputs(),
            card,
            parameters.direction,
            parameters.device,
            parameters.precision,
        )
        self.preview.start(parameters.previewView, asked)
        context.preview_active = self.preview.active

    def exit(self) -> None:
        """Leave no overlay in the views of another module."""
        self._stop()

    def scene_closing(self) -> None:
        """Take the overlay away."""
        self._stop()

    def close(self) -> None:
        """Take the overlay away."""
        self._stop()

    def _stop(self) -> None:
        self.preview.stop()
        self.context.preview_active = False

    def _show_message(self, text: str) -> None:
        self.ui.previewMessageLabel.text = text
        self.ui.previewMessageLabel.visible = bool(text)

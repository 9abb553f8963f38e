"""The search line over the styles, and the box that leaves those which fit the input volume."""

from __future__ import annotations

from SurgicalStyleTransferLib.mrml import outputs
from SurgicalStyleTransferLib.setup import style_filter
from SurgicalStyleTransferLib.setup.model_cards import Card

from ..context import Context, Section


class FinderSection(Section):
    """Decides which styles the section Style lists; the one that is selected always is."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        ui = self.ui
        ui.styleSearchLineEdit.connect("textChanged(QString)", lambda text: context.update())
        ui.styleFitsCheckBox.connect("toggled(bool)", lambda checked: context.update())
        context.is_style_listed = self.is_listed

    def is_listed(self, card: Card) -> bool:
        """Whether a style is what is searched for, and fits the input if only such are wanted."""
        ui, volume = self.ui, self.parameters.inputVolume if self.parameters is not None else None
        if not style_filter.matches(card, str(ui.styleSearchLineEdit.text)):
            return False
        if not ui.styleFitsCheckBox.checked or volume is None or volume.GetImageData() is None:
            return True
        channels = volume.GetImageData().GetNumberOfScalarComponents()
        return bool(style_filter.fitting_directions(card, channels, outputs.modality_of(volume), volume.GetName()))

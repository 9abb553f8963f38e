"""Fast or careful, in place of planes, ensembles and precisions, which stay under Advanced and Adjust."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from ..context import Context, Section
from ..tools import fill, select

# What each preset sets; "plane" as the style was trained is "".
PRESETS = {
    "fast": {"plane": "", "ensemble": False, "precision": "auto"},
    "careful": {"plane": "all", "ensemble": True, "precision": "fp32"},
}
OWN = "own"


class PresetSection(Section):
    """Shows which preset the parameters are, and sets those of another one."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.ui.presetComboBox.connect("currentIndexChanged(int)", self._on_chosen)

    def update(self) -> None:
        """Show the preset; choices of one's own are one only where there are such."""
        parameters = self.parameters
        now = next(
            (
                name
                for name, values in PRESETS.items()
                if all(parameters.getValue(key) == value for key, value in values.items())
            ),
            OWN,
        )
        entries = [
            (_("Fast: one plane"), "fast"),
            (_("Careful: three planes and an ensemble, many times slower"), "careful"),
        ]
        if now == OWN:
            entries.append((_("As set under Adjust and Advanced"), OWN))
        fill(self.ui.presetComboBox, entries)
        card = self.context.card()
        self.ui.presetComboBox.enabled = card is None or not card.is_look
        select(self.ui.presetComboBox, now)

    def _on_chosen(self, _index: int) -> None:
        name = self.ui.presetComboBox.currentData
        if self.context.is_updating or self.parameters is None or name not in PRESETS:
            return
        with slicer.util.NodeModify(self.parameters):
            for key, value in PRESETS[name].items():
                self.parameters.setValue(key, value)

"""The Help button, which opens the tutorial where the panel is, and the keyboard shortcuts."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..context import Context, Section

TUTORIAL = "https://github.com/SurgicalStyleTransfer/SlicerSurgicalStyleTransfer/blob/main/docs/tutorial.md"
# Keys that neither Slicer nor its modules use.
APPLY_KEY, CANCEL_KEY, COMPARE_KEY = "Ctrl+Alt+A", "Ctrl+Alt+X", "Ctrl+Alt+C"
COMPARISONS = ("sides", "fade", "checkerboard", "")  # in turn, and back


class HelpSection(Section):
    """Shortcuts exist while the module is in front, so that no other module's key is taken."""

    def __init__(self, context: Context, compare: Callable[[str], None]) -> None:
        """Make the button; the keys come with ``enter``.

        Args:
            context: the sections' common ground.
            compare: shows a comparison.
        """
        super().__init__(context)
        self._compare = compare
        self._shortcuts: list[object] = []
        self.ui.helpButton.connect("clicked(bool)", self.on_help)
        keys = _("Keys: {apply} Apply, {cancel} Cancel, {compare} compare in turn.")
        self.ui.helpButton.toolTip = _("Open the tutorial at the part of it that is about what is shown.")
        self.ui.keysLabel.text = keys.format(apply=APPLY_KEY, cancel=CANCEL_KEY, compare=COMPARE_KEY)
        self._connect_keys()

    def enter(self) -> None:
        """Take the keys."""
        self._connect_keys()

    def exit(self) -> None:
        """Leave the keys to other modules."""
        for shortcut in self._shortcuts:
            shortcut.enabled = False
            shortcut.deleteLater()
        self._shortcuts = []

    def close(self) -> None:
        """Leave the keys to other modules."""
        self.exit()

    def _connect_keys(self) -> None:
        if self._shortcuts:
            return
        parent = slicer.util.mainWindow() or self.ui.applyButton.window()
        for key, call in ((APPLY_KEY, self.on_apply), (CANCEL_KEY, self.on_cancel), (COMPARE_KEY, self.on_compare)):
            shortcut = qt.QShortcut(parent)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", call)
            self._shortcuts.append(shortcut)

    def on_apply(self) -> None:
        """Apply, if that is possible; a run under way goes on."""
        if self.engine.style_job is None and self.ui.applyButton.enabled:
            self.ui.applyButton.click()

    def on_cancel(self) -> None:
        """Cancel what is under way."""
        if self.engine.style_job is not None and self.ui.applyButton.enabled:
            self.ui.applyButton.click()
        elif self.engine.fusion_job is not None:
            self.ui.fusionButton.click()

    def on_compare(self) -> None:
        """The next way of comparing."""
        if self.parameters is not None and self.ui.sidesButton.enabled:
            now = self.parameters.compare
            following = COMPARISONS.index(now) + 1 if now in COMPARISONS and now else 0
            self._compare(COMPARISONS[following % len(COMPARISONS)])

    def section_of_tutorial(self) -> str:
        """The heading of the tutorial that is about what the panel shows."""
        ui, parameters = self.ui, self.parameters
        if parameters is None or parameters.inputVolume is None:
            return "2-sample-data"
        for section, heading in (
            (ui.fusionCollapsibleButton, "7-fuse-several-modalities"),
            (ui.batchCollapsibleButton, "several-volumes"),
            (ui.adaptCollapsibleButton, "adapt-to-my-scanner"),
            (ui.adjustCollapsibleButton, "adjust"),
            (ui.qualityCollapsibleButton, "6-read-the-figures"),
            (ui.advancedCollapsibleButton, "when-something-goes-wrong"),
        ):
            if not section.collapsed:
                return heading
        card = self.context.card()
        if card is not None and card.is_look:
            return "the-look-of-other-scans"
        if card is not None and card.many and parameters.resultVolume is None:
            return "any-contrast-from-several-inputs"
        return "5-compare" if parameters.resultVolume is not None else "3-choose-a-style"

    def on_help(self, _checked: bool = False) -> None:
        """Open the tutorial in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl(f"{TUTORIAL}#{self.section_of_tutorial()}"))

"""The section Adapt to my scanner: a style trained further on the user's scans, proven, and saved if it is better."""

from __future__ import annotations

import re
import time

from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs.adaptation import AdaptPlan, AdaptResult
from SurgicalStyleTransferLib.jobs.job import Listener, Progress
from SurgicalStyleTransferLib.setup import training
from SurgicalStyleTransferLib.setup.model_cards import Card

from ..context import Context, Section, Status
from ..dialogs.packages import provide_training
from ..tools import duration, fill, select
from .scans import ScanList

PAIRS, UNPAIRED = "pairs", "unpaired"
SHARES = {"prepare": (0.0, 0.05), "train": (0.05, 0.95), "prove": (0.95, 1.0)}  # of the bar
LONGEST_NAME = 64


class AdaptationSection(Section):
    """Turns the list of scans into a plan, shows how far it is, and selects the new style.

    Attributes:
        scans: the list of scans.
        status: the section's own line and progress bar.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.scans = ScanList(context)
        self.status = Status(self.ui.adaptStatusLabel, self.ui.adaptProgressBar)
        self._proposed = ""  # what stands in the line of the name unless somebody has written there
        self._stage, self._began = "", 0.0
        ui = self.ui
        fill(
            ui.adaptKindComboBox,
            [(_("Pairs, each of one patient"), PAIRS), (_("Of different patients"), UNPAIRED)],
        )
        ui.adaptKindComboBox.connect("currentIndexChanged(int)", self._on_kind)
        for selector in (ui.adaptSourceSelector, ui.adaptTargetSelector):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: self.update_buttons())
        ui.adaptNameLineEdit.connect("textChanged(QString)", lambda text: self.update_buttons())
        ui.adaptCollapsibleButton.connect("contentsCollapsed(bool)", lambda collapsed: self.context.update())
        ui.adaptButton.connect("clicked(bool)", self.on_adapt)
        ui.adaptTextEdit.visible = False

    # Hooks

    def update(self) -> None:
        """Show the scans and the name that is proposed; not while the section is closed."""
        if self.ui.adaptCollapsibleButton.collapsed or self.parameters is None:
            return
        ui, card = self.ui, self.context.card()
        select(ui.adaptKindComboBox, PAIRS if self.scans.paired else UNPAIRED)
        ui.adaptRegisterCheckBox.visible = self.scans.paired
        proposal = "" if card is None or card.problem else self._free_title(card)
        if str(ui.adaptNameLineEdit.text) == self._proposed and proposal != self._proposed:
            self._proposed = proposal
            ui.adaptNameLineEdit.text = proposal
        self.update_buttons()

    def update_buttons(self) -> None:
        """Adapt or Cancel, and why not, in the panel."""
        ui, is_running = self.ui, self._is_running()
        if self.parameters is None or ui.adaptCollapsibleButton.collapsed:
            return
        self.scans.show(self._domains(), is_free=not is_running)
        reason = "" if is_running else self._why_not()
        ui.adaptButton.text = _("Cancel") if is_running else _("Adapt")
        ui.adaptButton.enabled = not reason
        ui.adaptReasonLabel.text = reason or ("" if is_running else training.what_comes())
        ui.adaptReasonLabel.visible = bool(ui.adaptReasonLabel.text)
        for widget in (ui.adaptMinutesSpinBox, ui.adaptNameLineEdit, ui.adaptRegisterCheckBox):
            widget.enabled = not is_running
        if is_running and not self._stage:  # another widget of the module has begun it
            self.status.show(_("A style is being adapted."))

    def node_removed(self, node: object) -> None:
        """A scan goes; what was begun has its own copy."""
        self.scans.node_removed(node)

    def scene_closing(self) -> None:
        """The list goes with the scene, and so does what is under way."""
        if self._is_running():
            self.engine.adaptation.cancel()
        self.scans.scene_closing()

    def close(self) -> None:
        """End what this panel has begun."""
        if self._stage:
            self.engine.adaptation.close()

    # What is chosen

    def _is_running(self) -> bool:
        return self.engine.adaptation.job is not None

    def _domains(self) -> tuple[str, str]:
        """Names of what the style starts with and of what it makes."""
        card = self.context.card()
        if card is None or card.problem:
            return _("From"), _("To")
        way = self.parameters.direction
        names = card.starts_in(way).name, card.ends_in(way).name
        self.ui.adaptSourceLabel.text = _("{domain}:").format(domain=names[0])
        self.ui.adaptTargetLabel.text = _("{domain}:").format(domain=names[1])
        return names

    def _on_kind(self, _index: int) -> None:
        if not self.context.is_updating and self.parameters is not None:
            self.scans.set_paired(self.ui.adaptKindComboBox.currentData != UNPAIRED)
            self.context.update()

    def _why_not(self) -> str:
        """Why nothing can be adapted now; "" where it can."""
        card = self.context.card()
        if self.context.installing:
            return _("Packages are being installed.")
        if why := training.why_never():
            return why
        if card is None:
            return _("Select a style to begin with.")
        if card.problem:
            return card.problem
        if not card.is_torch:
            return _("This style is no network that can be trained further.")
        if card.many:
            return _("A style for many contrasts cannot be adapted; select one for two of them.")
        return self._why_not_scans() or self._why_not_name()

    def _why_not_scans(self) -> str:
        sources, targets = self.scans.chosen()
        if not sources or not targets:
            if self.scans.paired:
                return _("Select two scans of a patient: {first} and {second}.").format(
                    first=self._domains()[0], second=self._domains()[1]
                )
            return _("Add at least one scan of each kind.")
        return ""

    def _why_not_name(self) -> str:
        title = str(self.ui.adaptNameLineEdit.text).strip()
        if not _name_of(title):
            return _("Give the new style a name.")
        if _name_of(title) in self._taken():
            return _("There is a style of that name; give the new one another.")
        return ""

    def _taken(self) -> set[str]:
        return {card.name.lower() for card in self.context.cards}

    def _free_title(self, card: Card) -> str:
        """'Brain MR, T1w to T2w, adapted', with a number where that is taken."""
        title, number = _("{title}, adapted").format(title=card.title), 2
        while _name_of(title) in self._taken():
            title, number = _("{title}, adapted {number}").format(title=card.title, number=number), number + 1
        return title

    # Running

    def on_adapt(self, _checked: bool = False) -> None:
        """Begin, or cancel what is under way."""
        if self._is_running():
            self.status.show(_("Cancelling..."))
            self.engine.adaptation.cancel()
            return
        if not self._why_not() and self.context.has_packages(provide_training):
            self.start()
        self.update_buttons()

    def start(self) -> None:
        """Begin without asking for packages."""
        ui, (sources, targets) = self.ui, self.scans.chosen()
        title = str(ui.adaptNameLineEdit.text).strip()
        plan = AdaptPlan(
            card=self.context.card(),
            direction=self.context.card().alone(self.parameters.direction),
            source_ids=tuple(sources),
            target_ids=tuple(targets),
            name=_name_of(title),
            title=title,
            folder=str(self.engine.models.folder),
            paired=self.scans.paired,
            register=bool(ui.adaptRegisterCheckBox.checked) and self.scans.paired,
            minutes=float(ui.adaptMinutesSpinBox.value),
            device=self.parameters.device if self.parameters.device in ("auto", "cpu", "mps") else "auto",
        )
        ui.adaptTextEdit.plainText = ""
        ui.adaptTextEdit.visible = True
        self._stage, self._began = "prepare", time.monotonic()
        self.status.show(_("Preparing..."))
        self.status.show_progress()
        try:
            listener = Listener(self._on_done, self._on_error, self._on_progress)
            self.engine.adaptation.start(plan, listener, ui.adaptTextEdit.appendPlainText)
        except RuntimeError as error:
            self._on_error("failed", str(error))

    def _on_progress(self, progress: Progress) -> None:
        if progress.stage != self._stage:
            self._stage, self._began = progress.stage, time.monotonic()
        share = progress.done / progress.total if progress.total else 0.0
        first, last = SHARES.get(progress.stage, (0.0, 1.0))
        self.status.show_progress(round(100 * (first + share * (last - first))), 100)
        if progress.stage == "train" and share > 0:
            left = (time.monotonic() - self._began) * (1 - share) / share
            self.status.show(_("Training: {time} left, then both styles are judged.").format(time=duration(left)))
        elif progress.stage == "train":
            self.status.show(_("Training..."))
        elif progress.stage == "prove":
            self.status.show(_("Judging both styles on what was kept aside..."))

    def _on_error(self, code: str, message: str) -> None:
        self._stage = ""
        self.status.hide_progress()
        if code == "cancelled":
            self.status.show(_("Cancelled. Nothing was saved."))
        else:
            self.status.show(message, error=code not in ("stopped", "abandoned"))
        self.update_buttons()

    def _on_done(self, result: AdaptResult) -> None:
        self._stage = ""
        self.status.hide_progress()
        self.status.show(_outcome(result))
        if self.parameters is not None:
            self._proposed = str(self.ui.adaptNameLineEdit.text)
            self.parameters.model = result.name
            self.context.refresh_styles()


def _name_of(title: str) -> str:
    """The folder's name of a style with a title: 'Brain MR, adapted' -> 'brain-mr-adapted'; "" where none is left."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST_NAME].strip("-")


def _outcome(result: AdaptResult) -> str:
    """What came of it, with both figures, in a few sentences."""
    adapted = result.entry["adapted"]
    aside = adapted["aside"][result.plan.direction]
    if aside["kind"] == "volumes":
        where = _("on a volume kept aside")
    else:
        where = _("on {slices} slices kept aside, of the same patient").format(slices=aside["slices"])
    figures = ", ".join(
        text.format(new=aside["adapted"][key], old=aside["original"][key])
        for key, text in _figures().items()
        if key in aside["adapted"] and key in aside["original"]
    )
    text = _("Better {where}: {figures}. Saved as {title}, and selected. Its error bound is not calibrated.").format(
        where=where, figures=figures, title=result.plan.title
    )
    kept = [way for way in adapted["aside"] if way not in adapted["directions"]]
    if kept:
        text += " " + _("The other direction was not better and stays as it was.")
    return " ".join([text, *result.entry["warnings"]])


def _figures() -> dict[str, str]:
    return {
        "psnr": _("PSNR {new:.1f} dB instead of {old:.1f}"),
        "ssim": _("SSIM {new:.2f} instead of {old:.2f}"),
        "mae_normalised": _("mean error {new:.3f} instead of {old:.3f}"),
        "sharpness": _("sharpness {new:.2f} instead of {old:.2f}"),
        "agreement": _("agreement with other patients {new:.3f} instead of {old:.3f}"),
        "placed": _("distance of intensities {new:.3f} instead of {old:.3f}"),
    }

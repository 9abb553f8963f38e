"""The one dialog about packages: graphics card or processor, from the network or from a folder of wheels."""

from __future__ import annotations

from pathlib import Path

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.setup import dependencies, training
from SurgicalStyleTransferLib.setup.dependencies import OPENVINO, TORCH, Choice, InstallationError


def provide(onnx: bool = False, torch: bool = True, openvino: bool = False) -> bool:
    """Have what a style needs, asking once for all that is missing.

    Args:
        onnx: whether ONNX Runtime is needed.
        torch: whether a library that runs networks is needed.
        openvino: whether OpenVINO will do in its place.

    Returns:
        Whether anything was installed.

    Raises:
        InstallationError: it was declined, or did not work.
    """
    needed = dependencies.missing(onnx, torch, openvino)
    if not needed:
        return False
    if TORCH not in needed and OPENVINO not in needed:
        return dependencies.ensure(onnx, torch, openvino)  # small ones only: Slicer's own question does
    choice = PackagesDialog(openvino).ask()
    if choice is None:
        raise InstallationError(_("Nothing was installed, as you chose. Press Apply again when it may be."))
    dependencies.install(choice, onnx)
    return True


def provide_training() -> bool:
    """Have what adapting a style needs: PyTorch by this dialog, small packages by Slicer's own question.

    Returns:
        Whether anything was installed.

    Raises:
        InstallationError: it was declined, or did not work.
    """
    installed = False
    if TORCH in training.missing():
        choice = PackagesDialog(openvino=False, why=_("Adapting trains a network, which needs PyTorch.")).ask()
        if choice is None:
            raise InstallationError(_("Nothing was installed, as you chose. Press Adapt again when it may be."))
        dependencies.install(choice)
        installed = True
    return training.ensure_rest() or installed


class PackagesDialog:
    """Asks what styles are to run on; nothing is downloaded before Install is pressed."""

    def __init__(self, openvino: bool = True, installed_too: bool = False, why: str = "") -> None:
        """Make the dialog.

        Args:
            openvino: whether the style runs on OpenVINO; else PyTorch is the only choice.
            installed_too: whether it was asked for from Advanced, where what is there can be installed again.
            why: the sentence on the choice, in place of the one that follows from the computer.
        """
        self.dialog = qt.QDialog(slicer.util.mainWindow())
        self.dialog.setWindowTitle(_("Surgical Style Transfer"))
        layout = qt.QVBoxLayout(self.dialog)
        self._say(layout, _("Styles need a library that runs networks. Nothing is fetched before you press Install."))
        self.graphics = qt.QRadioButton(_("Graphics card: PyTorch, about 2 GB"))
        self.processor = qt.QRadioButton(_("Processor: OpenVINO, about 60 MB"))
        for button in (self.graphics, self.processor):
            layout.addWidget(button)
        self.graphics.enabled = dependencies.torch_exists()
        self.processor.enabled = openvino
        proposed = self.graphics if dependencies.has_graphics_card() or not openvino else self.processor
        (proposed if proposed.enabled else self.processor).checked = True
        self._say(layout, why or self._why(openvino))
        self._add_advanced(layout, installed_too)
        buttons = qt.QDialogButtonBox()
        buttons.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        buttons.button(qt.QDialogButtonBox.Ok).text = _("Install")
        buttons.connect("accepted()", self.dialog.accept)
        buttons.connect("rejected()", self.dialog.reject)
        layout.addWidget(buttons)

    def _say(self, layout: object, text: str) -> None:
        label = qt.QLabel(text)
        label.wordWrap, label.textFormat = True, qt.Qt.PlainText
        layout.addWidget(label)

    def _why(self, openvino: bool) -> str:
        if not dependencies.torch_exists():
            return _("PyTorch is no longer made for Macs as Slicer runs on them.")
        if not openvino:
            return _("This style runs with PyTorch only.")
        if dependencies.has_graphics_card():
            return _("A graphics card was found, on which styles are fastest.")
        return _("No graphics card was found that PyTorch could use.")

    def _add_advanced(self, layout: object, installed_too: bool) -> None:
        section = ctk.ctkCollapsibleButton()
        section.text, section.collapsed = _("Advanced"), not installed_too
        form = qt.QFormLayout(section)
        versions = dependencies.installed_versions()
        there = [f"{name} {version}" for name, version in versions.items() if version]
        label = qt.QLabel(_("Installed: {versions}").format(versions=", ".join(there) or _("none of them")))
        label.wordWrap, label.textFormat = True, qt.Qt.PlainText
        form.addRow(label)
        self.again = qt.QCheckBox(_("Install again what is there"))
        self.again.toolTip = _(
            "For packages that are damaged: they are fetched anew, PyTorch too where it is chosen above (2 GB; restart "
            "Slicer first if it was used)."
        )
        form.addRow(self.again)
        row = qt.QHBoxLayout()
        self.wheels = qt.QLineEdit()
        self.wheels.placeholderText = _("from the network")
        self.wheels.toolTip = _(
            "For a computer without a network: a folder of wheels, made elsewhere with 'pip download' for the same "
            "system and Python. The network is not used then."
        )
        browse = qt.QPushButton(_("Browse..."))
        browse.connect("clicked(bool)", self.on_browse)
        row.addWidget(self.wheels)
        row.addWidget(browse)
        label = qt.QLabel(_("Folder of wheels:"))
        label.setBuddy(self.wheels)
        form.addRow(label, row)
        layout.addWidget(section)

    def on_browse(self, _checked: bool = False) -> None:
        """Ask for the folder of wheels."""
        folder = str(qt.QFileDialog.getExistingDirectory(self.dialog, _("Folder of wheels")) or "")
        if folder:
            self.wheels.text = folder

    def choice(self) -> Choice:
        """What is chosen now.

        Raises:
            InstallationError: the folder of wheels is none, or is empty.
        """
        wheels = self.wheels.text.strip()
        if wheels and not any(Path(wheels).glob("*.whl")):
            raise InstallationError(_("The folder {folder} holds no wheels (*.whl).").format(folder=wheels))
        library = TORCH if self.graphics.checked else OPENVINO
        return Choice(library, wheels, bool(self.again.checked))

    def ask(self) -> Choice | None:
        """Show it; None where it was cancelled. Raises what ``choice`` raises."""
        try:
            return self.choice() if self.dialog.exec_() else None
        finally:
            self.dialog.deleteLater()

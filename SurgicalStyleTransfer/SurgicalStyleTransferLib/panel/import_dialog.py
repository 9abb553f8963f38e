"""What weights do not say of themselves, asked when they are imported."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

MODALITIES = ("MR", "CT", "DX", "PT", "US", "")
PACKED = (".zip",)
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
COLOURS = ("rgb", "luminance")
FEATURES = ("auto", "vgg19", "vgg16", "random")  # those of the engine that are worth a choice here


def choose_file() -> str:
    """A file to import, or "" where the user changed their mind."""
    return str(
        qt.QFileDialog.getOpenFileName(
            slicer.util.mainWindow(),
            _("Import a style"),
            "",
            _("Styles (*.zip *.pth *.onnx *.png *.jpg *.jpeg *.tif *.tiff);;All files (*)"),
        )
        or ""
    )


def is_packed(source: str) -> bool:
    """Whether a file brings its own card."""
    return Path(source).suffix.lower() in PACKED


def is_picture(source: str) -> bool:
    """Whether a file is a style picture, of which only its name, use of colour, features and licence are asked."""
    return Path(source).suffix.lower() in PICTURES


def dialog_for(source: str) -> ImportDialog | PictureDialog:
    """The form that suits a file."""
    return PictureDialog(source) if is_picture(source) else ImportDialog(source)


class ImportDialog:
    """A form for name, domains, spacing and licence of weights."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.dialog = qt.QDialog(slicer.util.mainWindow())
        self.dialog.setWindowTitle(_("Import a style"))
        form = qt.QFormLayout(self.dialog)
        label = qt.QLabel(
            _("{file} holds weights, which do not say what they were trained on.").format(file=Path(source).name)
        )
        label.wordWrap, label.textFormat = True, qt.Qt.PlainText  # a file may be called as it likes
        form.addRow(label)
        self.name = self._line(form, _("Name:"), _name_from(source))
        self.source_name = self._line(form, _("From:"), "")
        self.source_name.placeholderText = _("for example T1w")
        self.source_modality = self._modality(form)
        self.target_name = self._line(form, _("To:"), "")
        self.target_name.placeholderText = _("for example CT")
        self.target_modality = self._modality(form)
        self.spacing = qt.QDoubleSpinBox()
        self.spacing.decimals = 2
        self.spacing.maximum = 10.0
        self.spacing.singleStep = 0.1
        self.spacing.suffix = " mm"
        self.spacing.specialValueText = _("as the volume")
        self.spacing.toolTip = _("Pixel spacing of the training images, if known.")
        form.addRow(_("Pixel spacing:"), self.spacing)
        self.licence = self._line(form, _("Licence:"), "")
        self._add_buttons(form)

    def ask(self) -> dict[str, object] | None:
        """The arguments of the import, or None where it was cancelled."""
        try:
            return self.arguments() if self.dialog.exec_() else None
        finally:
            self.dialog.deleteLater()  # the main window would keep it as long as Slicer runs

    def arguments(self) -> dict[str, object]:
        """Of the import, as they are filled in."""
        return {
            "name": self.name.text.strip(),
            "source_name": self.source_name.text.strip(),
            "target_name": self.target_name.text.strip(),
            "source_modality": self.source_modality.currentData,
            "target_modality": self.target_modality.currentData,
            "spacing_mm": self.spacing.value or None,
            "licence": self.licence.text.strip() or "unstated",
        }

    def _add_buttons(self, form: object) -> None:
        # Given to the constructor, PythonQt would take their number for an orientation.
        self.buttons = qt.QDialogButtonBox()
        self.buttons.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        self.buttons.connect("accepted()", self.dialog.accept)
        self.buttons.connect("rejected()", self.dialog.reject)
        form.addRow(self.buttons)

    def _line(self, form: object, label: str, text: str) -> object:
        line = qt.QLineEdit()
        line.text = text
        form.addRow(label, line)
        return line

    def _modality(self, form: object) -> object:
        combo = qt.QComboBox()
        for modality in MODALITIES:
            combo.addItem(modality or _("none (pictures)"), modality)
        form.addRow(_("Modality:"), combo)
        return combo


class PictureDialog(ImportDialog):
    """A form for name, colour, features and licence of a style picture."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.dialog = qt.QDialog(slicer.util.mainWindow())
        self.dialog.setWindowTitle(_("Import a style"))
        form = qt.QFormLayout(self.dialog)
        label = qt.QLabel(
            _("{file} becomes a style: volumes are painted in its manner, which takes some seconds a slice.").format(
                file=Path(source).name
            )
        )
        label.wordWrap, label.textFormat = True, qt.Qt.PlainText  # a file may be called as it likes
        form.addRow(label)
        self.name = self._line(form, _("Name:"), _name_from(source))
        self.colour = qt.QComboBox()
        for colour, text in zip(COLOURS, (_("the picture's colours"), _("texture only, in greyscale")), strict=True):
            self.colour.addItem(text, colour)
        form.addRow(_("Takes on:"), self.colour)
        self.features = qt.QComboBox()
        texts = (_("the best network here"), "VGG-19", "VGG-16", _("random filters: faster, colours and texture only"))
        for features, text in zip(FEATURES, texts, strict=True):
            self.features.addItem(text, features)
        self.features.toolTip = _("What the picture is described by. A network that is not here is asked for on Apply.")
        form.addRow(_("Described by:"), self.features)
        self.licence = self._line(form, _("Licence:"), "")
        self.licence.placeholderText = _("of the picture")
        self._add_buttons(form)

    def arguments(self) -> dict[str, object]:
        """Of the import, as they are filled in."""
        return {
            "name": self.name.text.strip(),
            "colour": self.colour.currentData,
            "features": self.features.currentData,
            "licence": self.licence.text.strip() or "unstated",
        }


def _name_from(source: str) -> str:
    """A file name as a model's name: letters, digits, dots, dashes and underscores."""
    text = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in Path(source).stem)
    return text.strip("-")[:64]

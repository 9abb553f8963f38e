"""The button "Export DICOM...": the latest result as a new series of its input's study."""

from __future__ import annotations

import re
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.jobs import dicom_job
from SurgicalStyleTransferLib.jobs.job import Listener
from SurgicalStyleTransferLib.jobs.style_job import Result

from ..context import Context, Section


class DicomExportSection(Section):
    """Asks for a folder, and has the worker write into a new one in it."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.ui.exportDicomButton.connect("clicked(bool)", self.on_export)

    def update_buttons(self) -> None:
        """Whether there is something to export, and why not."""
        button, engine = self.ui.exportDicomButton, self.engine
        is_busy = self.context.installing or engine.style_job is not None or engine.dicom_job is not None
        reason = dicom_job.why_not(self._result()) if self.parameters is not None else ""
        button.enabled = self.parameters is not None and not reason and not is_busy
        button.toolTip = reason or _(
            "Write the latest result as a DICOM series of the input's patient and study: derived, marked as synthetic, "
            "with new UIDs."
        )

    def scene_closing(self) -> None:
        """End an export."""
        if self.engine.dicom_job is not None:
            self.engine.dicom_job.abandon("")

    def _result(self) -> Result | None:
        node = self.parameters.resultVolume
        return None if node is None else self.engine.results.get(node.GetID())

    def on_export(self, _checked: bool = False) -> None:
        """Ask where to, and export."""
        title = _("Folder in which the DICOM series gets a folder of its own")
        parent = str(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title) or "")
        if parent:
            self.export(Path(parent))

    def export(self, parent: Path) -> None:
        """Write the latest result into a new folder.

        Args:
            parent: where that is made.
        """
        context, node = self.context, self.parameters.resultVolume
        folder = _new_folder(parent, node.GetName())

        def done(written: Path) -> None:
            context.status.hide_progress()
            context.status.show(_("{name} was exported to {folder}.").format(name=folder.name, folder=written))
            context.update_buttons()

        def failed(code: str, message: str) -> None:
            context.status.hide_progress()
            context.status.show_failure(code, message)
            context.update_buttons()

        context.status.show_progress()
        context.status.show(_("Exporting DICOM..."))
        self.engine.export_dicom(node.GetID(), folder, Listener(done, failed))
        context.update_buttons()


def _new_folder(parent: Path, name: str) -> Path:
    """A folder that is not there yet, named so that every file system takes it."""
    plain = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "-", name).strip(" .") or "synthetic"
    folder, number = parent / plain, 1
    while folder.exists():
        number += 1
        folder = parent / f"{plain} {number}"
    return folder

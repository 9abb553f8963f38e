"""A result as a DICOM series of its input's study, written by the worker."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SurgicalStyleTransferLib.mrml import dicom_tags
from SurgicalStyleTransferLib.worker.client import WorkerClient
from SurgicalStyleTransferLib.worker.exchange import Exchange

from .job import Job, Listener
from .style_job import Result


def why_not(result: Result | None) -> str:
    """Why a result cannot be exported as DICOM, or "".

    Args:
        result: of the engine; None where the worker does not have it any more.
    """
    if result is None:
        return _("The translation is no longer in memory; press Apply first.")
    if not result.keys:
        return _("A volume in another look is not exported as DICOM; save it as NRRD, whose header says what it is.")
    if len(result.keys) > 1:
        return _("Sequences cannot be exported as DICOM; translate one frame.")
    if result.plan.card.ends_in(result.plan.direction).channels != 1:
        return _("Colour images cannot be exported as DICOM.")
    source = slicer.mrmlScene.GetNodeByID(result.plan.input_id)
    if source is None:
        return _("The input volume is gone; its patient and study would be unknown.")
    if not dicom_tags.files_of(source):
        return _("The input was not loaded from DICOM, so that patient and study are unknown.")
    return ""


class DicomJob(Job):
    """Writes one result; its outcome is the folder."""

    def __init__(
        self, client: WorkerClient, exchange: Exchange, result: Result, folder: Path, listener: Listener
    ) -> None:
        super().__init__(client, exchange, listener)
        self._result, self._folder = result, folder

    def _begin(self) -> None:
        reason = why_not(self._result)
        if reason:
            raise ValueError(reason)
        files = dicom_tags.files_of(slicer.mrmlScene.GetNodeByID(self._result.plan.input_id))
        self._ask(
            "export_dicom",
            lambda _answer: self._finish(self._folder),
            keep=self._result.keys[0],
            files=[str(file) for file in files],
            output=str(self._folder),
        )

"""DICOM out of the panel: what Slicer's own exporter reads, and a series of our own that pydicom reads."""

import types

import numpy as np
import pytest
from dicom_files import axes_of, pydicom, write_slice
from scene_helpers import engines_volume
from tiny_models import head


@pytest.fixture
def dicom_volume(slicer_app, scene, module, tmp_path, monkeypatch):
    """A volume as Slicer's DICOM module loads it, and the database that knows its files."""
    from SurgicalStyleTransferLib.mrml import geometry

    folder, files = tmp_path / "database", {}
    folder.mkdir()
    array = np.round(head()).astype(np.uint16)
    for number, pixels in enumerate(array):
        path = folder / f"{number}.dcm"
        write_slice(path, pixels, (-30.0, 12.5, 4.0 * number), axes_of(np.eye(3)), number=number + 1)
        files[pydicom.dcmread(path).SOPInstanceUID] = str(path)
    database = types.SimpleNamespace(fileForInstance=lambda uid: files.get(uid, ""))
    monkeypatch.setattr(slicer_app, "dicomDatabase", database, raising=False)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "2: t1 sagittal")
    slicer_app.util.updateVolumeFromArray(node, array)
    geometry.set_from_lps(node, [0.25, 0.5, 4.0], [-30.0, 12.5, 0.0], np.eye(3))
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    return node, files


def test_the_exported_series_is_the_patients_derived_and_synthetic(
    slicer_app, ready, apply, until, dicom_volume, tmp_path, monkeypatch
):
    import qt

    node, files = dicom_volume
    widget = ready(node=node)
    button = widget.ui.exportDicomButton
    assert not button.enabled and "press Apply first" in button.toolTip
    result = apply(widget)
    assert button.enabled and "new UIDs" in button.toolTip
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *arguments: str(tmp_path), raising=False)
    button.click()
    until(lambda: widget.logic.engine.dicom_job is None, "the end of the export")
    folder = tmp_path / "2- t1 sagittal T2w (synthetic)"
    assert str(folder) in widget.ui.statusLabel.text and not widget.ui.progressBar.visible
    headers = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    assert len(headers) == 12
    for header in headers:
        assert (header.Modality, header.PatientID, header.StudyInstanceUID) == ("MR", "ID-4711", "1.2")
        assert list(header.ImageType)[:2] == ["DERIVED", "SECONDARY"] and header[0x0008001C].value == "YES"
        assert header.SeriesInstanceUID != "1.2.3" and header.SOPInstanceUID not in files
        assert header.SourceImageSequence[0].ReferencedSOPInstanceUID in files
        assert header.SeriesDescription.startswith("SYNTHETIC T2w from T1w by tiny")
    pixels = np.stack([header.pixel_array for header in headers])
    np.testing.assert_allclose(pixels, engines_volume(result).array[0], atol=0.51)
    # A second one gets another folder.
    widget.panel.dicom.export(tmp_path)
    until(lambda: widget.logic.engine.dicom_job is None, "the end of the export")
    assert (tmp_path / f"{folder.name} 2").is_dir()


def test_what_slicers_own_exporter_reads(slicer_app, scene, ready, apply, module):
    """Without a modality it writes CT."""
    from SurgicalStyleTransferLib.mrml import outputs

    result = apply(ready())
    hierarchy = slicer_app.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(result)
    assert hierarchy.GetItemAttribute(item, "DICOM.Modality") == "MR"
    assert hierarchy.GetItemAttribute(item, "DICOM.SeriesDescription").startswith("SYNTHETIC T2w from T1w by tiny")
    assert outputs.modality_of(result) == "", "a style must not take it for an acquired MR"


def test_why_not(slicer_app, done, volume):
    widget = done()
    button = widget.ui.exportDicomButton
    assert not button.enabled and "was not loaded from DICOM" in button.toolTip
    widget.logic.engine.results.clear()
    widget.panel.update()
    assert "no longer in memory" in button.toolTip

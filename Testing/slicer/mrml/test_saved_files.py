"""Files that MRML's own writers write of synthetic volumes, whoever saves: they say what they are of."""

import gzip
import json

import numpy as np
import pytest

NOTES = {
    "Synthetic": "yes",
    "SyntheticFrom": "T1w",
    "SyntheticTo": "T2w",
    "SyntheticStrength": "1",
    "StyleModel": "tiny",
    "StyleModelSHA256": "ab" * 32,
    "IntendedUse": "Research.",
}
LINE = "SYNTHETIC T2w from T1w by tiny abababababab"


@pytest.fixture
def watched(slicer_app, scene, module):
    from SurgicalStyleTransferLib.mrml.saved_files import SavedFiles

    watcher = SavedFiles(scene)
    yield watcher
    watcher.close()


@pytest.fixture
def synthetic(volume, module):
    """A synthetic volume without a worker."""
    from SurgicalStyleTransferLib.mrml import outputs

    def make(name="Head T2w (synthetic)", **named):
        node = volume(name, **named)
        outputs.mark(node, "Head", NOTES)
        return node

    return make


def save(node, path):
    node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    return path


def descrip(path):
    opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    with opened as stream:
        return stream.read(348)[148:228].rstrip(b"\0").decode("ascii")


def read(path):
    import SimpleITK as sitk

    image = sitk.ReadImage(str(path))
    return sitk.GetArrayFromImage(image), image.GetOrigin(), image.GetSpacing(), image.GetDirection()


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_every_format_carries_the_mark_and_the_same_image(watched, synthetic, volume, tmp_path, ending):
    acquired, made = (tmp_path / f"{name}{ending}" for name in ("acquired", "made"))
    save(volume("Head"), acquired)
    save(synthetic(), made)
    for first, second in zip(read(acquired), read(made), strict=True):
        np.testing.assert_array_equal(first, second)
    sidecar = made.with_name(made.name + ".synthetic.json")
    if ending in (".nrrd", ".nhdr"):
        head = made.read_bytes().partition(b"\n\n")[0].decode()
        assert "SurgicalStyleTransfer.Synthetic:=yes" in head and f"StyleModelSHA256:={'ab' * 32}" in head
        assert not sidecar.exists()
    else:
        said = json.loads(sidecar.read_text())
        assert said["Synthetic"] is True and said["StyleModelSHA256"] == "ab" * 32 and said["File"] == made.name
        assert "Synthetic T2w image made from Head" in said["Description"]
    if ".nii" in ending:
        assert descrip(made) == LINE and descrip(acquired) == ""
    assert not list(tmp_path.glob("acquired*.json")) and b"Synthetic" not in acquired.read_bytes()
    assert not list(tmp_path.glob(".*")), "no temporary file is left"


def test_a_scene_saved_as_nifti(slicer_app, scene, watched, synthetic, volume, tmp_path):
    """As Slicer saves a scene whose volumes go into NIfTI by default."""
    default = slicer_app.vtkMRMLVolumeArchetypeStorageNode()
    default.SetDefaultWriteFileExtension("nii.gz")
    scene.AddDefaultNode(default)
    try:
        synthetic()
        volume("Acquired")
        folder = tmp_path / "scene"
        folder.mkdir()
        assert scene.SaveSceneToSlicerDataBundleDirectory(str(folder), None)
        data = folder / "Data"
        assert descrip(data / "Head T2w (synthetic).nii.gz") == LINE and descrip(data / "Acquired.nii.gz") == ""
        assert [path.name for path in data.glob("*.json")] == ["Head T2w (synthetic).nii.gz.synthetic.json"]
    finally:
        default.SetDefaultWriteFileExtension("nrrd")


def test_choosing_the_name_of_an_acquired_file_does_not_mark_that_file(watched, synthetic, volume, tmp_path):
    """Before anything is written, and after an earlier write."""
    acquired = save(volume("Head"), tmp_path / "acquired.nii.gz")
    node = synthetic()
    save(node, tmp_path / "made.nii.gz")
    node.GetStorageNode().SetFileName(str(acquired))
    node.GetStorageNode().Modified()
    assert descrip(acquired) == "" and len(list(tmp_path.glob("*.json"))) == 1


def test_volumes_that_were_there_before_and_a_second_watcher(slicer_app, scene, module, synthetic, tmp_path):
    from SurgicalStyleTransferLib.mrml.saved_files import SavedFiles

    node = synthetic()
    save(node, tmp_path / "before.nii")
    assert descrip(tmp_path / "before.nii") == ""
    watchers = [SavedFiles(scene), SavedFiles(scene)]
    save(node, tmp_path / "after.nii")
    assert descrip(tmp_path / "after.nii") == LINE and descrip(tmp_path / "before.nii") == ""
    for watcher in watchers:
        watcher.close()
    save(node, tmp_path / "closed.nii")
    assert descrip(tmp_path / "closed.nii") == ""


def test_slicer_watches_from_its_start(slicer_app, module, scene, synthetic, tmp_path):
    class Parent:
        path = module.__file__

    made = module.SurgicalStyleTransfer(Parent())
    slot = slicer_app.app.startup_slots.pop()
    slot()
    try:
        assert descrip(save(synthetic(), tmp_path / "made.nii")) == LINE
    finally:
        made._savedFiles.close()


def test_a_file_that_cannot_be_marked_is_told(slicer_app, watched, synthetic, tmp_path, monkeypatch):
    from SurgicalStyleTransferLib.mrml import saved_files

    told = []
    monkeypatch.setattr(slicer_app.util, "errorDisplay", told.append)

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved_files.os, "replace", full)
    save(synthetic(), tmp_path / "made.nii.gz")
    assert len(told) == 1 and "No space left on device" in told[0] and read(tmp_path / "made.nii.gz")[0].any()
    assert [path.name for path in tmp_path.iterdir()] == ["made.nii.gz"]

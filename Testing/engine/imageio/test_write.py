"""Writing: whole files only, whatever fails."""

import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from image_files import EXACT, NIFTI, make, names, picture

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.formats import PICTURE_ENDINGS
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume


class TestWriting:
    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    def test_only_the_asked_for_files_appear(self, tmp_path, ending):
        write_volume(make(), tmp_path / f"out put é{ending}")
        expected = [f"out put é{ending}", *(["out put é.zraw"] if ending == ".mhd" else [])]
        assert names(tmp_path) == sorted(expected)
        assert np.array_equal(read_volume(tmp_path / f"out put é{ending}").array, make().array)

    def test_capital_endings(self, tmp_path):
        write_volume(make(), tmp_path / "V.NII.GZ")
        assert np.array_equal(read_volume(tmp_path / "V.NII.GZ").array, make().array)

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    def test_an_old_file_is_replaced(self, tmp_path, ending):
        path = tmp_path / f"v{ending}"
        write_volume(make(shape=(9, 9, 9)), path)
        write_volume(make(), path)
        assert np.array_equal(read_volume(path).array, make().array)

    def test_metadata_never_reach_the_file(self, tmp_path):
        write_volume(make(metadata={"PatientName": "Doe^Jane"}), tmp_path / "v.nrrd")
        assert b"Doe" not in (tmp_path / "v.nrrd").read_bytes()
        assert read_volume(tmp_path / "v.nrrd").metadata == {}

    def test_texts_in_a_file_do_not_reach_the_metadata(self, tmp_path):
        image = make().to_sitk()
        image.SetMetaData("PatientName", "Doe^Jane")
        sitk.WriteImage(image, str(tmp_path / "v.nrrd"))
        assert b"Doe" in (tmp_path / "v.nrrd").read_bytes()
        assert read_volume(tmp_path / "v.nrrd").metadata == {}

    @pytest.mark.parametrize("name", ["v.txt", "v", "v.dcm", "v.gz"])
    def test_unknown_formats(self, tmp_path, name):
        with pytest.raises(InputError, match="no format that can be written"):
            write_volume(make(), tmp_path / name)

    def test_no_folder_or_a_folder_in_the_way(self, tmp_path):
        with pytest.raises(StyleTransferError, match="does not exist"):
            write_volume(make(), tmp_path / "none" / "v.nrrd")
        (tmp_path / "v.nrrd").mkdir()
        with pytest.raises(StyleTransferError, match="it is a folder"):
            write_volume(make(), tmp_path / "v.nrrd")
        assert names(tmp_path) == ["v.nrrd"]

    @pytest.mark.parametrize("ending", EXACT + NIFTI + [".png", ".tif", ".jpg"])
    def test_unwritable_folder(self, unwritable, ending, capfd):
        volume = picture() if ending in PICTURE_ENDINGS else make()
        with pytest.raises(StyleTransferError, match=rf"v{ending} cannot be written: .+") as caught:
            write_volume(volume, unwritable / f"v{ending}")
        assert not isinstance(caught.value, InputError) and "\n" not in str(caught.value)
        assert names(unwritable) == [] and capfd.readouterr().err == ""

    @pytest.mark.parametrize("ending", EXACT + NIFTI + [".png"])
    @pytest.mark.parametrize("old", [True, False])
    def test_a_failed_renaming_changes_nothing(self, tmp_path, monkeypatch, ending, old):
        """The data beside a .mhd header get their name first: they must not stay with the old header, or alone."""
        volume = picture() if ending in PICTURE_ENDINGS else make()
        path = tmp_path / f"v{ending}"
        if old:
            write_volume(volume, path)
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        replace = os.replace

        def refuse(source, target):
            if str(target) == str(path):
                raise PermissionError(13, "Permission denied")
            replace(source, target)

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(StyleTransferError, match="cannot be written: Permission denied"):
            write_volume(volume.with_array(volume.array + 1), path)
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before

    @pytest.mark.parametrize("ending", EXACT + NIFTI + [".png", ".tif"])
    def test_a_full_disk_leaves_the_old_file_and_nothing_else(self, tmp_path, ending):
        """A limit on the size of files makes every write beyond it fail, just as a full disk does."""
        pytest.importorskip("resource")
        path = tmp_path / f"v{ending}"
        flat = ending in PICTURE_ENDINGS
        write_volume(picture() if flat else make(), path)
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        code = f"""
import resource, signal
import numpy as np
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.volumes.volume import Volume
from surgical_style_engine.imageio.write import write_volume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
shape = (1, 1, 600, 600) if {flat} else (1, 40, 100, 90)
volume = Volume(np.random.default_rng(0).integers(0, 60000, shape).astype(np.uint16), is_2d={flat})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_volume(volume, {str(path)!r})
except StyleTransferError as error:
    assert not isinstance(error, InputError)
    assert "cannot be written" in str(error) and "\\n" not in str(error)
    print("refused")
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
        )
        assert done.stdout == "refused\n", done.stderr
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before

    def test_a_writer_that_says_nothing_is_not_believed(self, tmp_path, monkeypatch):
        """ITK's NIfTI writer ignores failed writes; the file is read back before it gets its name."""
        write = sitk.WriteImage

        def half(image, name, **arguments):
            write(image, name, **arguments)
            with open(name, "r+b") as stream:
                stream.truncate(os.path.getsize(name) // 2)

        monkeypatch.setattr(sitk, "WriteImage", half)
        for ending in (".nii", ".nii.gz", ".nrrd", ".mha", ".png", ".jpg"):
            volume = picture(shape=(50, 60)) if ending in PICTURE_ENDINGS else make(shape=(20, 30, 40))
            with pytest.raises(StyleTransferError, match="cannot be written"):
                write_volume(volume, tmp_path / f"v{ending}")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("ending", NIFTI)
    @pytest.mark.parametrize("what", ["a voxel", "the size", "the type"])
    def test_another_content_of_equal_length_is_noticed(self, tmp_path, monkeypatch, ending, what):
        write = sitk.WriteImage

        def other(image, name, **arguments):
            array = sitk.GetArrayFromImage(image)
            if what == "a voxel":
                array[3, 2, 1] += 1
            elif what == "the size":
                array = array.transpose(0, 2, 1).copy().reshape(array.shape[0], array.shape[2], array.shape[1])
            else:
                array = array.view(f"u{array.itemsize}")
            write(sitk.GetImageFromArray(array), name, **arguments)

        monkeypatch.setattr(sitk, "WriteImage", other)
        volume = make(shape=(20, 30, 40))
        with pytest.raises(StyleTransferError, match="cannot be written"):
            write_volume(volume.with_array(volume.array.astype(np.int16)), tmp_path / f"v{ending}")
        assert names(tmp_path) == []

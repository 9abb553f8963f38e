"""Names of files: endings in any spelling, and what a folder holds."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
from image_files import bad, make, names, picture

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import is_volume_file, list_volumes
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import check_output, write_volume


class TestNames:
    """What is reported as written can be read under its name."""

    @pytest.mark.parametrize("name", ["o%03d.mhd", "100%.mhd", "LIST.mhd", "LISTED.mhd", " first.mhd", "a.b.mhd"])
    def test_names_that_headers_would_misread(self, tmp_path, name):
        for seed in (0, 1):
            volume = make()
            volume = volume.with_array(volume.array + np.int16(seed))
            write_volume(volume, tmp_path / name)
            assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name))), volume.array[0])
            assert np.array_equal(read_volume(tmp_path / name).array, volume.array)

    @pytest.mark.parametrize("name", ["x.MHD", "x.Mha", "x.MHA", "x.Nii", "x.nii.GZ", "x.Jpg"])
    def test_endings_that_readers_do_not_know(self, tmp_path, name):
        volume = picture() if name.endswith("Jpg") else make()
        for refuse in (lambda: check_output(tmp_path / name), lambda: write_volume(volume, tmp_path / name)):
            with pytest.raises(InputError, match=f"call it {name.lower()}.$"):
                refuse()
        assert names(tmp_path) == []

    @pytest.mark.parametrize("name", ["x.NII", "x.NII.GZ", "x.NRRD", "x.PNG", "x.JPG", "x.TIF", "x.Png", "x.Nrrd"])
    def test_endings_in_capitals_that_they_know(self, tmp_path, name):
        volume = picture() if name[2:].lower() in ("png", "jpg", "tif") else make()
        write_volume(volume, tmp_path / name)
        assert sitk.ReadImage(str(tmp_path / name)).GetSize()[:2] == volume.size[:2]
        assert names(tmp_path) == [name]

    @pytest.mark.parametrize("name", ["x.MHA", "x.Mha", "x.Jpg", "x.Jpeg"])
    def test_files_of_other_systems_are_read_all_the_same(self, tmp_path, name):
        volume = picture() if "J" in name else make()
        write_volume(volume, tmp_path / name.lower())
        os.replace(tmp_path / name.lower(), tmp_path / name)
        assert read_volume(tmp_path / name).size == volume.size

    def test_nifti_of_mixed_spelling_is_refused_with_its_reason(self, tmp_path):
        write_volume(make(), tmp_path / "x.nii.gz")
        os.replace(tmp_path / "x.nii.gz", tmp_path / "x.Nii.Gz")
        bad(tmp_path / "x.Nii.Gz", "ending in lower case")

    def test_pictures_of_several_slices_are_refused_beforehand(self, tmp_path):
        with pytest.raises(InputError, match="4 slices"):
            check_output(tmp_path / "v.png", make())
        check_output(tmp_path / "v.png", picture())


class TestFolders:
    def test_lists_what_can_be_read(self, tmp_path):
        for name in ("b.nii.gz", "a.nrrd", "c.PNG", ".hidden.nii", "notes.txt", "v.zraw", "slice.dcm"):
            (tmp_path / name).write_text("x")
        (tmp_path / "folder.nii").mkdir()
        assert [p.name for p in list_volumes(tmp_path)] == ["a.nrrd", "b.nii.gz", "c.PNG", "slice.dcm"]
        assert is_volume_file(tmp_path / "b.nii.gz") and not is_volume_file(tmp_path / "missing.nii.gz")

    def test_no_folder(self, tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            list_volumes(tmp_path / "none")
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="is not a folder"):
            list_volumes(tmp_path / "file")

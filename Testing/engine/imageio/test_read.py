"""Reading: one clear sentence for everything that cannot be used, and real images."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
from image_files import EXACT, NIFTI, bad, make, picture, same_geometry

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.formats import PICTURE_ENDINGS, list_volumes
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.volumes.volume import check_volume


class TestBadFiles:
    def test_missing(self, tmp_path):
        bad(tmp_path / "none.nii.gz", "does not exist")

    @pytest.mark.parametrize("name", ["v.nii.gz", "v.nrrd", "v.png", "v.dcm"])
    def test_empty(self, tmp_path, name):
        (tmp_path / name).touch()
        bad(tmp_path / name, "is empty")

    @pytest.mark.parametrize("name", ["v.txt", "v.gz", "volume", "v.npy"])
    def test_unsupported(self, tmp_path, name):
        (tmp_path / name).write_text("something")
        bad(tmp_path / name, "no supported format")

    @pytest.mark.parametrize("ending", [*EXACT, *NIFTI, ".png", ".jpg", ".tif", ".dcm"])
    def test_not_what_the_name_says(self, tmp_path, ending, capfd):
        name = f"v{ending}"
        (tmp_path / name).write_text("this is no image at all\n" * 40)
        bad(tmp_path / name, "damaged|no readable image")
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize("ending", EXACT + NIFTI + [".png", ".jpg", ".tif"])
    @pytest.mark.parametrize("part", [0.3, 0.6, 0.97])
    def test_truncated(self, tmp_path, ending, part, capfd):
        flat = ending in PICTURE_ENDINGS
        volume = picture(shape=(80, 90)) if flat else make(shape=(20, 30, 40))
        path = tmp_path / f"v{ending}"
        write_volume(volume, path)
        data = path.with_suffix(".zraw") if ending == ".mhd" else path
        data.write_bytes(data.read_bytes()[: int(data.stat().st_size * part)])
        bad(path, "damaged|no readable image")
        assert capfd.readouterr().err == ""

    def test_truncated_uncompressed_meta_image(self, tmp_path, capfd):
        path = tmp_path / "v.mha"
        sitk.WriteImage(make(shape=(20, 30, 40)).to_sitk(), str(path), useCompression=False)
        path.write_bytes(path.read_bytes()[:-7])
        bad(path, "truncated")
        assert capfd.readouterr().err == ""

    def test_raw_data_missing(self, tmp_path):
        write_volume(make(), tmp_path / "v.mhd")
        (tmp_path / "v.zraw").unlink()
        assert "v.zraw" in bad(tmp_path / "v.mhd", "does not exist")

    @pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
    def test_time_series(self, tmp_path, ending):
        image = sitk.JoinSeries([make().to_sitk()] * 3)
        sitk.WriteImage(image, str(tmp_path / f"v{ending}"))
        assert "6 x 5 x 4 x 3" in bad(tmp_path / f"v{ending}", "4 dimensions")

    @pytest.mark.parametrize("components", [2, 5, 6])
    @pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii.gz"])
    def test_vectors(self, tmp_path, components, ending):
        image = sitk.GetImageFromArray(np.zeros((3, 4, 5, components), np.float32), isVector=True)
        sitk.WriteImage(image, str(tmp_path / f"v{ending}"))
        bad(tmp_path / f"v{ending}", f"{components} components")

    @pytest.mark.parametrize("ending", [".nrrd", ".mha"])
    def test_four_components_are_colours_with_alpha_only_in_8_bit(self, tmp_path, ending):
        array = np.random.default_rng(0).integers(0, 255, (3, 4, 5, 4))
        path = tmp_path / f"v{ending}"
        sitk.WriteImage(sitk.GetImageFromArray(array.astype(np.uint8), isVector=True), str(path))
        assert np.array_equal(np.moveaxis(read_volume(path).array, 0, -1), array[..., :3])
        sitk.WriteImage(sitk.GetImageFromArray(array.astype(np.float32), isVector=True), str(path))
        bad(path, "4 components")

    def test_axes_not_at_right_angles(self, tmp_path):
        nibabel = pytest.importorskip("nibabel")
        affine = np.array([[1, 0.4, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
        image = nibabel.Nifti1Image(make().array[0], affine)
        image.header.set_qform(None, 0)
        nibabel.save(image, tmp_path / "v.nii")
        bad(tmp_path / "v.nii", "right angles")

    @pytest.mark.parametrize(
        ("value", "sentence"), [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (None, "constant")]
    )
    @pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_unusable_voxels_are_named_by_their_file(self, tmp_path, value, sentence, ending, dtype):
        array = np.zeros((2, 3, 4), dtype)
        if value is not None:
            array[0, 0] = 1, 2, 3, value
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"odd{ending}"))
        with pytest.raises(InputError, match=rf"odd{ending}.*{sentence}"):
            check_volume(read_volume(tmp_path / f"odd{ending}"))

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
    def test_not_permitted(self, tmp_path):
        write_volume(make(), tmp_path / "v.nrrd")
        (tmp_path / "v.nrrd").chmod(0)
        bad(tmp_path / "v.nrrd", "not permitted")


class TestRealImages:
    @pytest.mark.parametrize(
        ("name", "size", "low", "high"),
        [
            ("ct/totalseg_example_ct.nii.gz", (122, 101, 112), -1207, 3382),
            ("ct/ct_brain_atlas_1mm.nii.gz", (202, 202, 179), -30, 385),
        ],
    )
    def test_ct_is_in_hounsfield_units(self, shared_data, name, size, low, high):
        volume = read_volume(shared_data / name)
        check_volume(volume)
        assert volume.size == size and (volume.array.min(), volume.array.max()) == (low, high)

    def test_radiographs_are_plane(self, shared_data):
        for path in list_volumes(shared_data / "xray"):
            volume = read_volume(path)
            check_volume(volume)
            assert volume.is_2d and volume.channels == 1 and volume.array.dtype == np.uint8

    def test_paintings_are_in_colour(self, shared_data):
        found = [read_volume(path) for path in list_volumes(shared_data / "art")]
        assert len(found) == 3 and all(volume.is_2d and volume.channels == 3 for volume in found)

    def test_an_oblique_brain_survives_every_format(self, shared_data, tmp_path):
        from surgical_style_engine.volumes.geometry import to_canonical

        volume = read_volume(shared_data / "open-ms" / "longitudinal" / "patient04_study1_T1W.nii.gz")
        assert np.abs(volume.direction - np.round(volume.direction)).max() > 0.01
        for ending in EXACT + NIFTI:
            canonical, reorientation = to_canonical(volume)
            write_volume(volume.with_array(reorientation.undo(canonical.array)), tmp_path / f"v{ending}")
            back = read_volume(tmp_path / f"v{ending}")
            assert back.array.tobytes() == volume.array.tobytes()
            if ending in EXACT:
                same_geometry(back, volume, ending)
            assert back.same_grid(volume, tolerance=1e-3)

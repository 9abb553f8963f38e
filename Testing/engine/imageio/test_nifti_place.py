"""Where NIfTI files and others say that a volume lies, and what is done where they contradict themselves."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import EXACT, NIFTI, bad, make, names, oblique, picture, turns

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import check_output, write_volume
from surgical_style_engine.volumes.volume import Volume, corners_of


def sheared(part: float) -> np.ndarray:
    """Axes of length 1, the second ``part`` off its right angle to the first."""
    direction = oblique()
    direction[:, 1] += part * direction[:, 0]
    return direction / np.linalg.norm(direction, axis=0)


class TestPlace:
    """The file says where the voxels lie just as the volume does, to every reader."""

    @pytest.mark.parametrize("ending", NIFTI)
    @pytest.mark.parametrize("part", [0.019, 0.002])
    def test_nifti_cannot_hold_axes_off_their_right_angles(self, tmp_path, ending, part):
        volume = make(shape=(4, 60, 60), direction=sheared(part))
        write_volume(make(), tmp_path / f"v{ending}")
        before = (tmp_path / f"v{ending}").read_bytes()
        for refuse in (write_volume, lambda volume, path: check_output(path, volume)):
            with pytest.raises(InputError, match="not at right angles; write a .nrrd instead.$"):
                refuse(volume, tmp_path / f"v{ending}")
        assert names(tmp_path) == [f"v{ending}"] and (tmp_path / f"v{ending}").read_bytes() == before

    @pytest.mark.parametrize("ending", EXACT)
    def test_other_formats_hold_them(self, tmp_path, ending):
        volume = make(shape=(4, 60, 60), direction=sheared(0.019))
        check_output(tmp_path / f"v{ending}", volume)
        write_volume(volume, tmp_path / f"v{ending}")
        assert np.abs(read_volume(tmp_path / f"v{ending}").corners() - volume.corners()).max() < 1e-9

    @pytest.mark.parametrize("ending", NIFTI)
    def test_rounding_is_no_reason_to_refuse(self, tmp_path, ending):
        rounded = np.round(oblique(), 6)
        volume = make(shape=(2, 300, 300), direction=rounded)
        write_volume(volume, tmp_path / f"v{ending}")
        assert read_volume(tmp_path / f"v{ending}").same_grid(volume)

    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from(NIFTI), st.tuples(*[turns] * 3), st.booleans(), st.floats(-6, 0))
    def test_other_programs_find_turned_volumes_in_the_same_place(self, tmp_path_factory, ending, turn, mirrored, less):
        nibabel = pytest.importorskip("nibabel")
        # Small turns are the hardest for quaternions in single precision.
        direction = oblique(*(angle * 10.0**less for angle in turn)) * (-1.0 if mirrored else 1.0)
        volume = make(np.uint8, shape=(2, 400, 300), direction=direction)
        path = tmp_path_factory.mktemp("turned") / f"v{ending}"
        write_volume(volume, path)
        form = np.diag([-1.0, -1, 1]) @ nibabel.load(path).affine[:3]
        assert np.abs(corners_of(form, volume.size) - volume.corners()).max() < 1e-3 * min(volume.spacing)

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    @pytest.mark.parametrize("what", ["origin", "spacing", "direction"])
    def test_a_writer_that_misplaces_is_not_believed(self, tmp_path, monkeypatch, ending, what):
        write = sitk.WriteImage

        def misplaced(image, name, **arguments):
            image = sitk.Image(image)
            if what == "origin":
                image.SetOrigin([value + 0.05 for value in image.GetOrigin()])
            elif what == "spacing":
                image.SetSpacing([value * 1.01 for value in image.GetSpacing()])
            else:
                image.SetDirection(oblique(0.31, -0.2, 0.5).ravel().tolist())
            write(image, name, **arguments)

        monkeypatch.setattr(sitk, "WriteImage", misplaced)
        with pytest.raises(StyleTransferError, match="cannot"):
            write_volume(make(), tmp_path / f"v{ending}")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    @pytest.mark.parametrize("changes", [{"spacing": (1, 0, 1)}, {"direction": np.zeros((3, 3))}])
    def test_an_unusable_geometry_is_not_written(self, tmp_path, ending, changes):
        with pytest.raises(InputError, match="unusable geometry"):
            write_volume(make(**changes), tmp_path / f"v{ending}")
        assert names(tmp_path) == []

    def write_nifti(self, path, sform=None, scode=0, qform=None, qcode=0, shape=(30, 40, 12), pixdim=(4, 4, 6)):
        nibabel = pytest.importorskip("nibabel")
        image = nibabel.Nifti1Image(np.random.default_rng(0).integers(0, 200, shape).astype(np.int16), None)
        image.header["pixdim"][1:4] = pixdim
        image.set_qform(qform, qcode)
        image.set_sform(sform, scode)
        nibabel.save(image, path)
        return image

    affine = np.array([[-4, 0, 0, 90], [0, -4, 0, 100], [0, 0, 6, -40], [0, 0, 0, 1.0]])

    @pytest.mark.parametrize(("scode", "qcode", "used"), [(2, 1, "qform"), (4, 1, "qform"), (1, 1, "sform")])
    def test_of_two_places_the_one_of_3d_slicer_is_read_with_a_warning(self, tmp_path, scode, qcode, used):
        moved = self.affine.copy()
        moved[:3, 3] += (20, 0, 0)
        self.write_nifti(tmp_path / "v.nii.gz", self.affine, scode, moved, qcode)
        volume = read_volume(tmp_path / "v.nii.gz")
        assert volume.origin == ((-90, -100, -40) if used == "sform" else (-110, -100, -40))
        warning = volume.metadata["Warning"]
        assert "up to 20.0 mm apart" in warning and f"its {used} is used, as in 3D Slicer" in warning
        write_volume(volume, tmp_path / "w.nii.gz")
        assert read_volume(tmp_path / "w.nii.gz").metadata == {}

    def test_a_template_in_the_sform_is_another_place(self, tmp_path):
        template = self.affine @ np.array([[1, 0.1, 0, 0], [0, 1.2, 0, 0], [0, 0, 0.9, 0], [0, 0, 0, 1]])
        self.write_nifti(tmp_path / "v.nii", template, 4, self.affine, 1)
        volume = read_volume(tmp_path / "v.nii")
        assert volume.origin == (-90, -100, -40) and "its qform is used" in volume.metadata["Warning"]

    @pytest.mark.parametrize(("scode", "qcode"), [(1, 0), (2, 0), (0, 1), (1, 1), (2, 2), (4, 1)])
    def test_one_place_is_no_reason_to_warn(self, tmp_path, scode, qcode):
        turned = self.affine.copy()
        turned[:3, :3] = oblique() @ turned[:3, :3]
        self.write_nifti(tmp_path / "v.nii", turned, scode, turned, qcode)
        volume = read_volume(tmp_path / "v.nii")
        assert volume.metadata == {} and np.allclose(volume.origin, (-90, -100, -40))

    def test_no_place_gives_a_warning(self, tmp_path):
        self.write_nifti(tmp_path / "v.nii")
        assert "no place in space" in read_volume(tmp_path / "v.nii").metadata["Warning"]

    def test_voxel_sizes_that_contradict_the_axes_are_refused(self, tmp_path):
        """ITK takes the size from pixdim, other programs from the sform."""
        self.write_nifti(tmp_path / "v.nii", self.affine, 1, pixdim=(2, 2, 3))
        bad(tmp_path / "v.nii", "contradicts itself")

    @pytest.mark.parametrize("scode", [1, 2])
    @pytest.mark.parametrize("mirrored", [1, -1])
    @pytest.mark.parametrize("turn", [np.eye(3), oblique()], ids=["axial", "oblique"])
    def test_rounded_voxel_sizes_give_way_to_those_of_the_axes(self, tmp_path, scode, mirrored, turn):
        affine = self.affine.copy()
        affine[:3, :3] = turn @ np.diag([-0.48828125 * mirrored, -0.48828125, 2.9])
        affine = affine.astype(np.float32).astype(float)
        self.write_nifti(tmp_path / "v.nii", affine, scode, shape=(512, 400, 9), pixdim=(0.488, 0.488, 2.9))
        volume = read_volume(tmp_path / "v.nii")
        form = np.diag([-1.0, -1, 1]) @ affine[:3]
        assert np.abs(corners_of(form, volume.size) - volume.corners()).max() < 1e-3
        assert np.allclose(volume.spacing, (0.48828125, 0.48828125, 2.9), rtol=1e-6)
        assert "rounded (0.488 x 0.488 x 2.9 mm)" in volume.metadata["Warning"]
        assert "sform is used (0.4882812 x 0.4882812 x 2.9 mm)" in volume.metadata["Warning"]
        write_volume(volume, tmp_path / "w.nii")
        assert read_volume(tmp_path / "w.nii").same_grid(volume) and read_volume(tmp_path / "w.nii").metadata == {}

    @pytest.mark.parametrize("qcode", [0, 1])
    def test_rounded_voxel_sizes_beside_another_place(self, tmp_path, qcode):
        affine, moved = self.affine.copy(), self.affine.copy()
        affine[:3, :3] = np.diag([-0.9375, -0.9375, 3])
        moved[:3, :3], moved[0, 3] = np.diag([-0.94, -0.94, 3]), 70
        self.write_nifti(tmp_path / "v.nii", affine, 1, moved, qcode, (256, 256, 9), (0.94, 0.94, 3))
        volume = read_volume(tmp_path / "v.nii")
        assert volume.spacing == (0.9375, 0.9375, 3) and volume.origin == (-90, -100, -40)
        assert "voxel size is rounded" in volume.metadata["Warning"]
        assert ("use the qform" in volume.metadata["Warning"]) == bool(qcode)

    @pytest.mark.parametrize("part", [0.011, -0.011])
    def test_larger_differences_are_no_rounding(self, tmp_path, part):
        self.write_nifti(tmp_path / "v.nii", self.affine, 1, pixdim=(4, 4 * (1 + part), 6))
        bad(tmp_path / "v.nii", "contradicts itself")

    @pytest.mark.parametrize("ending", [".nrrd", ".nhdr"])
    def test_other_units_than_millimetres_are_refused(self, tmp_path, ending):
        """ITK takes centimetres for millimetres."""
        path = tmp_path / f"v{ending}"
        sitk.WriteImage(make().to_sitk(), str(path))
        data = path.read_bytes()
        for units in ("mm", "cm"):
            line = f'space units: "{units}" "{units}" "{units}"\n'.encode()
            path.write_bytes(data.replace(b"space directions:", line + b"space directions:", 1))
            if units == "mm":
                assert read_volume(path).same_grid(make())
        bad(path, "states its place in cm; only millimetres")

    @pytest.mark.parametrize("ending", NIFTI)
    @pytest.mark.parametrize(
        "axes",
        [np.diag([-4, -4, 6.0]), np.array([[0, 0, 6], [-4, 0, 0], [0, 4, 0.0]]), oblique() @ np.diag([-4, -4, 6.0])],
        ids=["axial", "sagittal", "oblique"],
    )
    @pytest.mark.parametrize("form", ["sform", "qform", "both"])
    def test_a_slice_of_two_dimensions_has_its_place(self, tmp_path, ending, axes, form):
        affine = self.affine.copy()
        affine[:3, :3] = axes
        codes = {"scode": int(form != "qform"), "qcode": int(form != "sform")}
        image = self.write_nifti(tmp_path / f"v{ending}", affine, qform=affine, shape=(30, 40), **codes)
        volume = read_volume(tmp_path / f"v{ending}")
        assert volume.size == (30, 40, 1) and not volume.is_2d and volume.metadata == {}
        assert np.array_equal(volume.array[0, 0], np.asarray(image.dataobj).T)
        form = np.diag([-1.0, -1, 1]) @ affine[:3]
        assert np.allclose(volume.direction * volume.spacing, form[:, :3], atol=1e-5)
        assert np.allclose(volume.origin, form[:, 3])
        write_volume(volume, tmp_path / f"w{ending}")
        assert read_volume(tmp_path / f"w{ending}").same_grid(volume)

    def test_a_slice_without_a_third_axis_gets_one(self, tmp_path):
        affine = self.affine.copy()
        affine[:, 2] = 0
        self.write_nifti(tmp_path / "v.nii", affine, 1, shape=(30, 40), pixdim=(4, 4, 0))
        volume = read_volume(tmp_path / "v.nii")
        assert np.array_equal(volume.direction, np.eye(3)) and volume.spacing[:2] == (4, 4)

    def test_a_picture_stays_one(self, tmp_path):
        self.write_nifti(tmp_path / "v.nii", shape=(30, 40), pixdim=(1, 1, 0))
        volume = read_volume(tmp_path / "v.nii")
        assert volume.is_2d and volume.metadata == {}

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    def test_a_picture_with_a_height_or_thickness_keeps_it(self, tmp_path, ending):
        volume = Volume(picture().array, (0.3, 0.4, 6.0), (5.0, 6.0, -40.0), is_2d=True)
        write_volume(volume, tmp_path / f"v{ending}")
        assert read_volume(tmp_path / f"v{ending}").same_grid(volume)

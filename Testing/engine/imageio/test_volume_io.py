"""Reading and writing: exact geometry, whole files only, and one clear sentence for everything that cannot be used."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio import volume_io
from surgical_style_engine.imageio.volume_io import (
    check_output,
    is_volume_file,
    list_volumes,
    read_volume,
    write_volume,
)
from surgical_style_engine.volumes.volume import Volume, check_volume, corners_of

EXACT = [".nrrd", ".mha", ".mhd"]
NIFTI = [".nii", ".nii.gz"]
turns = st.integers(-3000, 3000).map(lambda thousandths: thousandths / 1000)  # radians


def oblique(x: float = 0.3, y: float = -0.2, z: float = 0.5) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


def make(dtype=np.int16, channels: int = 1, shape=(4, 5, 6), **changes) -> Volume:
    array = (np.random.default_rng(0).random((channels, *shape)) * 200).astype(dtype)
    grid = {"spacing": (0.7, 0.9, 3.1), "origin": (-112.3, 58.1, 1e3 / 3), "direction": oblique()}
    return Volume(array, **{**grid, **changes})


def picture(dtype=np.uint8, channels: int = 1, shape=(12, 17)) -> Volume:
    return make(dtype, channels, (1, *shape), spacing=(1.0,) * 3, origin=(0.0,) * 3, direction=np.eye(3), is_2d=True)


def bad(path, sentence: str, **arguments) -> str:
    """Reading must fail with one sentence that names the file; returns it."""
    with pytest.raises(InputError, match=sentence) as caught:
        read_volume(path, **arguments)
    message = str(caught.value)
    assert os.path.basename(path) in message and "\n" not in message and message.endswith(".")
    return message


def same_geometry(one: Volume, other: Volume, ending: str) -> None:
    assert one.origin == other.origin
    if ending == ".nrrd":
        assert np.allclose(one.spacing, other.spacing, rtol=4e-15, atol=0)
        assert np.allclose(one.direction, other.direction, rtol=0, atol=4e-15)
    else:
        assert one.spacing == other.spacing and np.array_equal(one.direction, other.direction)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def unwritable(tmp_path):
    """A folder nobody may write to. The superuser may write to any folder, but not to a read-only file system."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if not os.access(folder, os.W_OK):
        yield folder
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may write to every folder and cannot mount a read-only one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class TestGeometry:
    @settings(max_examples=25, deadline=None)
    @given(
        st.sampled_from(EXACT),
        st.tuples(*[turns] * 3),
        st.tuples(*[st.floats(0.05, 9)] * 3),
        st.tuples(*[st.floats(-500, 500, allow_subnormal=False)] * 3),
        st.tuples(*[st.integers(1, 6)] * 3),
        st.booleans(),
    )
    def test_is_bit_exact(self, tmp_path_factory, ending, turn, spacing, origin, shape, mirrored):
        """NRRD stores the product of spacing and direction: taken apart again, the last binary digit may differ."""
        direction = oblique(*turn) * (-1.0 if mirrored else 1.0)
        volume = make(np.float32, shape=shape, spacing=spacing, origin=origin, direction=direction)
        path = tmp_path_factory.mktemp("exact") / f"volume{ending}"
        write_volume(volume, path)
        back = read_volume(path)
        write_volume(back, path)
        for read in (back, read_volume(path)):
            assert read.array.tobytes() == volume.array.tobytes()
            same_geometry(read, volume, ending)

    @settings(max_examples=25, deadline=None)
    @given(
        st.sampled_from(NIFTI),
        st.tuples(*[turns] * 3),
        st.tuples(*[st.floats(0.05, 9)] * 3),
        st.tuples(*[st.floats(-500, 500, allow_subnormal=False)] * 3),
        st.booleans(),
    )
    def test_is_single_precision_in_nifti(self, tmp_path_factory, ending, turn, spacing, origin, mirrored):
        direction = oblique(*turn) * (-1.0 if mirrored else 1.0)
        volume = make(np.float32, spacing=spacing, origin=origin, direction=direction)
        path = tmp_path_factory.mktemp("nifti") / f"volume{ending}"
        write_volume(volume, path)
        back = read_volume(path)
        assert back.array.tobytes() == volume.array.tobytes()
        assert np.allclose(back.spacing, volume.spacing, rtol=1e-6)
        assert np.allclose(back.origin, volume.origin, rtol=1e-6, atol=1e-5)
        assert np.allclose(back.direction, volume.direction, atol=2e-6)
        assert back.same_grid(volume)

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
    def test_every_type_is_kept(self, tmp_path, ending, dtype):
        write_volume(make(dtype), tmp_path / f"v{ending}")
        back = read_volume(tmp_path / f"v{ending}").array
        assert back.dtype == np.dtype(dtype) and np.array_equal(back, make(dtype).array)

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_colour_volumes(self, tmp_path, ending, dtype):
        write_volume(make(dtype, 3), tmp_path / f"v{ending}")
        assert np.array_equal(read_volume(tmp_path / f"v{ending}").array, make(dtype, 3).array)

    @pytest.mark.parametrize("ending", [*EXACT, *NIFTI, ".png"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_are_not_written(self, tmp_path, ending, value):
        volume = make(np.float32)
        volume.array[0, 0, 0, 0] = value
        with pytest.raises(InputError, match="would hold NaN or infinite"):
            write_volume(volume, tmp_path / f"v{ending}")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("ending", EXACT + NIFTI)
    def test_plane_pictures_stay_plane_in_medical_formats(self, tmp_path, ending):
        volume = Volume(picture().array, (0.3, 0.4, 1.0), (5.0, 6.0, 0.0), is_2d=True)
        write_volume(volume, tmp_path / f"v{ending}")
        back = read_volume(tmp_path / f"v{ending}")
        assert back.is_2d and back.same_grid(volume) and np.array_equal(back.array, volume.array)

    def test_a_plane_picture_with_a_place_in_space_keeps_it(self, tmp_path):
        volume = make(shape=(1, 5, 6), is_2d=True)
        write_volume(volume, tmp_path / "v.nrrd")
        assert read_volume(tmp_path / "v.nrrd").same_grid(volume)

    def test_slabs_of_one_slice_are_volumes(self, tmp_path):
        write_volume(make(shape=(1, 5, 6)), tmp_path / "v.nii.gz")
        assert not read_volume(tmp_path / "v.nii.gz").is_2d

    @pytest.mark.parametrize("ending", [".nii", ".nrrd"])
    def test_trailing_axes_of_length_one_are_dropped(self, tmp_path, ending):
        image = sitk.JoinSeries(make().to_sitk())
        assert image.GetDimension() == 4
        sitk.WriteImage(image, str(tmp_path / f"v{ending}"))
        assert read_volume(tmp_path / f"v{ending}").same_grid(make())

    @pytest.mark.parametrize("ending", EXACT)
    def test_axis_aligned_geometry_is_bit_exact_in_nrrd_too(self, tmp_path, ending):
        rng = np.random.default_rng(0)
        for _ in range(20):
            spacing, origin = tuple(rng.uniform(0.05, 9, 3)), tuple(rng.uniform(-500, 500, 3))
            direction = np.eye(3)[rng.permutation(3)] * rng.choice([-1.0, 1.0], 3)
            write_volume(make(spacing=spacing, origin=origin, direction=direction), tmp_path / f"v{ending}")
            back = read_volume(tmp_path / f"v{ending}")
            assert (back.spacing, back.origin) == (spacing, origin) and np.array_equal(back.direction, direction)

    def test_detached_headers(self, tmp_path):
        sitk.WriteImage(make().to_sitk(), str(tmp_path / "v.nhdr"))
        assert np.array_equal(read_volume(tmp_path / "v.nhdr").array, make().array)

    def test_big_endian_and_nifti_2(self, tmp_path):
        nibabel = pytest.importorskip("nibabel")
        array = make().array[0].T
        affine = np.diag([-2.0, -2.0, 3.0, 1.0])
        nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / "one.nii.gz")
        assert np.array_equal(read_volume(tmp_path / "one.nii.gz").array[0], array.T)
        # ITK 5.4 knows version 1 only; at least the reason is said.
        nibabel.save(nibabel.Nifti2Image(array, affine), tmp_path / "two.nii.gz")
        bad(tmp_path / "two.nii.gz", "a NIfTI-2 file")
        swapped = nibabel.Nifti1Image(array.astype(">i2"), np.eye(4), nibabel.Nifti1Header(endianness=">"))
        nibabel.save(swapped, tmp_path / "big.nii")
        assert np.array_equal(read_volume(tmp_path / "big.nii").array[0], array.T)


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


class TestPictures:
    @pytest.mark.parametrize("ending", [".png", ".tif", ".tiff"])
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_lossless_ones_keep_every_value(self, tmp_path, ending, channels, dtype):
        volume = picture(dtype, channels)
        write_volume(volume, tmp_path / f"p{ending}")
        back = read_volume(tmp_path / f"p{ending}")
        assert back.is_2d and back.array.dtype == dtype and np.array_equal(back.array, volume.array)

    def test_jpeg_is_close(self, tmp_path):
        y, x = np.mgrid[:64, :64]
        volume = Volume((x + y).astype(np.uint8)[None, None], is_2d=True)
        for name in ("p.jpg", "p.JPEG"):
            write_volume(volume, tmp_path / name)
            back = read_volume(tmp_path / name)
            assert back.is_2d and np.abs(back.array.astype(int) - volume.array).max() < 6

    @pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)])
    def test_files_of_other_programs(self, tmp_path, mode, channels):
        colours = np.random.default_rng(0).integers(0, 255, (9, 11, 4)).astype(np.uint8)
        image = Image.fromarray(colours, "RGBA").convert("RGB" if mode == "P" else mode)
        image = image.quantize(7) if mode == "P" else image
        image.save(tmp_path / "p.png")
        expected = np.atleast_3d(np.asarray(image.convert("RGB") if mode == "P" else image))[..., :channels]
        back = read_volume(tmp_path / "p.png")
        assert back.is_2d and np.array_equal(np.moveaxis(back.array[:, 0], 0, -1), expected)

    def test_grey_with_alpha(self, tmp_path):
        Image.new("LA", (8, 8)).save(tmp_path / "p.png")
        bad(tmp_path / "p.png", "grey with alpha")

    def test_translated_pictures_keep_their_grey_levels(self, tmp_path):
        """What a model gives back is floating point in 0..255; stretching it would change brightness and colour."""
        values = np.linspace(20.4, 199.6, 30).reshape(1, 1, 5, 6).astype(np.float32)
        for ending in (".png", ".tif"):
            write_volume(Volume(values, is_2d=True), tmp_path / f"p{ending}")
            back = read_volume(tmp_path / f"p{ending}").array
            assert back.dtype == np.uint8 and np.array_equal(back, np.round(values))

    @pytest.mark.parametrize(("ending", "top"), [(".png", 65535), (".tif", 65535), (".jpg", 255)])
    @pytest.mark.parametrize(("low", "high"), [(-1000.0, 400.0), (0.0, 1.0), (0.0, 3000.0)])
    def test_other_floats_fill_the_range(self, tmp_path, ending, top, low, high):
        values = np.linspace(low, high, 64 * 64).reshape(1, 1, 64, 64).astype(np.float32)
        write_volume(Volume(values, is_2d=True), tmp_path / f"p{ending}")
        back = read_volume(tmp_path / f"p{ending}").array.astype(float)
        expected = (values - low) / (high - low) * top
        assert np.abs(back - expected).max() <= (0.51 if top == 65535 else 6)

    def test_whole_numbers_that_fit_are_kept(self, tmp_path):
        labels = np.arange(300, dtype=np.int32).reshape(1, 1, 15, 20)
        write_volume(Volume(labels), tmp_path / "labels.png")
        write_volume(Volume(labels > 5), tmp_path / "mask.png")
        assert np.array_equal(read_volume(tmp_path / "labels.png").array, labels)
        assert np.array_equal(read_volume(tmp_path / "mask.png").array, labels > 5)

    def test_constant_floats_divide_by_nothing(self, tmp_path):
        write_volume(Volume(np.full((1, 1, 4, 4), -3.0)), tmp_path / "p.png")
        assert (read_volume(tmp_path / "p.png").array == 0).all()

    @pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
    @pytest.mark.parametrize(
        ("array", "sentence"),
        [
            (np.zeros((1, 2, 4, 4)), "2 slices"),
            (np.zeros((2, 1, 4, 4)), "2 channels"),
            (np.ones((1, 1, 4, 4)) * 1j, "complex"),
            (np.zeros((1, 0, 4, 4)), "empty"),
        ],
    )
    def test_what_no_picture_can_hold(self, tmp_path, ending, array, sentence):
        with pytest.raises(InputError, match=sentence):
            write_volume(Volume(array), tmp_path / f"p{ending}")
        assert names(tmp_path) == []


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
        flat = ending in volume_io.PICTURE_ENDINGS
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
        volume = picture() if ending in volume_io.PICTURE_ENDINGS else make()
        with pytest.raises(StyleTransferError, match=rf"v{ending} cannot be written: .+") as caught:
            write_volume(volume, unwritable / f"v{ending}")
        assert not isinstance(caught.value, InputError) and "\n" not in str(caught.value)
        assert names(unwritable) == [] and capfd.readouterr().err == ""

    @pytest.mark.parametrize("ending", EXACT + NIFTI + [".png"])
    @pytest.mark.parametrize("old", [True, False])
    def test_a_failed_renaming_changes_nothing(self, tmp_path, monkeypatch, ending, old):
        """The data beside a .mhd header get their name first: they must not stay with the old header, or alone."""
        volume = picture() if ending in volume_io.PICTURE_ENDINGS else make()
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
        flat = ending in volume_io.PICTURE_ENDINGS
        write_volume(picture() if flat else make(), path)
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        code = f"""
import resource, signal
import numpy as np
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.volumes.volume import Volume
from surgical_style_engine.imageio.volume_io import write_volume
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
            volume = picture(shape=(50, 60)) if ending in volume_io.PICTURE_ENDINGS else make(shape=(20, 30, 40))
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


def test_the_setting_for_itks_warnings_stays_as_it_was(tmp_path):
    """It belongs to the whole process; inside Slicer others rely on it."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    try:
        for shown in (True, False):
            sitk.ProcessObject.SetGlobalWarningDisplay(shown)
            write_volume(make(), tmp_path / "v.nrrd")
            read_volume(tmp_path / "v.nrrd")
            bad(tmp_path / "none.nrrd", "does not exist")
            assert sitk.ProcessObject.GetGlobalWarningDisplay() == shown
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


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

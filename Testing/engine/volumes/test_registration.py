"""Registration: known motions are found, other contrasts or not."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from surgical_style_engine.errors import Cancelled, InputError, StyleTransferError
from surgical_style_engine.volumes.registration import (
    LARGEST_STRETCH,
    register_affine,
    register_rigid,
    search,
    write_transform,
)
from surgical_style_engine.volumes.registration.transforms import centre
from surgical_style_engine.volumes.resampling import resample_like
from surgical_style_engine.volumes.volume import Volume


def smooth(array, sigma):
    return sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(array), sigma))


@pytest.fixture(scope="module")
def phantom():
    """A head of 8 cm with random tissue inside: T1-like and T2-like array on one 2 mm grid."""
    rng = np.random.default_rng(7)
    z, y, x = np.meshgrid(*(np.arange(48) - 24,) * 3, indexing="ij")
    inside = (z / 20) ** 2 + (y / 18) ** 2 + (x / 15) ** 2 <= 1
    tissue = smooth(rng.normal(size=inside.shape).astype(np.float32), 3)
    classes = np.digitize(tissue, np.quantile(tissue[inside], (0.3, 0.7)))
    first = np.where(inside, np.array([30.0, 60.0, 100.0])[classes], 0)
    second = np.where(inside, np.array([100.0, 45.0, 20.0])[classes], 0)
    noisy = (smooth(a.astype(np.float32), 0.7) + rng.normal(0, 1, a.shape) for a in (first, second))
    return tuple(Volume(a[None].astype(np.float32), (2.0,) * 3, (-48.0, -48.0, -48.0)) for a in noisy)


def carried(volume, rotation_deg, shift_mm):
    """`volume` in a patient who moved: same voxels, another pose. Returns it and the motion (points old -> new)."""
    motion = sitk.Euler3DTransform()
    motion.SetCenter((3.0, -5.0, 2.0))
    motion.SetRotation(*np.radians(rotation_deg).tolist())
    motion.SetTranslation(shift_mm)
    matrix = np.array(motion.GetMatrix()).reshape(3, 3)
    moved = Volume(volume.array, volume.spacing, motion.TransformPoint(volume.origin), matrix @ volume.direction)
    return moved, motion


def largest_error(found, true, reach=25.0):
    corners = [(x, y, z) for x in (-reach, reach) for y in (-reach, reach) for z in (-reach, reach)]
    return max(np.linalg.norm(np.subtract(found.TransformPoint(c), true.TransformPoint(c))) for c in corners)


@pytest.mark.parametrize(
    ("rotation", "shift"),
    [((0, 0, 0), (0.0, 0.0, 0.0)), ((4, -3, 6), (3.0, -4.0, 5.0)), ((-9, 7, 12), (60.0, -200.0, 30.0))],
)
def test_a_known_motion_between_two_contrasts_is_found(phantom, rotation, shift):
    fixed, other = phantom
    moving, motion = carried(other, rotation, shift)
    result = register_rigid(fixed, moving)
    assert largest_error(result.transform, motion) < 1.0  # half a voxel, in the corners of the head
    assert result.moved.same_grid(fixed)
    inside = fixed.array > 15
    assert np.abs(result.moved.array - other.array)[inside].mean() < 6
    assert result.metric > 0.2


def test_the_same_volumes_give_the_same_transform(phantom):
    fixed, other = phantom
    moving, _ = carried(other, (5, 0, -4), (2.0, 1.0, 0.0))
    first, second = (register_rigid(fixed, moving) for _ in range(2))
    assert first.transform.GetParameters() == second.transform.GetParameters()
    assert first.metric == second.metric > first.metric_before


def test_anisotropic_grids_are_shrunk_in_plane_only():
    image = sitk.Image(200, 200, 30, sitk.sitkFloat32)
    image.SetSpacing((0.5, 0.5, 4.0))
    levels = search.pyramid(image)
    assert [level.GetSize()[2] for level in levels[1:]] == [30, 30]
    assert levels[0].GetSpacing()[0] == pytest.approx(6, abs=1) and levels[-1].GetSpacing()[0] == pytest.approx(1.5)


def test_coverage_and_default_outside_the_field_of_view(phantom):
    fixed, other = phantom
    upper = Volume(other.array[:, 12:], other.spacing, (-48.0, -48.0, -48.0 + 24.0))
    result = register_rigid(fixed, upper, default=-77.0)
    assert not result.coverage[:10].any() and result.coverage[16:44, 8:40, 8:40].all()
    assert np.all(result.moved.array[0, :10] == -77)
    assert 0.6 < result.overlap < 0.85


def test_a_mask_restricts_what_counts(phantom):
    fixed, other = phantom
    spoiled = fixed.array.copy()
    rng = np.random.default_rng(0)
    spoiled[:, :, :, :16] = 200 * (rng.uniform(size=spoiled[:, :, :, :16].shape) > 0.5)
    mask = np.ones(spoiled.shape[1:], bool)
    mask[:, :, :16] = False
    moving, motion = carried(other, (3, 2, -4), (3.0, 2.0, -2.0))
    result = register_rigid(fixed.with_array(spoiled), moving, mask=mask)
    assert largest_error(result.transform, motion) < 1.5


def test_the_transform_file_reads_back(phantom, tmp_path):
    transform = sitk.VersorRigid3DTransform((0, 0, 1), 0.1, (1.0, 2.0, 3.0))
    write_transform(transform, tmp_path / "t.tfm")
    again = sitk.ReadTransform(str(tmp_path / "t.tfm"))
    np.testing.assert_allclose(again.TransformPoint((5, 6, 7)), transform.TransformPoint((5, 6, 7)))
    with pytest.raises(StyleTransferError, match="Cannot write"):
        write_transform(transform, tmp_path / "absent" / "t.tfm")
    with pytest.raises(InputError, match="endings"):
        write_transform(transform, tmp_path / "t.nii")
    assert [p.name for p in tmp_path.iterdir()] == ["t.tfm"]


@pytest.mark.parametrize("content", ["", "#Insight Transform File V1.0\n", None])
def test_a_transform_that_does_not_read_back_is_not_kept(tmp_path, monkeypatch, content):
    path = tmp_path / "t.tfm"
    path.write_text("the one before")
    write = sitk.WriteTransform

    def spoiled(transform, name):
        if content is None:
            write(sitk.TranslationTransform(3, (1.0, 2.0, 3.0)), name)
        else:
            Path(name).write_text(content)

    monkeypatch.setattr(sitk, "WriteTransform", spoiled)
    with pytest.raises(StyleTransferError, match="Cannot write the transform"):
        write_transform(sitk.VersorRigid3DTransform(), path)
    assert path.read_text() == "the one before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.ones((1, 20, 20, 20)), "constant"),
        (np.full((1, 20, 20, 20), np.nan), "NaN"),
        (np.zeros((3, 20, 20, 20)), "colour"),
        (np.random.default_rng(0).normal(size=(1, 2, 20, 20)), "thin"),
    ],
)
def test_what_cannot_be_registered_is_one_sentence(phantom, array, sentence):
    with pytest.raises(InputError, match=sentence):
        register_rigid(phantom[0], Volume(array))
    with pytest.raises(InputError, match=sentence):
        register_rigid(Volume(array), phantom[0])


def test_bad_masks_are_one_sentence(phantom):
    with pytest.raises(InputError, match="mask has shape"):
        register_rigid(*phantom, mask=np.ones((3, 3, 3), bool))
    with pytest.raises(InputError, match="empty"):
        register_rigid(*phantom, mask=np.zeros(phantom[0].array.shape[1:], bool))


def test_volumes_that_share_too_little_are_refused(phantom):
    tiny = Volume(np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float32), (1.0,) * 3)
    with pytest.raises(InputError, match="overlap"):
        register_rigid(phantom[0], tiny)


def test_two_real_contrasts_of_one_study(shared_data):
    folder = shared_data / "open-ms" / "longitudinal"
    fixed, moving = (
        Volume.from_sitk(sitk.ReadImage(str(folder / f"patient04_study1_{name}.nii.gz"), sitk.sitkFloat32))
        for name in ("T1W", "T2W")
    )
    aligned = register_rigid(fixed, moving)
    assert aligned.metric > aligned.metric_before
    assert aligned.translation_mm < 5 and aligned.rotation_deg < 3, "nearly aligned by the scanner"
    # The same scan in a patient who moved has to land where the first did.
    elsewhere, motion = carried(moving, (6, -5, 9), (12.0, -8.0, 15.0))
    again = register_rigid(fixed, elsewhere)
    expected = sitk.CompositeTransform([motion, aligned.transform])
    middle = np.array(centre(fixed.to_sitk()))
    for offset in ((60, 0, 0), (0, 60, 0), (0, 0, 50), (-60, -60, -50)):
        point = (middle + offset).tolist()
        assert np.linalg.norm(np.subtract(again.transform.TransformPoint(point), expected.TransformPoint(point))) < 1.5


def test_a_stretch_is_found_by_affine_registration_only(phantom):
    fixed, other = phantom
    stretched = Volume(other.array, (2.0, 2.0, 2.12), (-48.0, -48.0, -48.0 * 1.06))
    rigid, affine = register_rigid(fixed, stretched), register_affine(fixed, stretched)
    assert rigid.kind == "rigid" and rigid.stretch == pytest.approx((1, 1), abs=1e-9)
    assert affine.kind == "affine" and affine.metric > 1.1 * rigid.metric
    assert affine.stretch == pytest.approx((1, 1.06), abs=0.012)
    assert affine.figures()["method"].startswith("affine")
    inside = fixed.array > 15
    assert np.abs(affine.moved.array - other.array)[inside].mean() < 6


def test_affine_registration_stays_rigid_where_it_would_stretch_beyond_reason(phantom):
    fixed, other = phantom
    doubled = Volume(other.array, (2.0, 2.0, 2.6), (-48.0, -48.0, -48.0 * 1.3))
    found = register_affine(fixed, doubled)
    assert found.kind == "rigid" or found.stretch[1] <= LARGEST_STRETCH


def test_the_metric_of_chance_tells_a_fit_from_none(phantom):
    fixed, other = phantom
    found = register_rigid(fixed, carried(other, (4, -3, 6), (3.0, -4.0, 5.0))[0])
    assert found.metric > 4 * found.chance > 0
    noise = fixed.with_array(np.random.default_rng(0).normal(size=fixed.array.shape).astype(np.float32))
    nothing = register_rigid(fixed, noise)
    assert nothing.metric < 2 * nothing.chance


def test_what_is_raised_while_it_runs_is_what_comes_out(phantom):
    """Through ITK, a signal would look like two volumes that do not overlap."""

    class Signal(BaseException):
        pass

    calls = []

    def asked():
        calls.append(1)
        if len(calls) > 3:
            raise Signal
        return False

    with pytest.raises(Signal):
        register_rigid(*phantom, cancelled=asked)


def test_a_registration_can_be_cancelled(phantom):
    asked = []

    def later():
        asked.append(1)
        return len(asked) == 5

    with pytest.raises(Cancelled):
        register_rigid(*phantom, cancelled=later)
    assert len(asked) == 5


@pytest.mark.parametrize("name", ["T2W", "FLAIR"])
def test_thick_slices_are_registered_within_a_tight_mask(shared_data, name):
    """ITK's smoothed gradients led away from a fit that was 1 to 2 mm off within a mask."""
    folder = shared_data / "open-ms" / "longitudinal"
    fixed, moving, brain = (
        Volume.from_sitk(sitk.ReadImage(str(folder / f"patient04_{part}.nii.gz"), sitk.sitkFloat32))
        for part in ("study1_T1W", f"study1_{name}", "brainmask")
    )
    mask = resample_like(brain, fixed, "nearest", default=0).array[0] > 0
    moving, _ = carried(moving, (0.3, -0.4, 0.5), (1.0, -0.8, 1.2))  # as they came they lie nearly on each other
    found, free = register_rigid(fixed, moving, mask), register_rigid(fixed, moving)
    assert found.metric > found.metric_before + 0.02
    assert largest_error(found.transform, free.transform, reach=50.0) < 1.5

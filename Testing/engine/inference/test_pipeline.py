"""The whole pipeline with a network that changes nothing: the volume comes back, on exactly its own grid."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.volumes.normalization import RGB, HUWindow, RobustPercentile, ZScore
from surgical_style_engine.volumes.volume import Volume

# The 48 ways to lay a box's axes along the patient's.
ORIENTATIONS = [
    np.eye(3)[:, list(order)] * signs
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]
PLANE_CHOICES = [("axial",), ("coronal",), ("sagittal",), ("axial", "coronal", "sagittal")]
angles = st.floats(-3.2, 3.2)  # radians: any rotation, doubly oblique ones too


class Identity(Runner):
    """A network that gives back what it gets, and keeps count."""

    backend = "identity"

    def __init__(self):
        self.slices = 0

    def run(self, batch):
        assert batch.dtype == np.float32 and np.abs(batch).max() <= 1 + 1e-6
        assert batch.shape[-2] % 4 == 0 and batch.shape[-1] % 4 == 0 and min(batch.shape[-2:]) >= 16
        self.slices += len(batch)
        return batch.copy()


def same_domains(normalization, array, spacing_mm=None, stack=1, **card) -> StyleModel:
    """A model from a domain to itself; the inverse fits this very volume, so that its units can be compared."""
    domain = Domain(
        name="same",
        channels=array.shape[0],
        normalization=normalization,
        inverse=normalization.fit(array),
        units="HU" if normalization.kind == "hu_window" else "",
    )
    made = ModelCard(
        name="identity",
        title="identity",
        architecture=Architecture(name="resnet"),
        domains=Domains(source=domain, target=domain),
        spacing_mm=spacing_mm,
        stack=stack,
        **card,
    )
    return StyleModel(made, Path())


def rotation(x: float, y: float, z: float) -> np.ndarray:
    return np.asarray(sitk.Euler3DTransform((0, 0, 0), x, y, z).GetMatrix()).reshape(3, 3)


def assert_same_geometry(found: Volume, wanted: Volume) -> None:
    """To the last bit."""
    assert found.size == wanted.size and found.is_2d == wanted.is_2d
    assert found.spacing == wanted.spacing and found.origin == wanted.origin
    assert np.array_equal(found.direction, wanted.direction)


def waves(size_xyz, spacing, slope, seed) -> np.ndarray:
    """(z, y, x) smooth in mm: three cosines along the axes, none steeper than ``slope`` a mm; within +-500."""
    rng = np.random.default_rng(seed)
    total = np.zeros(tuple(size_xyz[::-1]))
    for axis in range(3):
        mm = np.arange(size_xyz[axis]) * spacing[axis]
        values = 160 * np.cos(mm * slope / 160 + rng.uniform(0, 6))
        total += values.reshape([-1 if 2 - axis == i else 1 for i in range(3)])
    return total


@st.composite
def grids(draw):
    """Size, spacing, origin and direction (x, y, z): odd sizes down to one slice, anisotropic, flipped, oblique."""
    size = draw(st.tuples(*[st.sampled_from([1, 2, 5, 13, 22])] * 3).filter(lambda s: sorted(s)[1] > 2))
    spacing = draw(st.tuples(*[st.sampled_from([0.45, 0.9765625, 1.0, 3.3, 5.0])] * 3))
    direction = draw(st.sampled_from(ORIENTATIONS))
    if draw(st.booleans()):
        direction = rotation(*draw(st.tuples(angles, angles, angles))) @ direction
    return size, spacing, draw(st.tuples(*[st.floats(-300, 300)] * 3)), direction


@settings(max_examples=150, deadline=None)
@given(
    grids(),
    st.sampled_from([np.int16, np.uint8, np.float32]),
    st.sampled_from(PLANE_CHOICES),
    st.sampled_from([1, 3]),
    st.sampled_from([HUWindow(), RobustPercentile(lower=0, upper=90), ZScore(), RGB()]),
    st.integers(0, 99),
)
def test_without_resampling_the_volume_comes_back_to_rounding(grid, dtype, planes, stack, normalization, seed):
    size, *place = grid
    channels = 3 if normalization.kind == "rgb" else 1
    rng = np.random.default_rng(seed)
    low, high = (0, 255) if dtype == np.uint8 or channels == 3 else (-900, 1900)
    array = rng.uniform(low, high, (channels, *size[::-1])).astype(dtype)
    volume = Volume(array, *place)
    runner = Identity()
    model = same_domains(normalization, array, stack=stack)
    made = translate_volume(volume, model, planes=planes, runner=runner, batch_size=1)
    assert_same_geometry(made.volume, volume)
    assert made.volume.array.dtype == np.float32 and made.volume.array.shape == array.shape
    assert runner.slices == made.slices > 0, "nothing went through the network"
    # The tail above the robust maximum has a tenth of the precision.
    assert np.abs(made.volume.array - array).max() <= 3e-6 * (high - low) * (10 if channels == 1 else 1)
    if made.disagreement is not None:
        assert_same_geometry(made.disagreement, volume)
        assert made.disagreement.array.max() < 1e-6


@settings(max_examples=120, deadline=None)
@given(
    grids(),
    st.sampled_from([np.int16, np.float32]),
    st.sampled_from(PLANE_CHOICES),
    st.sampled_from([1, 3]),
    st.sampled_from([0.8, 1.0, 2.0]),
    st.integers(0, 99),
)
def test_at_another_spacing_it_comes_back_within_interpolation_error(grid, dtype, planes, stack, spacing_mm, seed):
    size, spacing, *place = grid
    slope = 10.0  # a mm, in each axis
    array = waves(size, spacing, slope, seed)[None].astype(dtype)
    volume = Volume(array, spacing, *place)
    model = same_domains(HUWindow(), array, spacing_mm, stack)
    made = translate_volume(volume, model, planes=planes, runner=Identity())
    assert_same_geometry(made.volume, volume)
    # Both resizings average voxels that lie within the larger of the two distances, in two axes at most.
    reach = sum(sorted(2 * max(mm, 1.5 * spacing_mm) for mm in spacing)[1:])
    assert np.abs(made.volume.array - array).max() <= slope * reach + 1
    again = translate_volume(volume, model, planes=planes, runner=Identity(), batch_size=3)
    assert np.array_equal(made.volume.array, again.volume.array)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(ORIENTATIONS), st.sampled_from(PLANE_CHOICES), st.sampled_from([None, 0.7, 1.0, 2.5]), st.data())
def test_a_landmark_stays_in_its_place(orientation, planes, spacing_mm, data):
    """A bright voxel on a soft gradient (so that every slice runs): what is brighter than before lies around it."""
    size, spacing = (15, 18, 13), (0.9, 1.3, 2.0)
    array = waves(size, spacing, 2.0, 0)[None].astype(np.float32)
    where = [data.draw(st.integers(4, count - 5)) for count in size[::-1]]
    lit = array.copy()
    lit[(0, *where)] += 1400
    model = same_domains(HUWindow(), array, spacing_mm)
    place = ((-20.0, 30.0, 7.0), rotation(0.2, -0.1, 0.3) @ orientation)
    with_it, without = (
        translate_volume(Volume(each, spacing, *place), model, planes=planes, runner=Identity()).volume.array[0]
        for each in (lit, array)
    )
    light = np.clip(with_it - without, 0, None)
    centre = [
        float((light.sum(tuple({0, 1, 2} - {axis})) * np.arange(n)).sum() / light.sum())
        for axis, n in enumerate(light.shape)
    ]
    assert np.abs(np.subtract(centre, where)).max() < 0.5
    assert light[tuple(where)] > 0.3 * light.max()
    if spacing_mm is None:
        assert np.unravel_index(light.argmax(), light.shape) == tuple(where)


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=lambda o: "".join(f"{v:+.0f}" for v in o.ravel() if v))
def test_every_orientation_goes_to_a_file_and_back(orientation, tmp_path):
    """What is written has the input's grid again when it is read, in every plane and format."""
    rng = np.random.default_rng(0)
    size, spacing, origin = (12, 9, 7), (0.7, 1.1, 2.9), (-31.25, 12.5, 99.0)
    volume = Volume(rng.uniform(-800, 800, (1, *size[::-1])).astype(np.float32), spacing, origin, orientation)
    model = same_domains(HUWindow(), volume.array)
    made = translate_volume(volume, model, planes=["all"], runner=Identity()).volume
    for ending in (".mha", ".nrrd", ".nii.gz"):
        write_volume(made, tmp_path / f"v{ending}")
        back = read_volume(tmp_path / f"v{ending}")
        assert np.array_equal(back.array, made.array)
        if ending == ".nii.gz":
            assert back.same_grid(volume, 1e-4)  # single precision
        else:
            assert_same_geometry(back, volume)


@settings(max_examples=15, deadline=None)
@given(st.tuples(angles, angles, angles), st.sampled_from([".mha", ".nrrd", ".nii"]))
def test_oblique_results_go_to_a_file_and_back(tmp_path_factory, turn, ending):
    volume = Volume(
        waves((14, 11, 8), (0.4883, 1.01, 3.3), 5.0, 1)[None].astype(np.int16),
        (0.4883, 1.01, 3.3),
        (-123.456, 78.9, 1e-3),
        rotation(*turn),
    )
    made = translate_volume(volume, same_domains(HUWindow(), volume.array, 0.9), runner=Identity()).volume
    path = tmp_path_factory.mktemp("oblique") / f"v{ending}"
    write_volume(made, path)
    back = read_volume(path)
    assert np.array_equal(back.array, made.array)
    assert back.same_grid(volume, {".mha": 1e-12, ".nrrd": 1e-9, ".nii": 1e-4}[ending])


@pytest.mark.parametrize("shape", [(1, 20, 24), (20, 1, 24), (20, 24, 1)])
@pytest.mark.parametrize("is_2d", [False, True])
def test_a_single_slice_runs_in_its_own_plane_whatever_is_asked(shape, is_2d):
    array = np.random.default_rng(0).uniform(-900, 900, (1, *shape)).astype(np.float32)
    volume = Volume(array, (0.5, 0.5, 4.0), is_2d=is_2d)
    runner = Identity()
    made = translate_volume(volume, same_domains(HUWindow(), array), planes=["all"], runner=runner)
    assert runner.slices == 1 and made.disagreement is None
    assert np.abs(made.volume.array - array).max() < 0.01


def test_pictures_have_no_millimetres():
    """A picture runs at its own resolution, whatever the model's spacing is."""
    array = np.random.default_rng(0).integers(0, 255, (3, 1, 37, 50)).astype(np.uint8)
    model = same_domains(RGB(), array, spacing_mm=4.0)
    made = translate_volume(Volume(array, (0.1, 0.1, 1.0), is_2d=True), model, runner=Identity())
    assert np.abs(made.volume.array - array).max() < 0.001


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_neighbours_are_those_of_the_patient_at_the_learned_distance(plane):
    """Every slice of the plane holds its own number; the network must see number - step, number, number + step."""
    seen = []

    class Noting(Identity):
        def run(self, batch):
            seen.extend(np.round((batch.max(axis=(2, 3)) + 1) * 1500 - 1000).astype(int))
            return super().run(batch)

    axis = {"axial": 0, "coronal": 1, "sagittal": 2}[plane]
    numbers = np.arange(18).reshape([-1 if i == axis else 1 for i in range(3)]) * 10
    array = np.where(np.indices((18, 18, 18)).sum(0) % 2, -900, numbers).astype(np.float32)[None]
    flipped = Volume(array[:, ::-1, ::-1, ::-1], (1.0, 1.0, 1.0), direction=-np.eye(3))
    model = same_domains(HUWindow(), array, stack=3, stack_spacing_mm=2.0, plane=plane)
    made = translate_volume(flipped, model, runner=Noting())
    assert [list(each) for each in seen] == [[max(0, n - 2) * 10, n * 10, min(17, n + 2) * 10] for n in range(18)]
    assert np.abs(made.volume.array - flipped.array).max() < 0.01


REAL = [
    "open-ms/longitudinal/patient04_study1_T1W.nii.gz",
    "ct/totalseg_example_ct.nii.gz",
    "xray/nih_00000001_000.png",
    "dicom/vs-seg-001",
]


@pytest.mark.parametrize("name", REAL, ids=["mr", "ct", "xray", "dicom"])
def test_real_volumes_come_back(shared_data, name):
    volume = read_volume(shared_data / name)
    normalization = HUWindow(lower=-2000, upper=4000) if name.startswith("ct") else RobustPercentile(lower=0)
    model = same_domains(normalization, volume.array)
    made = translate_volume(volume, model, runner=Identity(), batch_size=8)
    assert_same_geometry(made.volume, volume)
    largest = float(volume.array.max())
    assert np.abs(made.volume.array - volume.array).max() <= 2e-6 * (largest - float(volume.array.min()))

    model = same_domains(normalization, volume.array, 1.0)
    made = translate_volume(volume, model, runner=Identity(), batch_size=8)
    assert_same_geometry(made.volume, volume)
    wanted = made.normalized_input
    assert np.abs(made.normalized_output - wanted).mean() < 0.06
    # Blurred by two resamplings at most: nothing else in reach fits as well as the same place.
    for axis, shift in itertools.product((1, 2, 3), (-1, 1)):
        if wanted.shape[axis] > 1:
            elsewhere = np.abs(made.normalized_output - np.roll(wanted, shift, axis)).mean()
            assert np.abs(made.normalized_output - wanted).mean() < 0.9 * elsewhere

"""Slices that are written as they come are those of the whole volume, and only they are held."""

import tracemalloc

import numpy as np
import pytest
from fakes import CT, MR, T2, Fake, brain, make_model
from tiny_models import head, make_tiny_model

from surgical_style_engine.common import thresholds
from surgical_style_engine.inference.plane_job import PlaneJob
from surgical_style_engine.inference.plane_slices import Slices
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.volume import Volume


@pytest.fixture
def large(monkeypatch):
    """Every volume counts as large."""
    monkeypatch.setattr(thresholds, "LARGEST_WHOLE", 10)


def turned(volume: Volume) -> Volume:
    """The same patient, stored sagittally and upside down."""
    direction = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    return Volume(volume.array, volume.spacing, volume.origin, direction)


def extracted(volume: Volume) -> Volume:
    return volume.with_array(np.where(volume.array > 300, volume.array, 0))


KINDS = {
    "noisy air": lambda: brain(9),
    "extracted": lambda: extracted(brain(0)),
    "turned": lambda: turned(brain(9)),
    "one slice": lambda: Volume(head(3, (8, 40, 36))[None, 4:5].astype(np.int16)),
}


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("spacing", [None, 2.0])
def test_a_large_volume_gives_exactly_what_a_small_one_gives(kind, plane, spacing, monkeypatch):
    volume = KINDS[kind]()
    model = make_model(spacing_mm=spacing, stack=3, stack_spacing_mm=3.0)
    options = {"planes": [plane], "batch_size": 3}

    def blur(batch):
        return np.tanh(batch + np.roll(batch, 1, -1) - batch[:, :1])

    whole = translate_volume(volume, model, runner=Fake(blur), **options)
    direct = translate_volume(volume, model, runner=Fake(blur), keep_normalized=False, **options)
    monkeypatch.setattr(thresholds, "LARGEST_WHOLE", 10)
    large = translate_volume(volume, model, runner=Fake(blur), keep_normalized=False, **options)
    for made in (direct, large):
        np.testing.assert_array_equal(made.volume.array, whole.volume.array)
        assert made.volume.same_grid(volume) and made.volume.array.dtype == np.float32
        assert made.slices == whole.slices > 0 and made.normalized_output.size == 0
    assert np.ptp(whole.volume.array) > 50


def test_a_real_network_too(tmp_path, large):
    model = load_model(make_tiny_model(tmp_path))
    volume = brain(5, (9, 50, 44))
    spare = translate_volume(volume, model, device="cpu", precision="fp32", backend="torch", keep_normalized=False)
    kept = translate_volume(volume, model, device="cpu", precision="fp32", backend="torch")
    np.testing.assert_allclose(spare.volume.array, kept.volume.array, atol=1e-3)


def test_a_large_volume_is_never_held_twice(large):
    """Beside input (int16) and output (float32) there is room for masks and some slices."""
    array = (head(1, (400, 64, 64))[None] - 500).astype(np.int16)
    volume, model = Volume(array), make_model(CT, CT, spacing_mm=1.0)

    def peak(**options) -> int:
        tracemalloc.start()
        try:
            made = translate_volume(volume, model, runner=Fake(np.array), **options)
            assert made.volume.array.nbytes == 4 * array.size
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(keep_normalized=False)  # imports
    assert peak(keep_normalized=False) < 6 * array.size + 100 * 4 * 64 * 64
    assert peak() > 12 * array.size


def test_what_the_air_keeps_is_the_input(large):
    volume = extracted(brain(0))
    made = translate_volume(volume, make_model(CT, CT), runner=Fake(np.negative), keep_normalized=False)
    assert (made.volume.array[volume.array == 0] != 0).any()  # HU 0 is no background
    painted = translate_volume(volume, make_model(MR, T2), runner=Fake(lambda b: b * 0), keep_normalized=False)
    assert (painted.volume.array[volume.array == 0] == 0).mean() > 0.9


def test_slices_are_resampled_once_while_neighbours_want_them(monkeypatch):
    monkeypatch.setattr(thresholds, "LARGEST_WHOLE", 10)
    seen = []

    def normalise(array):
        seen.append(array.shape[1])
        return array.astype(np.float32)

    array = np.random.default_rng(0).normal(size=(1, 30, 8, 8)).astype(np.float32)
    slices = Slices(array, (4, 4), normalise)
    for middle in range(30):
        near = np.clip([middle - 1, middle, middle + 1], 0, 29)
        found = slices.at_model(near)
        assert found.shape == (1, 3, 4, 4)
    assert sum(seen) == 30
    whole = Slices(array, (4, 4))
    np.testing.assert_allclose(found, whole.at_model(near), atol=1e-6)


def test_the_box_and_the_wanted_slices_are_those_of_the_whole(large):
    array = np.full((1, 20, 60, 50), -1, np.float32)
    array[:, 7:15, 20:30, 15:18] = 0.5
    card = make_model(spacing_mm=None).card
    job = PlaneJob(array, (1.0, 1.0, 1.0), "axial", card, False)
    assert job.occupied.tolist() == list(range(7, 15))
    assert job.box == (slice(12, 38), slice(7, 26))


@pytest.mark.parametrize("large_one", [False, True], ids=["whole", "slice by slice"])
def test_noise_in_the_air_ends_in_no_frame(large_one, monkeypatch):
    """Around the box is what the network makes of air at its edge, not the input's noise; air without noise stays."""
    rng = np.random.default_rng(0)
    tissue = np.zeros((10, 96, 112), np.float32)
    tissue[2:8, 30:70, 40:80] = rng.uniform(300, 900, (6, 40, 40))
    noise = [rng.normal(0, 4, tissue.shape) for _ in range(2)]
    volume = Volume(np.hypot(tissue + noise[0], noise[1])[None].astype(np.float32))
    model = make_model()
    if large_one:
        monkeypatch.setattr(thresholds, "LARGEST_WHOLE", 10)
    runner = Fake(lambda batch: np.where(batch > -0.9, -batch, np.float32(-0.99)))
    made = translate_volume(volume, model, runner=runner, keep_normalized=not large_one)
    rows, columns = slice(16, 84), slice(26, 94)  # margin and a block of eight, at most
    assert all(high <= 68 and wide <= 68 for *_, high, wide in runner.shapes)
    air = np.ones((96, 112), bool)
    air[rows, columns] = False
    around = made.volume.array[0, 2:8][:, air]
    assert np.ptp(around) < 1e-3
    inside = made.volume.array[0, 4, 24, 45:75]  # still air, within the box
    assert np.abs(inside - around.mean()).max() < 1e-3
    # And where the air has no noise, it is the input's to the last bit: flat backgrounds are left alone.
    clean = translate_volume(Volume(tissue[None]), model, runner=runner)
    assert (clean.normalized_output[0][:, air] == -1).all()

"""The cycle figures of a model: which slices are run, what is judged, and where the maps lie."""

import numpy as np
import pytest
from tiny_models import head, make_tiny_model

from surgical_style_engine.backends import select as backends
from surgical_style_engine.backends.runner import Runner
from surgical_style_engine.errors import Cancelled
from surgical_style_engine.inference.cycle import cycle_of
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.metrics.cycle import NOISE
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.volumes.volume import Volume

TURNED = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Fake(Runner):
    backend = "fake"

    def __init__(self, function):
        self.function, self.batches = function, []

    def run(self, batch):
        self.batches.append(batch.copy())
        return np.asarray(self.function(batch), np.float32)


@pytest.fixture
def networks(monkeypatch):
    """Both directions as functions of a batch, and the batches that each got."""
    ways = {"forward": Fake(np.negative), "backward": Fake(np.negative)}
    monkeypatch.setattr(backends, "make_runner", lambda model, way, *_: ways[way])
    return ways


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_tiny_model(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def own_spacing(tmp_path_factory):
    return load_model(make_tiny_model(tmp_path_factory.mktemp("models"), spacing_mm=None))


def noisy_head(**grid) -> Volume:
    array = head(2, (14, 36, 40)) + np.abs(np.random.default_rng(0).normal(0, 10, (14, 36, 40)))
    return Volume(array[None].astype(np.float32), **grid)


def test_real_networks_both_ways(model):
    """Not the identity, and the same figures from a translation at hand as from none."""
    volume = noisy_head(spacing=(1.0, 1.0, 3.0))
    translation = translate_volume(volume, model, device="cpu", precision="fp32")
    figures, again = (cycle_of(volume, model, translation, device="cpu", precision="fp32") for _ in range(2))
    assert 0.05 < figures.look_ahead.value < 2 and 0.05 < figures.jigsaw.value < 2
    assert figures.look_ahead == again.look_ahead and np.array_equal(figures.error, again.error)
    assert figures.slices == 14
    error = figures.error[np.isfinite(figures.error)]
    assert error.min() >= 0 and error.max() <= 2


def test_each_direction_has_its_own_network_and_its_own_way_back(networks, own_spacing):
    """Forward adds what backward takes away: only the right order closes the cycle."""
    networks["forward"].function = lambda batch: np.clip(batch * 0.5 + 0.2, -1, 1)
    networks["backward"].function = lambda batch: np.clip((batch - 0.2) * 2, -1, 1)
    volume = noisy_head()
    for direction in ("forward", "backward"):
        runner = networks[direction]
        translation = translate_volume(volume, own_spacing, direction=direction, runner=runner)
        figures = cycle_of(volume, own_spacing, translation, direction=direction, jigsaw=False)
        if direction == "forward":
            assert figures.look_ahead.raw < 1e-6 < 0.01 < figures.look_ahead.value
        else:  # backward clips, what is lost does not come back
            assert figures.look_ahead.raw > 0.05


@pytest.mark.parametrize("spacing_mm", [None, 2.0])
def test_the_returned_volume_lies_on_the_input(networks, model, own_spacing, spacing_mm):
    """Anisotropic, with its axes in another order and flipped."""
    used = model if spacing_mm else own_spacing
    volume = noisy_head(spacing=(0.9, 1.2, 2.5), origin=(3.0, 4.0, 5.0), direction=TURNED)
    runner = networks["forward"]
    translation = translate_volume(volume, used, runner=runner)
    # Away from the ends of the range, where noise is clipped.
    middle = np.abs(translation.normalized_input[0]) < 0.7
    figures = cycle_of(volume, used, translation, mask=middle, jigsaw=False)
    assert figures.returned.shape == figures.error.shape == volume.array.shape
    found, wanted = figures.returned.ravel(), translation.normalized_input.ravel()
    similar = np.corrcoef(found, wanted)[0, 1]
    assert similar > (0.99 if spacing_mm is None else 0.85)
    flipped = [
        np.corrcoef(figures.returned[0][turn].ravel(), wanted)[0, 1]
        for turn in (np.s_[::-1], np.s_[:, ::-1], np.s_[:, :, ::-1])
    ]
    assert similar > max(flipped) + 0.02
    if spacing_mm is None:
        deviation = np.hypot(2 * NOISE, 2 / 255 / np.sqrt(12))
        assert figures.look_ahead.value == pytest.approx(deviation * np.sqrt(2 / np.pi), rel=0.03)


def test_noise_stays_out_of_the_air_of_an_extracted_brain(networks, own_spacing):
    """A generous mask covers air too. Noise there would turn it into something to translate."""
    volume = Volume(head(2, (14, 36, 40))[None])
    air = volume.array[0] == 0
    translation = translate_volume(volume, own_spacing, runner=networks["forward"])
    for fake in networks.values():
        fake.batches.clear()
    generous = np.ones(air.shape, bool)
    figures = cycle_of(volume, own_spacing, translation, mask=generous, jigsaw=False)
    assert figures.error[0][air].max() < 1e-6, "air stays as it is, to and fro"
    assert figures.error[0][~air].mean() > 0.01
    tight = cycle_of(volume, own_spacing, translation, mask=~air, jigsaw=False)
    assert figures.look_ahead.value == pytest.approx(tight.look_ahead.value, rel=0.02)


def test_a_mask_of_nothing_but_air_is_still_judged(networks, own_spacing):
    volume = Volume(head(2, (14, 36, 40))[None])
    translation = translate_volume(volume, own_spacing, runner=networks["forward"])
    figures = cycle_of(volume, own_spacing, translation, mask=volume.array[0] == 0, jigsaw=False)
    assert figures.look_ahead.raw < 1e-6


@pytest.mark.parametrize(("planes", "axis"), [(["sagittal", "axial"], 2), (["coronal"], 1), (None, 0), (["all"], 0)])
def test_one_plane_is_judged_the_first(networks, own_spacing, planes, axis):
    volume = noisy_head()
    translation = translate_volume(volume, own_spacing, planes=planes, runner=networks["forward"])
    figures = cycle_of(volume, own_spacing, translation, planes=planes, jigsaw=False, max_slices=3)
    judged = np.isfinite(figures.error[0])
    assert figures.slices == 3
    along = judged.any(axis=tuple({0, 1, 2} - {axis}))
    assert (
        along.sum() == 3
        and judged.sum()
        == 3 * judged[tuple(np.argwhere(judged)[0][i] if i == axis else slice(None) for i in range(3))].size
    )


def test_few_slices_come_from_inside_the_mask_and_only_they_run(networks, own_spacing):
    volume = noisy_head()
    translation = translate_volume(volume, own_spacing, runner=networks["forward"])
    for fake in networks.values():
        fake.batches.clear()
    mask = np.zeros(volume.array.shape[1:], bool)
    mask[8:12, 10:20, 10:20] = True
    figures = cycle_of(volume, own_spacing, translation, mask=mask, max_slices=2, jigsaw=False, batch_size=1)
    judged = np.flatnonzero(np.isfinite(figures.error).all(axis=(0, 2, 3)))
    assert len(judged) == 2 and set(judged) <= set(range(8, 12))
    assert len(networks["backward"].batches) == 4
    assert not networks["forward"].batches, "G(x) on the model's own grid is used again"
    more = cycle_of(volume, own_spacing, translation, mask=mask, max_slices=4, jigsaw=False)
    assert more.slices == 14, "no fewer than the mask has: all are run, for whole maps"


def test_pictures(networks, tmp_path):
    model = load_model(make_tiny_model(tmp_path, channels=3))
    array = np.random.default_rng(0).integers(0, 255, (3, 1, 33, 47)).astype(np.uint8)
    picture = Volume(array, (0.1, 0.1, 1.0), is_2d=True)
    translation = translate_volume(picture, model, runner=networks["forward"])
    figures = cycle_of(picture, model, translation)
    assert figures.error.shape == array.shape and figures.look_ahead.raw < 1e-6
    assert all(batch.shape[-2:] == (36, 48) for batch in networks["backward"].batches), "at its own resolution"


def test_without_a_way_back(networks, model, tmp_path):
    one_way = load_model(make_tiny_model(tmp_path, directions=("forward",)))
    volume = noisy_head()
    translation = translate_volume(volume, model, runner=networks["forward"])
    assert cycle_of(volume, one_way, translation) is None
    card = model.card.model_copy(deep=True)
    card.domains.target.channels = 3
    model = type(model)(card, model.folder)
    assert cycle_of(volume, model, translation) is None, "a cycle from grey to colour has no difference"


def test_cancelling(networks, own_spacing):
    volume = noisy_head()
    translation = translate_volume(volume, own_spacing, runner=networks["forward"])
    networks["backward"].batches.clear()
    seen = []
    with pytest.raises(Cancelled):
        cycle_of(
            volume,
            own_spacing,
            translation,
            batch_size=5,
            progress=lambda *counts: seen.append(counts),
            cancelled=lambda: len(networks["backward"].batches) >= 4,
        )
    assert len(networks["backward"].batches) == 4
    assert seen == [(1, 6)], "one whole pass, and then one batch of the next"

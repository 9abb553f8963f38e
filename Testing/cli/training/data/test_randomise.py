"""Contrast randomisation: what it may change, what it must keep, and that the same seed gives the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_training import as_options, losses_of

from surgical_style_engine.errors import InputError
from training_cli.training.config import load_config
from training_cli.training.config.strengths import STRENGTHS, randomise_strengths
from training_cli.training.data.dataset import SampleByNumber
from training_cli.training.data.items import CachedItem, TrainingData
from training_cli.training.data.prepare import prepare_data
from training_cli.training.data.randomise import Randomise

ALONE = dict.fromkeys(("gamma", "window", "dark", "curve", "floor", "bias", "noise", "blur"), 0.0)


def draw(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(count: int = 64) -> torch.Tensor:
    """(count, 3, 16, 32): columns rise from -1 to 1, alike in all slices."""
    return torch.linspace(-1, 1, 32).expand(count, 3, 16, 32).clone()


def test_strengths_of_zero_change_nothing():
    image = torch.rand(2, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(Randomise(**ALONE)(image, draw()), image)


@pytest.mark.parametrize("name", ["gamma", "curve"])
def test_tone_curves_are_monotone_and_keep_both_ends(name):
    image = ramp()
    changed = Randomise(**ALONE | {name: 0.6})(image, draw())
    assert (changed.diff(dim=-1) >= -1e-6).all()
    torch.testing.assert_close(changed[..., 0], image[..., 0], atol=2e-3, rtol=0)
    torch.testing.assert_close(changed[..., -1], image[..., -1], atol=1e-5, rtol=0)
    moved = (changed - image).abs().amax(dim=(1, 2, 3))
    assert 0.5 < (moved > 1e-3).float().mean() < 1.0 and moved.max() > 0.2


@pytest.mark.parametrize("name", sorted(ALONE))
def test_each_change_happens_and_a_stack_is_changed_as_one(name):
    image = ramp().roll(16, -1)  # with an edge
    results = [Randomise(**ALONE | {name: 0.5})(image, draw(seed)) for seed in range(12)]
    assert any((result - image).abs().max() > 0.05 for result in results)
    assert all(bool((result >= -1).all()) and bool((result <= 1).all()) for result in results)
    if name != "noise":
        assert all(torch.equal(result[:, 0], result[:, 2]) for result in results)


def test_fluid_goes_down_to_air_and_tissue_stays_apart():
    image = torch.full((40, 3, 32, 32), 0.2)  # tissue
    image[..., :8] = -1.0  # air
    image[..., 8:12] = -0.8  # fluid, a sixth of tissue
    changed = Randomise(**ALONE | {"floor": 0.5})(image, draw())
    moved = (changed - image).abs().amax(dim=(1, 2, 3)) > 1e-3
    assert 0.2 < moved.float().mean() < 0.7, "as often as asked for"
    assert (changed[..., :8] == -1).all(), "air stays"
    assert (changed[..., 8:12] <= image[..., 8:12] + 1e-6).all()
    assert changed[moved][..., 8:12].amin() < -0.95
    assert (changed[..., 12:] > changed[..., 8:12].amax() + 0.5).all(), "the order of tissues is kept"


def test_darkening_is_only_ever_darker_and_of_a_quarter():
    image = ramp(400)
    changed = Randomise(**ALONE | {"dark": 1.5})(image, draw())
    assert (changed <= image + 1e-6).all()
    darker = (changed - image).flatten(1).amin(1) < -0.01
    assert 0.15 < darker.float().mean() < 0.35 and changed[..., -1].min() > 2 * np.exp(-1.5) - 1 - 1e-5


def test_the_same_seed_gives_the_same_in_whatever_precision():
    image, strong = torch.rand(2, 3, 32, 32) * 2 - 1, Randomise(**randomise_strengths("strong", {}))
    first, again = strong(image, draw(7)), strong(image, draw(7))
    assert torch.equal(first, again) and not torch.equal(first, strong(image, draw(8)))
    double = strong(image.double(), draw(7))
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), first, atol=1e-5, rtol=0)


def test_kinds_and_strengths_are_judged():
    assert randomise_strengths("none", {}) is None
    assert randomise_strengths("strong", {"dark": 0}) == STRENGTHS["strong"] | {"dark": 0}
    base = {"source": "a", "target": "b", "output": "r", "max_steps": 1}
    assert load_config(None, base | {"randomise": "mild", "randomise_settings": "blur=1"}).randomise_settings == {
        "blur": 1
    }
    for settings, sentence in (
        ({"randomise": "wild"}, "'randomise' is wrong"),
        ({"randomise": "mild", "randomise_settings": "hue=1"}, "has no 'hue'"),
        ({"randomise": "mild", "randomise_settings": "blur=-1"}, "blur cannot be -1"),
        ({"randomise": "mild", "randomise_settings": "probability=2"}, "probability cannot be 2"),
        ({"randomise_settings": "blur=1"}, "needs randomise mild or strong"),
    ):
        with pytest.raises(InputError, match=sentence):
            load_config(None, base | settings)


def test_inputs_are_randomised_and_answers_never(tiny, pairs, tmp_path):
    settings = tiny | {"pairs": pairs, "pairs_fraction": 0.5}
    data = prepare_data(load_config(None, settings), tmp_path / "cache")
    plain, strong = (
        SampleByNumber(data, load_config(None, settings | {"augment": False, "randomise": kind}))
        for kind in ("none", "strong")
    )
    changed = 0
    for number in range(20):
        before, after = plain[number], strong[number]
        assert all(torch.equal(before[key], after[key]) for key in ("a_clean", "b_clean", "weight"))
        assert torch.equal(after["a"], strong[number]["a"])
        changed += not torch.equal(before["a"], after["a"])
    assert changed > 15


def test_different_modalities_of_an_input_get_contrasts_of_their_own(tmp_path):
    array = np.broadcast_to(np.linspace(-1, 1, 32, dtype=np.float32), (2, 5, 32, 32)).copy()
    np.save(tmp_path / "a.npy", array)
    np.save(tmp_path / "b.npy", array[:1])
    landmarks = {"kind": "zscore"}

    def item(name: str, inputs: tuple[dict, ...]) -> CachedItem:
        return CachedItem(name, tmp_path / name, 3.0, np.arange(5), (0, 32, 0, 32), landmarks, {}, None, inputs)

    data = TrainingData([item("a.npy", (landmarks, landmarks))], [item("b.npy", ())], [])
    settings = {"source": "a", "target": "b", "output": "r", "max_steps": 1, "patch_size": 32, "stack": 3}
    samples = SampleByNumber(
        data,
        load_config(
            None, settings | {"augment": False, "randomise": "strong", "randomise_settings": "noise=0,blur=0,bias=0"}
        ),
    )
    apart = 0
    for number in range(10):
        stack = samples[number]["a"].view(3, 2, 32, 32)
        assert torch.equal(stack[0, 0], stack[2, 0]) and torch.equal(stack[0, 1], stack[2, 1])
        apart += not torch.equal(stack[0, 0], stack[0, 1])
    assert apart >= 8


def test_a_resumed_run_gives_the_same_losses(tiny, pairs, tmp_path, sst):
    settings = tiny | {
        "method": "paired",
        "pairs": pairs,
        "sample_every": 0,
        "constant_fraction": 1.0,
        "randomise": "strong",
        "randomise_settings": "dark=1",
        "lambda_ssim": 0.3,
        "lambda_sharpness": 0.5,
        "weight_decay": 0.01,
    }
    assert sst("train", *as_options(settings)).code == 0
    halves = settings | {"output": tmp_path / "halves"}
    assert sst("train", *as_options(halves | {"max_steps": 2})).code == 0
    assert sst("train", *as_options(halves), "--resume").code == 0
    whole = losses_of(tmp_path / "run")
    assert len(whole) == 4 and losses_of(tmp_path / "halves") == whole
    plain = {key: value for key, value in halves.items() if key not in ("randomise", "randomise_settings")}
    refused = sst("train", *as_options(plain | {"preset": "none"}), "--resume")
    # Without a word the run goes on as it began.
    assert sst("train", *as_options(plain | {"max_steps": 5}), "--resume").code == 0
    assert refused.code == 2 and "randomise was strong and is none" in refused.err

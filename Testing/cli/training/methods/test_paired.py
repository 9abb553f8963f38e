"""Supervised training on registered pairs."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from tiny_methods import changed, make_batch, make_method, weights
from tiny_models import make_tiny_bilateral
from tiny_training import as_options, disc_volume, losses_of

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model


def test_a_step_is_l1_inside_the_valid_part_and_the_adversarial_term():
    method, batch = make_method("paired", lambda_pairs=7.0, lambda_adversarial=0.5), make_batch()
    inside = batch["weight"].bool()
    expected = sum(
        (method.generator_networks[way](batch[start]) - batch[goal])[inside].abs().mean().item()
        for way, start, goal in (("forward", "a", "b_clean"), ("backward", "b", "a_clean"))
    )
    before = weights(method)
    losses = method.step(batch, 0.5, 1e-3)
    assert float(losses["pairs"]) == pytest.approx(expected, rel=1e-5)
    assert float(losses["generators"]) == pytest.approx(7 * expected + 0.5 * float(losses["adversarial"]), rel=1e-5)
    assert changed(method, before) == {"forward", "backward", "discriminator_forward", "discriminator_backward"}


@pytest.mark.parametrize(("conditional", "channels"), [(True, 4), (False, 3)])
def test_a_conditional_discriminator_sees_input_and_output(conditional, channels):
    method = make_method("paired", 1, 3, conditional=conditional)
    first = next(m for m in method.direction_discriminators["forward"].modules() if isinstance(m, torch.nn.Conv2d))
    assert first.in_channels == channels
    assert torch.isfinite(method.step(make_batch(1, 3), 0.5, 1e-3)["discriminators"])


def test_discriminators_see_no_difference_where_nothing_can_be_compared():
    """With nothing valid the images shown as made are the real ones, whatever the generator does."""
    method, batch = make_method("paired", conditional=False), make_batch()
    batch["weight"] = torch.zeros_like(batch["weight"])
    seen = []
    method.direction_discriminators["forward"].register_forward_hook(
        lambda _m, inputs, _out: seen.append(inputs[0].detach())
    )
    method.step(batch, 0.5, 1e-3)
    torch.testing.assert_close(seen[0], batch["b_clean"])


def test_without_adversarial_weight_there_are_no_discriminators():
    method = make_method("paired", lambda_adversarial=0)
    assert set(method.step(make_batch(), 0.5, 1e-3)) == {"pairs", "generators"}
    assert set(method.networks()) == {"forward", "backward"}


@pytest.mark.parametrize("adversarial", [0.0, 0.5])
def test_it_goes_on_from_a_model_that_gives_the_middle_slice_alone(tmp_path, adversarial):
    """As the shipped styles do: it is compared with the middle slice of the real stack."""
    folder = make_tiny_bilateral(tmp_path)
    settings = {"init": str(folder), "stack": 3, "lambda_pairs": 1.0, "lambda_adversarial": adversarial}
    method, batch = make_method("paired", generator="bilateral", **settings), make_batch(3, 3)
    inside = batch["weight"].bool()
    expected = sum(
        (method.generator_networks[way](batch[start]) - batch[end][:, 1:2])[inside].abs().mean().item()
        for way, start, end in (("forward", "a", "b_clean"), ("backward", "b", "a_clean"))
    )
    losses = method.step(batch, 0.5, 1e-3)
    assert float(losses["pairs"]) == pytest.approx(expected, rel=1e-5)
    assert method.architecture["forward"]["out_channels"] == 1 and bool(torch.isfinite(losses["generators"]))


@pytest.mark.parametrize("name", ["cyclegan", "cut"])
def test_other_methods_say_that_they_cannot(tmp_path, name):
    folder = make_tiny_bilateral(tmp_path)
    with pytest.raises(InputError, match=f"which the method {name} cannot go on from; paired can"):
        make_method(name, init=str(folder), stack=3, generator="bilateral")


def test_no_pairs_is_one_sentence_and_leaves_no_run(tiny, tmp_path, refused):
    sentence = refused("train", *as_options(tiny | {"method": "paired"}))
    assert sentence == "The settings cannot be used: the method paired needs pairs." and not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="lambda_pairs must be above 0"):
        make_method("paired", lambda_pairs=0)


def test_a_resumed_run_gives_the_same_losses(tiny, pairs, tmp_path, sst):
    settings = tiny | {"method": "paired", "pairs": pairs, "sample_every": 0, "stack": 1, "constant_fraction": 1.0}
    assert sst("train", *as_options(settings)).code == 0
    halves = settings | {"output": tmp_path / "halves"}
    assert sst("train", *as_options(halves | {"max_steps": 2})).code == 0
    assert sst("train", *as_options(halves), "--resume").code == 0
    whole = losses_of(tmp_path / "run")
    assert len(whole) == 4 and all("pairs" in row and "adversarial" in row for row in whole)
    assert losses_of(tmp_path / "halves") == whole


def test_it_learns_both_directions(discs, tiny, pairs, tmp_path, sst):
    settings = tiny | {
        "method": "paired",
        "pairs": pairs,
        "lambda_adversarial": 0,
        "max_steps": 80,
        "learning_rate": 3e-3,
        "ngf": 8,
        "checkpoint_every": 1000,
        "sample_every": 0,
        "stack": 1,
    }
    assert sst("train", *as_options(settings)).code == 0
    for side in ("source", "target"):
        sitk.WriteImage(disc_volume(77, inverted=side == "target"), str(tmp_path / f"{side}.nii.gz"))
    source, target = (read_volume(tmp_path / f"{side}.nii.gz") for side in ("source", "target"))
    model = load_model(tmp_path / "run" / "model" / "model")
    for volume, truth, direction in ((source, target, "forward"), (target, source, "backward")):
        made = translate_volume(volume, model, direction=direction, device="cpu", precision="fp32").volume
        own = np.abs(volume.array - truth.array).mean()
        error = np.abs(made.array - truth.array).mean()
        assert error < 0.4 * own, (direction, error, own)

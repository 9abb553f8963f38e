"""CUT and FastCUT: the PatchNCE term, what a step trains, exact resume, and the one-way model that comes out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_methods import changed, make_batch, make_method, weights
from tiny_training import as_options, losses_of

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from surgical_style_engine.networks import build_generator
from training_cli.training.methods.cut import encoder_layers, encoder_sequence, run_with_features
from training_cli.training.optimisation.losses import patch_nce_loss


def test_patch_nce_is_the_cross_entropy_of_finding_ones_own_place():
    random = torch.Generator().manual_seed(0)
    query, key = (torch.nn.functional.normalize(torch.randn(2, 5, 3, generator=random), dim=-1) for _ in range(2))
    expected = 0.0
    for image in range(2):
        for place in range(5):
            scores = [float(query[image, place] @ key[image, other]) / 0.1 for other in range(5)]
            expected -= math.log(math.exp(scores[place]) / sum(map(math.exp, scores))) / 10
    assert float(patch_nce_loss(query, key, 0.1)) == pytest.approx(expected, rel=1e-5)


def test_gradients_of_patch_nce_flow_into_queries_alone():
    query, key = torch.randn(1, 4, 3, requires_grad=True), torch.randn(1, 4, 3, requires_grad=True)
    patch_nce_loss(query, key, 0.07).backward()
    assert query.grad.abs().sum() > 0 and key.grad is None


@pytest.mark.parametrize("name", ["resnet", "resnet_reference"])
def test_features_are_those_of_the_encoder_and_the_pass_is_the_generators(name):
    generator = build_generator(name, in_channels=1, out_channels=1, ngf=4, n_blocks=9)
    layers = encoder_layers(generator)
    images = torch.rand(1, 1, 32, 32)
    made, features = run_with_features(generator, layers, images)
    torch.testing.assert_close(made, generator(images))
    # Pixels (padded), two down-samplings, first and fifth residual block.
    assert [feature.shape[1] for feature in features] == [1, 8, 16, 16, 16]
    residual = [n for n, layer in enumerate(encoder_sequence(generator)) if type(layer).__name__.endswith("Block")]
    assert layers[-2:] == [residual[0], residual[4]]
    _, again = run_with_features(generator, layers, images, whole=False)
    assert all(torch.equal(a, b) for a, b in zip(features, again, strict=True))


def test_cut_trains_generator_heads_and_discriminator():
    method = make_method("cut", lambda_pairs=0)
    before = weights(method)
    losses = method.step(make_batch(), 0.5, 1e-3)
    assert set(losses) == {"adversarial", "nce", "identity", "spatial", "generators", "discriminators"}
    assert changed(method, before) == {"G", "D_B", "heads"}
    expected = losses["adversarial"] + 0.5 * (losses["nce"] + losses["identity"]) + losses["spatial"]
    assert float(losses["generators"]) == pytest.approx(float(expected), rel=1e-5)


def test_fastcut_has_no_identity_term_and_ten_times_the_weight():
    method = make_method("fastcut", lambda_spatial=0)
    losses = method.step(make_batch(paired=False), 0.5, 1e-3)
    assert set(losses) == {"adversarial", "nce", "generators", "discriminators"}
    assert float(losses["generators"]) == pytest.approx(float(losses["adversarial"] + 10 * losses["nce"]), rel=1e-5)
    assert make_method("fastcut", lambda_nce=3.0).weight == 3


def test_the_nce_term_falls_when_a_translation_keeps_its_places():
    """A generator that is trained by PatchNCE alone becomes one whose places are found again."""
    method = make_method("cut", lambda_adversarial=0, lambda_spatial=0, lambda_pairs=0, nce_patches=64)
    batch = make_batch(count=1)
    found = [float(method.step(batch, 0.5, 2e-3)["nce"]) for _ in range(60)]
    assert np.mean(found[-5:]) < 0.7 * np.mean(found[:5])


def test_other_generators_and_domains_of_other_channels_are_one_sentence():
    with pytest.raises(InputError, match="resnet or resnet_reference"):
        make_method("cut", generator="unet_reference")
    with pytest.raises(InputError, match="equal channels, not 1 and 3"):
        make_method("fastcut", 1, 3)


@pytest.mark.parametrize("name", ["cut", "fastcut"])
def test_a_resumed_run_gives_the_same_losses(name, tiny, tmp_path, sst):
    # A constant rate: the first half does not know the whole budget.
    settings = tiny | {"method": name, "max_steps": 4, "sample_every": 0, "stack": 1, "constant_fraction": 1.0}
    assert sst("train", *as_options(settings)).code == 0
    halves = settings | {"output": tmp_path / "halves"}
    assert sst("train", *as_options(halves | {"max_steps": 2})).code == 0
    assert sst("train", *as_options(halves), "--resume").code == 0
    whole, resumed = losses_of(tmp_path / "run"), losses_of(tmp_path / "halves")
    assert [row["step"] for row in whole] == [1, 2, 3, 4] and all("nce" in row for row in whole)
    assert resumed == whole


def test_the_model_translates_one_way(tiny, discs, tmp_path, sst):
    assert sst("train", *as_options(tiny | {"method": "cut", "max_steps": 2})).code == 0
    model = load_model(tmp_path / "run" / "model" / "model")
    assert model.card.directions == ["forward"] and model.card.training["method"] == "cut"
    volume = read_volume(discs / "source" / "c.nii.gz")
    assert translate_volume(volume, model, device="cpu", precision="fp32").volume.same_grid(volume)
    with pytest.raises(InputError, match="no direction 'backward'"):
        translate_volume(volume, model, direction="backward", device="cpu")
    sample = np.asarray(Image.open(tmp_path / "run" / "samples" / "step-00000002.png"))
    assert sample.shape == (4 * 32, 3 * 32, 3)

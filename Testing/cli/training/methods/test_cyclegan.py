"""The CycleGAN step against the same arithmetic written out one pass at a time, and whether it learns."""

from __future__ import annotations

import contextlib
import copy

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from tiny_training import as_options, disc_volume

from surgical_style_engine.errors import InputError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.inference.translate import translate_volume
from surgical_style_engine.models.folder import load_model
from training_cli.training.config import load_config
from training_cli.training.methods.cyclegan import CycleGAN
from training_cli.training.optimisation.losses import discriminator_features, spatial_domain_loss

SETTINGS = {
    "source": "a",
    "target": "b",
    "output": "r",
    "max_steps": 1,
    "ngf": 4,
    "n_blocks": 1,
    "ndf": 4,
    "n_layers": 2,
    "patch_size": 32,
    "pool_size": 0,
    "learning_rate": 1e-3,
}


def make_method(channels_a: int = 1, channels_b: int = 1, **settings) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(load_config(None, SETTINGS | settings), channels_a, channels_b, "cpu", contextlib.nullcontext)


def make_batch(channels_a: int = 1, channels_b: int = 1, count: int = 2, paired: bool = True) -> dict:
    random = torch.Generator().manual_seed(3)

    def images(channels: int) -> torch.Tensor:
        return torch.rand(count, channels, 32, 32, generator=random) * 2 - 1

    batch = {"a": images(channels_a), "b": images(channels_b)}
    batch |= {"a_clean": batch["a"] * 0.9, "b_clean": batch["b"] * 0.9}
    weight = (torch.rand(count, 1, 32, 32, generator=random) > 0.3).float()
    return batch | {"weight": weight * paired, "paired": torch.tensor([paired] * count)}


def sequential(method: CycleGAN, batch: dict) -> tuple[dict, dict]:
    """Losses and gradients of one step, every network run for one batch at a time."""
    config = method.config.model_dump()
    networks = {name: copy.deepcopy(network) for name, network in method.networks().items()}
    G, F, D_A, D_B = (networks[name] for name in ("G", "F", "D_A", "D_B"))
    a, b, real_a, real_b, weight = (batch[key] for key in ("a", "b", "a_clean", "b_clean", "weight"))

    def adversarial(score, real: bool):
        if config["adversarial"] == "least_squares":
            return ((score - float(real)) ** 2).mean()
        return torch.nn.functional.binary_cross_entropy_with_logits(score, torch.full_like(score, float(real)))

    def cycle(x, y):
        return (x - y).abs().mean() if config["cycle_norm"] == "l1" else ((x - y) ** 2).mean()

    def inside(x, y):
        return ((x - y).abs() * weight).sum() / (weight.sum() * x.shape[1])

    fake_b, identity_b = G(a), G(real_b)
    fake_a, identity_a = F(b), F(real_a)
    losses = {"adversarial": adversarial(D_B(fake_b), True) + adversarial(D_A(fake_a), True)}
    losses["cycle"] = cycle(F(fake_b), a) + cycle(G(fake_a), b)
    losses["identity"] = (identity_b - real_b).abs().mean() + (identity_a - real_a).abs().mean()
    losses["spatial"] = sum(
        spatial_domain_loss(discriminator_features(D, fake)[0], discriminator_features(D, real)[0])
        for D, fake, real in ((D_B, fake_b, real_b), (D_A, fake_a, real_a))
    )
    losses["pairs"] = inside(fake_b, real_b) + inside(fake_a, real_a)
    losses["generators"] = sum(config[f"lambda_{name}"] * value for name, value in losses.items())
    losses["generators"].backward()
    for D in (D_A, D_B):
        D.zero_grad()
    losses["discriminators"] = 0.5 * sum(
        adversarial(D(real), True) + adversarial(D(fake.detach()), False)
        for D, real, fake in ((D_A, real_a, fake_a), (D_B, real_b, fake_b))
    )
    losses["discriminators"].backward()
    gradients = {f"{name}.{key}": p.grad for name, network in networks.items() for key, p in network.named_parameters()}
    return {name: value.item() for name, value in losses.items()}, gradients


def assert_gradients(network: torch.nn.Module, expected: dict[str, torch.Tensor]) -> None:
    """Each within a thousandth of its own size; a bias before a normalisation has none but rounding errors."""
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    compared = 0
    for key, parameter in network.named_parameters():
        size = float(expected[key].abs().max())
        assert float((parameter.grad - expected[key]).abs().max()) < 1e-3 * size + 1e-5 * largest, key
        compared += size > 1e-3 * largest
    assert largest > 1e-3 and compared >= 4


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"adversarial": "bce", "cycle_norm": "l2"},
        {"generator": "article", "discriminator": "article"},  # batch normalisation: images influence each other
    ],
    ids=["least squares, L1", "cross-entropy, L2", "the article's networks"],
)
def test_a_step_is_what_one_pass_at_a_time_gives(settings):
    method, batch = make_method(**settings), make_batch()
    torch.manual_seed(5)  # the directions of the spatial-domain term
    losses, gradients = sequential(method, batch)
    torch.manual_seed(5)
    found = {name: float(value) for name, value in method.step(batch, 0.5, 1e-3).items()}
    assert found.keys() == losses.keys()
    for name, value in losses.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    for name, network in method.networks().items():
        assert_gradients(network, {key: gradients[f"{name}.{key}"] for key, _ in network.named_parameters()})


def test_terms_of_weight_zero_and_other_channels_are_left_out():
    method = make_method(lambda_spatial=0, lambda_identity=0, lambda_pairs=0)
    assert {"spatial", "identity", "pairs"}.isdisjoint(method.step(make_batch(), 0.5, 1e-3))
    colours = make_method(1, 3)
    assert "identity" not in colours.step(make_batch(1, 3, paired=False), 0.5, 1e-3)


def test_the_identity_term_runs_on_every_nth_step():
    method = make_method(identity_every=3)
    assert ["identity" in method.step(make_batch(), 0.5, 1e-3) for _ in range(6)] == [True, False, False] * 2


def test_the_warmup_trains_generators_on_pairs_alone():
    method = make_method(pairs_warmup=0.4, pairs="p")
    before = copy.deepcopy(method.state_dict()["networks"])

    def changed(name: str) -> bool:
        now = method.networks()[name].state_dict()
        return any(not torch.equal(before[name][key], value) for key, value in now.items())

    losses = method.step(make_batch(paired=False), 0.1, 1e-3)
    assert float(losses["generators"]) == 0 and not any(changed(name) for name in before)
    losses = method.step(make_batch(), 0.1, 1e-3)
    assert set(losses) == {"pairs", "generators"} and float(losses["pairs"]) > 0
    assert changed("G") and changed("F") and not changed("D_A") and not changed("D_B")
    assert "adversarial" in method.step(make_batch(), 0.4, 1e-3) and changed("D_A")


def test_pseudo_pairs_teach_alone_at_first_and_then_beside_the_game():
    method = make_method(pseudo_alone=0.8, patch_size=64)
    batch = {key: value.repeat(1, 1, 2, 2) if value.ndim == 4 else value for key, value in make_batch().items()}
    rough = batch | {"rough": torch.tensor([True, True])}
    before = copy.deepcopy(method.state_dict()["networks"])
    with torch.no_grad():
        a, b = method.G(rough["a"]), method.F(rough["b"])
    weight = rough["weight"]
    as_they_lie = sum(
        float(((made - rough[key]).abs() * weight).sum() / weight.sum())
        for made, key in ((a, "b_clean"), (b, "a_clean"))
    )
    # First as they lie, and with none in the batch nothing; then moved to where they fit.
    assert float(method.step(rough, 0.1, 1e-3)["pairs"]) == pytest.approx(as_they_lie, rel=1e-4)
    nothing = method.step(rough | {"paired": torch.tensor([False, False])}, 0.1, 1e-3)
    assert set(nothing) == {"generators"} and float(nothing["generators"]) == 0
    method.steps = 750  # images enough
    losses = method.step(rough, 0.5, 1e-3)
    assert set(losses) == {"pairs", "air", "distribution", "sharpness", "generators"}
    expected = losses["pairs"] + losses["distribution"] + 0.5 * losses["sharpness"] + 0.1 * losses["air"]
    assert float(losses["generators"]) == pytest.approx(float(30 * expected), rel=1e-5)
    for name, network in method.networks().items():
        changed = any(not torch.equal(before[name][key], value) for key, value in network.state_dict().items())
        assert changed == (name in "GF"), name
    both = set(method.step(rough, 0.8, 1e-3))
    assert {"adversarial", "cycle", "identity", "discriminators", "distribution"} <= both
    # Registered pairs are compared pixel by pixel, whatever the setting.
    assert {"adversarial", "pairs"} <= set(method.step(batch, 0.1, 1e-3)) and "distribution" not in method.step(
        batch, 0.1, 1e-3
    )


def test_the_first_pseudo_pair_sets_the_tone_also_behind_batches_without_one():
    method = make_method(pseudo_alone=0.8, patch_size=64, generator="bilateral")
    batch = {key: value.repeat(1, 1, 2, 2) if value.ndim == 4 else value for key, value in make_batch().items()}
    rough = batch | {"rough": torch.tensor([True, True])}
    method.step(rough | {"paired": torch.tensor([False, False])}, 0.1, 1e-3)
    assert not method.G.head.bias.any() and not method.F.head.bias.any()
    method.step(rough, 0.1, 1e-3)
    begun = method.G.head.bias.detach().clone()
    assert begun.abs().max() > 0.03  # a step of the optimiser alone is 0.001
    method.step(rough, 0.1, 1e-3)
    assert (method.G.head.bias - begun).abs().max() < 0.01


@pytest.mark.parametrize("settings", [{"spectral_norm": True}, {"generator": "unet_reference"}, {"pool_size": 2}])
def test_other_networks_train_too(settings):
    method = make_method(**settings)
    for _ in range(2):
        losses = method.step(make_batch(), 0.5, 1e-3)
    assert all(bool(torch.isfinite(value)) for value in losses.values())


def test_patches_that_do_not_fit_the_networks_are_one_sentence():
    with pytest.raises(InputError, match="do not fit the discriminator"):
        make_method(n_layers=6)


def test_it_learns_the_translation_from_pairs(discs, tiny, pairs, tmp_path, sst):
    """On a disc it never saw, the error to the true translation falls far below the input's own."""
    settings = tiny | {
        "pairs": pairs,
        "pairs_fraction": 1.0,
        "pairs_warmup": 0.7,
        "max_steps": 120,
        "learning_rate": 3e-3,
        "ngf": 8,
        "checkpoint_every": 1000,
        "sample_every": 0,
        "stack": 1,
        "lambda_spatial": 0.0,
    }
    ended = sst("train", *as_options(settings))
    assert ended.code == 0, ended
    for side in ("source", "target"):
        sitk.WriteImage(disc_volume(77, inverted=side == "target"), str(tmp_path / f"{side}.nii.gz"))
    source, target = (read_volume(tmp_path / f"{side}.nii.gz") for side in ("source", "target"))
    model = load_model(tmp_path / "run" / "model" / "model")
    for volume, truth, direction in ((source, target, "forward"), (target, source, "backward")):
        made = translate_volume(volume, model, direction=direction, device="cpu", precision="fp32").volume
        own = np.abs(volume.array - truth.array).mean()
        error = np.abs(made.array - truth.array).mean()
        assert error < 0.4 * own, (direction, error, own)

"""Each detector is provoked by a network or discriminator that really has the fault, and is silent without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from training_cli.training.optimisation.losses import adversarial_loss
from training_cli.training.state.failures import (
    DETECTORS,
    Check,
    Evidence,
    differences,
    discriminator_wins,
    fine_energy,
    over_fitting,
    rank_correlation,
    source_order,
    wasserstein,
)
from training_cli.training.state.watch import check_generator


def heads(paired: bool = True, count: int = 6) -> list[dict[str, torch.Tensor]]:
    """Discs of several tissues at random places, and the same (or others, unpaired) with the tones turned over."""
    random, batches = np.random.default_rng(3), []
    y, x = np.mgrid[:64, :64]

    def tissues() -> np.ndarray:
        image = np.zeros((64, 64))
        for _ in range(3):
            centre, radius = random.uniform(16, 48, 2), random.uniform(8, 16)
            image[np.hypot(y - centre[0], x - centre[1]) < radius] = random.uniform(0.2, 0.9)
        smooth = F.avg_pool2d(torch.from_numpy(image)[None, None], 3, 1, 1)[0, 0].numpy()
        return smooth + (smooth > 0.05) * random.normal(0, 0.01, image.shape)

    for _ in range(count):
        first = tissues()
        second = first if paired else tissues()
        inverted = np.where(second > 0.06, 1.05 - second, second)
        a, b = (torch.from_numpy(image * 2 - 1).float()[None, None].clamp(-1, 1) for image in (first, inverted))
        batches.append({"a": a, "b": b, "weight": torch.full_like(a, float(paired)), "paired": torch.tensor([paired])})
    return batches


class Network(torch.nn.Module):
    """A generator that is a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def true_translation(x: torch.Tensor) -> torch.Tensor:
    image = (x + 1) / 2
    return (torch.where(image > 0.06, 1.05 - image, image) * 2 - 1).clamp(-1, 1)


def transposed(x: torch.Tensor) -> torch.Tensor:
    """The true translation through an upsampling whose kernels overlap unevenly."""
    layer = torch.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.4)
        return layer(F.avg_pool2d(true_translation(x), 2))


def checks(function, batches=None, progress: float = 0.5) -> Evidence:
    """What three checks of a generator give."""
    check = check_generator(Network(function), heads() if batches is None else batches, [], (200, progress), 1)
    return Evidence([replace(check, step=200 * number) for number in (1, 2, 3)])


def seen(evidence: Evidence) -> set[str]:
    return {kind for kind, detector in DETECTORS.items() if detector(evidence)}


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_healthy_generator_is_not_complained_of(paired, noise):
    torch.manual_seed(0)
    assert seen(checks(lambda x: true_translation(x) + noise * torch.randn(x.shape), heads(paired))) == set()


def test_a_blurred_translation_is_no_failure():
    assert seen(checks(lambda x: F.avg_pool2d(true_translation(x), 5, 1, 2))) == set()


@pytest.mark.parametrize("paired", [True, False])
def test_a_generator_that_always_gives_the_same_has_collapsed(paired):
    batches = heads(paired)
    always = batches[0]["b"]
    evidence = checks(lambda x: always + 0.01 * x, batches)
    assert "mode_collapse" in seen(evidence) and "--lambda-cycle" in DETECTORS["mode_collapse"](evidence)


@pytest.mark.parametrize("paired", [True, False])
def test_the_identity_is_its_input(paired):
    sentence = source_order(checks(lambda x: x, heads(paired)))
    assert "still is its input" in sentence and "--pairs" in sentence


def test_a_change_of_tone_that_keeps_the_order_is_the_wrong_way_round():
    sentence = source_order(checks(lambda x: (0.7 * x - 0.15).clamp(-1, 1)))
    assert "wrong way round" in sentence


def test_without_pairs_tones_that_come_no_nearer_are_told():
    def darker(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > -0.88, x * 0.3 - 0.6, x)

    batches = heads(paired=False)
    assert "still looks like the source" in source_order(checks(darker, batches))


def test_early_a_translation_may_be_its_input():
    assert source_order(checks(lambda x: x, progress=0.1)) is None


def test_uneven_upsampling_is_a_checkerboard():
    evidence = checks(transposed)
    assert "checkerboard" in seen(evidence) and "--generator bilateral" in DETECTORS["checkerboard"](evidence)
    # One that is faint, and only within the body, is seen as well.
    y, x = np.mgrid[:64, :64]
    checkers = torch.from_numpy((-1.0) ** (x + y)).float()
    assert seen(checks(lambda x: true_translation(x) + 0.08 * checkers * (x > -0.9))) == {"checkerboard"}


def scores_of(winning: bool) -> list[dict[str, float]]:
    """Losses of a discriminator of brightness: of images whose brightness tells, or does not tell, real from not."""
    random, loss = torch.Generator().manual_seed(0), adversarial_loss("least_squares")
    rows = []
    for _ in range(3):
        real, fake = (torch.rand(8, 1, 4, 4, generator=random) for _ in range(2))
        score = (lambda x: (x > 1).float()) if winning else (lambda x: x)
        given = score(real + 1), score(fake) if winning else score(fake + 0)
        real_score = given[0] if winning else score(real)
        rows.append({"discriminators": float(0.5 * (loss(real_score, True, True) + loss(given[1], False, True)))})
    return rows


def test_a_perfect_discriminator_wins_and_one_that_is_often_wrong_does_not():
    assert "The discriminators win" in discriminator_wins(Evidence([], scores_of(winning=True)))
    assert discriminator_wins(Evidence([], scores_of(winning=False))) is None
    assert discriminator_wins(Evidence([], scores_of(winning=True)[:2])) is None
    assert discriminator_wins(Evidence([], [{"pairs": 0.1}] * 5)) is None


def errors(aside: list[float], trained: list[float]) -> Evidence:
    base = checks(true_translation).checks[0]
    return Evidence(
        [
            replace(base, step=200 * n, trained=t, kept_aside=a)
            for n, (a, t) in enumerate(zip(aside, trained, strict=True))
        ]
    )


def test_learning_by_heart_is_over_fitting_and_names_the_best_checkpoint():
    """A polynomial through as many points as it has coefficients, trained longer and longer."""
    random = torch.Generator().manual_seed(1)
    x, points = torch.linspace(-1, 1, 8).double(), torch.linspace(-0.95, 0.95, 40).double()
    y = torch.sin(2 * x) + 0.4 * torch.randn(8, generator=random).double()
    aside, trained = [], []
    for ridge in (10.0, 3.0, 1.0, 0.3, 1e-7, 1e-8, 1e-9):
        known, asked = (torch.stack([places**k for k in range(8)], 1) for places in (x, points))
        curve = torch.linalg.solve(known.T @ known + ridge * torch.eye(8), known.T @ y)
        aside.append(float((asked @ curve - torch.sin(2 * points)).abs().mean()))
        trained.append(float((known @ curve - y).abs().mean()))
    assert "Over-fitting" in over_fitting(errors(aside, trained))
    assert "--step 400" in over_fitting(errors([0.5, 0.4, 0.2, 0.25, 0.26, 0.27], [0.5, 0.4, 0.3, 0.2, 0.15, 0.1]))
    assert over_fitting(errors([0.5, 0.4, 0.3, 0.29, 0.28, 0.28], [0.5, 0.4, 0.3, 0.2, 0.15, 0.1])) is None
    assert over_fitting(errors([0.5, 0.4, 0.3, 0.4, 0.4, 0.4], [0.5, 0.4, 0.3, 0.4, 0.4, 0.4])) is None
    assert over_fitting(checks(true_translation)) is None  # nothing kept aside


def test_two_checks_are_not_enough():
    evidence = checks(lambda x: x)
    assert seen(Evidence(evidence.checks[:2])) == set() and isinstance(evidence.checks[0], Check)


def test_numbers_that_are_known():
    ramp = np.linspace(-1, 1, 64).reshape(8, 8)
    assert rank_correlation(ramp, ramp**3) == pytest.approx(1.0, abs=1e-3) and rank_correlation(
        ramp, -ramp
    ) == pytest.approx(-1)
    assert rank_correlation(ramp, np.zeros_like(ramp)) == 0.0
    assert wasserstein(ramp, ramp + 0.25) == pytest.approx(0.25)
    assert differences([ramp]) == 0.0 and differences([ramp, ramp, ramp + 0.3]) == pytest.approx(0.2)
    y, x = np.mgrid[:32, :32]
    assert fine_energy([(-1.0) ** (x + y)]) == pytest.approx(1.0) and fine_energy([np.ones((32, 32))]) == 0.0
    assert fine_energy([np.random.default_rng(0).normal(size=(64, 64))]) < 0.01

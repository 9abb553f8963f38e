"""What goes wrong in a training without an error: each kind a function of numbers that were recorded, and its advice.

A detector is a function of ``Evidence`` that gives a sentence, or None while all is well. A further one is a function
and a line in ``DETECTORS``. Nothing here looks at networks or draws random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

FIRST_CHECKS = 3  # how often something must be seen in a row before it is said
LATE = 0.3  # share of the budget after which a translation should have left its source
SPREAD = 0.2  # of the translations to that of real images, below which they are alike
REAL_SPREAD = 0.02  # of real images, below which nothing can be said of translations
LOW_LOSS = 0.05  # of discriminators that are hardly ever wrong; least squares of one that guesses is 0.25 a domain
SAME = 0.05  # mean absolute difference, of 2, below which a translation is its input
ORDER = 0.5  # rank correlation of a translation's tones with its input's, where those of real pairs disagree
CHECKERS = 4.0  # how much more energy than in real images there may be at the finest periods
LEAST_ENERGY = 1e-3  # of the whole: a pattern of about one per cent of the range
RISE, FALL = 1.15, 0.9  # of the error on a pair kept aside, and of that on trained pairs, from the best on


@dataclass(frozen=True)
class Check:
    """What a check of some fixed slices gave.

    Attributes:
        step: of the training.
        progress: share of the budget used.
        diversity: mean difference between translations of different slices; real_diversity: between real ones.
        change: mean absolute difference of translations from their inputs, in [-1, 1]; domain_gap: distance of the
            inputs' intensities from the target's (Wasserstein-1); distance: that of the translations.
        order: rank correlation of the translations' tones with their inputs'; real_order: that of registered pairs,
            NaN without any.
        checkers: share of energy at periods of 2 and 4 pixels; real_checkers: of real images.
        trained, kept_aside: mean absolute error on pairs that are learned from, and on one that is not; NaN without.
    """

    step: int
    progress: float
    diversity: float
    real_diversity: float
    change: float
    domain_gap: float
    distance: float
    order: float
    real_order: float
    checkers: float
    real_checkers: float
    trained: float = float("nan")
    kept_aside: float = float("nan")


@dataclass
class Evidence:
    """All that was recorded so far: checks, and the means of losses between them, by name."""

    checks: list[Check] = field(default_factory=list)
    losses: list[dict[str, float]] = field(default_factory=list)

    def last(self) -> Sequence[Check]:
        """The last checks, enough for a judgement; empty before."""
        return self.checks[-FIRST_CHECKS:] if len(self.checks) >= FIRST_CHECKS else []


def mode_collapse(evidence: Evidence) -> str | None:
    """Different slices come out alike, though real ones differ."""
    checks = evidence.last()
    alike = [c.real_diversity > REAL_SPREAD and c.diversity < SPREAD * c.real_diversity for c in checks]
    if not checks or not all(alike):
        return None
    share = checks[-1].diversity / checks[-1].real_diversity
    return (
        f"Mode collapse: translations of different slices differ by only {share:.0%} of what real ones do; "
        "raise --lambda-cycle or give pairs, and lower --lambda-adversarial or the learning rate."
    )


def discriminator_wins(evidence: Evidence) -> str | None:
    """The discriminators are never wrong, so that there is nothing left to learn from them."""
    recent = [row["discriminators"] for row in evidence.losses[-FIRST_CHECKS:] if "discriminators" in row]
    if len(recent) < FIRST_CHECKS or max(recent) >= LOW_LOSS:
        return None
    return (
        f"The discriminators win: their loss stays at {recent[-1]:.3f}, and generators learn nothing from such ones; "
        "use --spectral-norm, a smaller --ndf, or more images."
    )


def source_order(evidence: Evidence) -> str | None:
    """The translation is its input, or has the input's order of tissues where the target's is another."""
    checks = [c for c in evidence.last() if c.progress >= LATE]
    if len(checks) < FIRST_CHECKS:
        return None
    advice = "give some registered pairs (--pairs, --pairs-warmup 0.3), or raise --lambda-adversarial"
    last = checks[-1]
    if all(c.change < SAME and c.distance > 0.8 * c.domain_gap > 0.8 * SAME for c in checks):
        return f"The translation still is its input (they differ by {last.change / 2:.1%} of the range); {advice}."
    if all(c.order > ORDER and c.real_order < 0 for c in checks):
        return (
            f"The contrast is the wrong way round: tones follow the source's order (correlation {last.order:.2f}, "
            f"{last.real_order:.2f} in real pairs); {advice}."
        )
    if all(c.order > ORDER and c.distance > c.domain_gap > SAME for c in checks):
        return f"The translation still looks like the source, no nearer to the target in its tones; {advice}."
    return None


def checkerboard(evidence: Evidence) -> str | None:
    """More energy at periods of two and four pixels than real images have."""
    checks = evidence.last()
    seen = [c.checkers > LEAST_ENERGY and c.checkers > CHECKERS * c.real_checkers for c in checks]
    if not checks or not all(seen):
        return None
    times = checks[-1].checkers / max(checks[-1].real_checkers, 1e-9)
    return (
        f"Checkerboard: translations have {min(times, 999):.0f} times the energy of real images at periods of 2 and 4 "
        "pixels; use --generator bilateral or resnet, and lower --lambda-adversarial or the learning rate."
    )


def over_fitting(evidence: Evidence) -> str | None:
    """The error on a pair that is kept aside rises while that on the trained ones falls."""
    checks = [c for c in evidence.checks if np.isfinite(c.kept_aside) and np.isfinite(c.trained)]
    if len(checks) < FIRST_CHECKS + 1:
        return None
    best = min(checks[:-FIRST_CHECKS], key=lambda check: check.kept_aside)
    worse = [c.kept_aside > RISE * best.kept_aside and c.trained < FALL * best.trained for c in checks[-FIRST_CHECKS:]]
    if not all(worse):
        return None
    return (
        f"Over-fitting: the error on a patient kept aside rose from {best.kept_aside:.3f} at step {best.step} to "
        f"{checks[-1].kept_aside:.3f} while that on trained ones fell; use --randomise strong, --weight-decay 0.01 or "
        f"more patients, or take an earlier checkpoint (sst models export RUN --step {best.step})."
    )


Detector = Callable[[Evidence], str | None]
DETECTORS: dict[str, Detector] = {
    "mode_collapse": mode_collapse,
    "discriminator_wins": discriminator_wins,
    "source_order": source_order,
    "checkerboard": checkerboard,
    "over_fitting": over_fitting,
}


def differences(images: Sequence[np.ndarray]) -> float:
    """Mean absolute difference between all pairs of images of equal shape; 0 of a single one."""
    flat = np.stack([image.ravel() for image in images]).astype(np.float64)
    pairs = [(a, b) for a in range(len(flat)) for b in range(a)]
    return float(np.mean([np.abs(flat[a] - flat[b]).mean() for a, b in pairs])) if pairs else 0.0


def wasserstein(a: np.ndarray, b: np.ndarray) -> float:
    """Wasserstein-1 distance of two sets of intensities, by 200 quantiles."""
    places = np.linspace(0, 1, 201)
    return float(np.abs(np.quantile(a, places) - np.quantile(b, places)).mean())


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, of intensities at the same places; 0 where one is constant."""
    ranks = [np.unique(values.ravel().round(3), return_inverse=True) for values in (a, b)]
    means = []
    for _, inverse in ranks:
        counts = np.bincount(inverse)
        means.append((np.cumsum(counts) - (counts + 1) / 2)[inverse])
    if any(rank.std() == 0 for rank in means):
        return 0.0
    return float(np.corrcoef(means[0], means[1])[0, 1])


def fine_energy(images: Sequence[np.ndarray]) -> float:
    """Share of energy above the mean at periods of exactly 2 and 4 pixels along rows, columns or both.

    Whatever upsampling in steps of two leaves has these periods over the whole image (Odena et al., Distill, 2016);
    edges and noise have as much at the periods beside them, which is taken off.

    Args:
        images: (h, w) each.
    """
    shares = []
    for image in images:
        h, w = (side - side % 16 for side in image.shape)
        power = np.abs(np.fft.fft2(image[:h, :w] - image[:h, :w].mean())) ** 2
        total = power.sum()
        if total <= 0:
            shares.append(0.0)
            continue
        rows, columns = ((0, side // 4, side // 2) for side in (h, w))
        at = [(r, c) for r in rows for c in columns if (r, c) != (0, 0)]
        around = [(dr, dc) for dr in (-2, 0, 2) for dc in (-2, 0, 2) if (dr, dc) != (0, 0)]
        beside = [np.mean([power[(r + dr) % h, (c + dc) % w] for dr, dc in around]) for r, c in at]
        shares.append(max(0.0, float(sum(power[place] for place in at) - sum(beside))) / float(total))
    return float(np.mean(shares)) if shares else 0.0

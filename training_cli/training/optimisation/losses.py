"""The terms of the CycleGAN objective, each a small function or module of its own."""

from __future__ import annotations

import torch
from monai.losses.adversarial_loss import PatchAdversarialLoss
from torch.nn import functional as F

DOWNSAMPLED_PIXELS = 1024  # feature vectors compared per layer; more changes the estimate little and costs sorting


def adversarial_loss(kind: str) -> PatchAdversarialLoss:
    """Least squares (Mao et al. 2017) or the article's binary cross-entropy, on raw patch scores.

    MONAI squashes scores by a sigmoid in the least-squares case unless told not to, which flattens its gradient.
    """
    return PatchAdversarialLoss(criterion=kind, no_activation_leastsq=True)


def reconstruction_loss(kind: str, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean L1 or L2 difference of two batches of equal shape."""
    return F.l1_loss(a, b) if kind == "l1" else F.mse_loss(a, b)


def masked_l1(a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """L1 difference averaged where ``weight`` (n, 1 or c, h, w) is non-zero; zero where nothing is valid."""
    weight = weight.to(a.dtype).expand_as(a)
    return ((a - b).abs() * weight).sum() / weight.sum().clamp_min(1.0)


def discriminator_features(
    discriminator: torch.nn.Module, images: torch.Tensor
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Outputs of the discriminator's activation layers, first to last, and its score.

    Returns ([(n, c, h, w), ...], score). Works for any discriminator whose hidden activations are modules.
    """
    features: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out: features.append(out))
        for module in discriminator.modules()
        if isinstance(module, torch.nn.LeakyReLU)
    ]
    try:
        score = discriminator(images)
    finally:
        for hook in hooks:
            hook.remove()
    return features, score


def spatial_domain_loss(fake: list[torch.Tensor], real: list[torch.Tensor], directions: int = 16) -> torch.Tensor:
    """The article's "spatial-domain" term: feature maps of translations follow the distribution of real ones.

    Sliced Wasserstein-1 distance between the sets of feature vectors of each layer (Rabin et al. 2011): project on
    random directions, sort, compare. ``fake`` and ``real`` are lists of (n, c, h, w); gradients flow into ``fake``.
    Every layer is divided by the spread of its real features, so that no layer outweighs the others.
    """
    total = fake[0].new_zeros((), dtype=torch.float32)
    for f, r in zip(fake, real, strict=True):
        fv = f.float().permute(0, 2, 3, 1).reshape(-1, f.shape[1])
        rv = r.detach().float().permute(0, 2, 3, 1).reshape(-1, r.shape[1])
        count = min(len(fv), len(rv), DOWNSAMPLED_PIXELS)
        fv = fv[torch.linspace(0, len(fv) - 1, count, device=fv.device).long()]
        rv = rv[torch.linspace(0, len(rv) - 1, count, device=rv.device).long()]
        axes = F.normalize(torch.randn(fv.shape[1], directions, device=fv.device), dim=0)
        scale = rv.std().clamp_min(1e-3)
        fp = (fv @ axes).sort(dim=0).values
        rp = (rv @ axes).sort(dim=0).values
        total = total + (fp - rp).abs().mean() / scale
    return total / len(fake)


def patch_nce_loss(query: torch.Tensor, key: torch.Tensor, temperature: float) -> torch.Tensor:
    """PatchNCE (Park et al., ECCV 2020): each query is to pick the key of its own place among those of its image.

    query, key: (n images, p places, c), of unit length along c; gradients flow into ``query`` alone.
    """
    logits = query.float() @ key.detach().float().transpose(1, 2) / temperature
    places = torch.arange(logits.shape[1], device=logits.device).repeat(len(logits))
    return F.cross_entropy(logits.flatten(0, 1), places)

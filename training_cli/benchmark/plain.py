"""The plain way, as the reference tools do it: eager fp32, one slice at a time, one pass at a time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import cast

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn

from surgical_style_engine.models.folder import StyleModel
from surgical_style_engine.networks.fast.block_convolution import BlockConv2d
from surgical_style_engine.networks.fast.upsampling import UpsamplingConv2d
from surgical_style_engine.networks.fast.winograd import WinogradConv2d


def plain_network(network: nn.Module) -> nn.Module:
    """A copy in fp32 of torch's own layers: convolutions as they are written down, doubling, padding, InstanceNorm."""
    network = copy.deepcopy(network).float()
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            own = _plain_layer(child)
            if own is not None:
                setattr(module, name, own)
    return network


def _plain_layer(layer: nn.Module) -> nn.Module | None:
    """The way of torch itself to compute one of this engine's faster layers; None for all others."""
    if isinstance(layer, nn.InstanceNorm2d):
        own: nn.Module = nn.InstanceNorm2d(layer.num_features, layer.eps, affine=layer.affine)
    elif isinstance(layer, UpsamplingConv2d | BlockConv2d | WinogradConv2d):
        kernel = cast(tuple[int, int], layer.kernel_size)
        own = nn.Conv2d(layer.in_channels, layer.out_channels, kernel, bias=layer.bias is not None)
    else:
        return None
    own.load_state_dict(layer.state_dict())
    if isinstance(layer, UpsamplingConv2d):
        own = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.ReflectionPad2d(1), own)
    return own


def plain_slice(network: nn.Module, images: torch.Tensor, device: str) -> np.ndarray:
    """Images (n, c, h, w) through a network on a device."""
    with torch.no_grad():
        return network(images.to(device)).cpu().numpy()


def plain_translate(source: Path, output: Path, network: nn.Module, model: StyleModel, direction: str) -> None:
    """Read a volume, normalise it, run every slice whole and by itself, scale to the target's range, write.

    The volume must have the model's in-plane spacing and a size that its network takes: nothing is resampled.
    """
    image = sitk.ReadImage(str(source))
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    landmarks = model.card.domain_from(direction).normalization.fit(array[None])
    array = landmarks.forward(array)
    stack = model.card.stack
    translated = np.empty_like(array)
    with torch.no_grad():
        for index in range(len(array)):
            near = np.clip(np.arange(index - stack // 2, index + stack // 2 + 1), 0, len(array) - 1)
            result = network(torch.from_numpy(array[near])[None])[0]
            translated[index] = result[len(result) // 2].numpy()
    written = sitk.GetImageFromArray(model.card.domain_to(direction).inverse.inverse(translated))
    written.CopyInformation(image)
    sitk.WriteImage(written, str(output))


class PlainCycleGAN:
    """The CycleGAN step of Zhu et al. 2017 pass by pass in fp32: least squares, L1 cycle (10) and identity (5), Adam.

    The image pools are left out on both sides; they cost nothing that could be measured.
    """

    def __init__(self, networks: dict[str, nn.Module], learning_rate: float = 2e-4) -> None:
        """Copy the networks G, F, D_A and D_B, and make their optimisers."""
        self.networks = {name: plain_network(network) for name, network in networks.items()}
        generators = [*self.networks["G"].parameters(), *self.networks["F"].parameters()]
        discriminators = [*self.networks["D_A"].parameters(), *self.networks["D_B"].parameters()]
        self.optimizer_g = torch.optim.Adam(generators, lr=learning_rate, betas=(0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(discriminators, lr=learning_rate, betas=(0.5, 0.999))

    def step(self, a: torch.Tensor, b: torch.Tensor) -> dict[str, float]:
        """One update on images (n, c, h, w) of both domains; the losses."""
        G, F, D_A, D_B = (self.networks[name] for name in ("G", "F", "D_A", "D_B"))
        fake_b, fake_a = G(a), F(b)
        cycle = (F(fake_b) - a).abs().mean() + (G(fake_a) - b).abs().mean()
        identity = (G(b) - b).abs().mean() + (F(a) - a).abs().mean()
        for discriminator in (D_A, D_B):
            discriminator.requires_grad_(False)
        adversarial = ((D_B(fake_b) - 1) ** 2).mean() + ((D_A(fake_a) - 1) ** 2).mean()
        self.optimizer_g.zero_grad()
        (adversarial + 10 * cycle + 5 * identity).backward()
        self.optimizer_g.step()
        for discriminator in (D_A, D_B):
            discriminator.requires_grad_(True)
        self.optimizer_d.zero_grad()
        total = 0.0
        for discriminator, real, fake in ((D_A, a, fake_a.detach()), (D_B, b, fake_b.detach())):
            loss = 0.5 * (((discriminator(real) - 1) ** 2).mean() + (discriminator(fake) ** 2).mean())
            loss.backward()
            total += float(loss.detach())
        self.optimizer_d.step()
        return {
            "adversarial": float(adversarial.detach()),
            "cycle": float(cycle.detach()),
            "identity": float(identity.detach()),
            "discriminators": total,
        }

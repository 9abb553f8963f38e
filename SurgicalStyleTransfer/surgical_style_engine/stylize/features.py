"""The networks whose activations describe content and style: VGG-19, or a network of seeded random filters.

VGG-19 (Simonyan & Zisserman, ICLR 2015) trained on ImageNet is what Gatys et al. (CVPR 2016) use. Random filters carry
texture too, so that nothing has to be downloaded: He, Wang & Hopcroft, "A powerful generative model using random
weights for the deep image representation", NeurIPS 2016; Ustyuzhaninov et al., "What does it take to generate natural
textures?", ICLR 2017. They know nothing of objects, so content is kept by edges and contrast only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from surgical_style_engine.errors import InputError, StyleTransferError

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("auto", "vgg19", "random")
URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"  # torchvision's VGG19_Weights.IMAGENET1K_V1
SHA256_PREFIX = "dcbb9e9d"  # torch hub's file names carry the beginning of the digest
MEGABYTES = 548
# Convolutions of a block, up to conv5_1, each followed by ReLU and each block but the last by pooling.
VGG_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
RANDOM_SCALES = 4
RANDOM_FILTERS = (32, 64)  # of the first and of the second convolution at every scale
RANDOM_SIZES = (5, 3)
PATCHES = 4_000  # of the style picture, to whiten with
DAMPING = 0.1  # of the mean variance: directions weaker than that are noise


class VggFeatures(nn.Module):
    """VGG-19 up to conv5_1: images (n, 3, h, w) in [0, 1] -> {layer: activations (n, c, h', w')}.

    Pooling takes means instead of maxima, as Gatys et al. do. blocks: the convolutions of every block, with names.
    """

    name = "vgg19"
    style_layers = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    content_layers = ("conv4_2",)

    def __init__(self, blocks: list[list[tuple[str, nn.Conv2d]]]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleDict(dict(block)) for block in blocks)
        self.layers = tuple(name for block in self.blocks for name in block)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, images: torch.Tensor, wanted: set[str]) -> dict[str, torch.Tensor]:
        """Stops behind the deepest layer that is wanted."""
        left, found = set(wanted), {}
        x = (images - self.mean) / self.std
        for number, block in enumerate(self.blocks):
            if number:
                x = F.avg_pool2d(x, 2, ceil_mode=True)
            for name, convolution in block.items():
                x = F.relu(convolution(x))
                if name in left:
                    found[name] = x
                    left.discard(name)
                if not left:
                    return found
        return found


class RandomFeatures(nn.Module):
    """Two layers of seeded random filters at every scale of a Gaussian pyramid: images (n, 3, h, w) in [0, 1] ->
    {"fine1": (n, c, h, w), "strokes1": ..., "fine2": half the size, ...}.

    One or two random layers a scale describe textures better than a deep random network, whose deep layers answer to
    noise (Ustyuzhaninov et al. 2017 use one layer of filters of many sizes). The filters are random rotations of
    whitened patches, half from the style picture and half from coloured noise with the spectrum of natural images:
    without whitening nearly all filters would see the mean colour only, and whitened on a picture of few colours alone
    they would answer without bound to all others. The same seed and picture give the same network.
    """

    name = "random"
    style_layers = tuple(f"{kind}{scale + 1}" for scale in range(RANDOM_SCALES) for kind in ("fine", "strokes"))
    content_layers = ("fine1", "fine2", "fine3")
    layers = style_layers

    def __init__(self, style: torch.Tensor, seed: int = 0) -> None:
        """style: (1, 3, h, w) in [0, 1]."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.fine, self.strokes = nn.ModuleList(), nn.ModuleList()
        with torch.no_grad():
            images = [style.detach().cpu().float(), natural_noise(generator)]
            for scale in range(RANDOM_SCALES):
                images = [halve(image) for image in images] if scale else images
                self.fine.append(_whitened(images, RANDOM_FILTERS[0], RANDOM_SIZES[0], generator))
                seen = [F.relu(self.fine[-1](image)) for image in images]
                self.strokes.append(_whitened(seen, RANDOM_FILTERS[1], RANDOM_SIZES[1], generator))

    def forward(self, images: torch.Tensor, wanted: set[str]) -> dict[str, torch.Tensor]:
        """Computes only the layers that are wanted."""
        found, x = {}, images
        for scale, (fine, strokes) in enumerate(zip(self.fine, self.strokes, strict=True), start=1):
            x = halve(x) if scale > 1 else x
            if wanted & {f"fine{scale}", f"strokes{scale}"}:
                found[f"fine{scale}"] = F.relu(fine(x))
                if f"strokes{scale}" in wanted:
                    found[f"strokes{scale}"] = F.relu(strokes(found[f"fine{scale}"]))
        return found


FeatureNetwork = VggFeatures | RandomFeatures


def halve(images: torch.Tensor) -> torch.Tensor:
    """One step of a Gaussian pyramid (Burt & Adelson 1983): (n, c, h, w) -> half the size, rounded up."""
    kernel = images.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = images.shape[1]
    weight = torch.outer(kernel, kernel).expand(channels, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), weight, stride=2, groups=channels)


def natural_noise(generator: torch.Generator, size: int = 256) -> torch.Tensor:
    """(1, 3, size, size) in [0, 1]: noise with a 1/f spectrum, as natural images have (Field 1987), mostly grey."""
    frequency = torch.fft.fftfreq(size)
    falling = 1 / torch.hypot(frequency[:, None], frequency[None]).clamp_min(1 / size)
    white = torch.randn(4, size, size, generator=generator)
    noise = torch.fft.ifft2(torch.fft.fft2(white) * falling).real
    noise = (noise - noise.mean(dim=(1, 2), keepdim=True)) / noise.std(dim=(1, 2), keepdim=True)
    return (0.5 + 0.2 * noise[:1] + 0.1 * noise[1:])[None].clamp(0, 1)


def _whitened(images: list[torch.Tensor], width: int, size: int, generator: torch.Generator) -> nn.Conv2d:
    """A convolution to ``width`` channels of zero mean and unit variance on these images (1, c, h, w), which count
    alike: random orthogonal directions of their whitened patches."""
    channels = images[0].shape[1]
    parts = []
    for image in images:
        windows = F.pad(image, (size // 2,) * 4, mode="replicate")[0].unfold(1, size, 1).unfold(2, size, 1)
        places = torch.randint(windows.shape[1] * windows.shape[2], (PATCHES // len(images),), generator=generator)
        part = windows[:, places // windows.shape[2], places % windows.shape[2]]
        parts.append(part.transpose(0, 1).reshape(len(places), -1))
    patches = torch.cat(parts).double()
    mean = patches.mean(dim=0)
    centred = patches - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(patches))
    dimensions = len(values)
    # Few patches do not tell the variance of many directions (at the coarse scales of small pictures).
    damping = DAMPING + dimensions / sum(image.shape[-2] * image.shape[-1] for image in images)
    scale = (values.clamp_min(0) + damping * values.mean() + 1e-12).rsqrt()
    rows = torch.randn(max(dimensions, width), min(dimensions, width), generator=generator, dtype=torch.float64)
    directions = torch.linalg.qr(rows)[0]
    directions = directions if width >= dimensions else directions.T
    filters = directions @ (vectors * scale) @ vectors.T
    filters = filters / (centred @ filters.T).std(dim=0).clamp_min(1e-6)[:, None]
    convolution = nn.Conv2d(channels, width, size, padding=size // 2, padding_mode="replicate")
    convolution.weight.data = filters.reshape(width, channels, size, size).float().contiguous()
    convolution.bias.data = -(filters @ mean).float()
    return convolution


def random_features(style: torch.Tensor, seed: int = 0) -> RandomFeatures:
    """The network of random filters for a style picture (1, 3, h, w) in [0, 1], frozen."""
    return RandomFeatures(style, seed).eval().requires_grad_(False)


def vgg_features(state: Mapping[str, torch.Tensor], where: str = "the file") -> VggFeatures:
    """VGG-19 up to conv5_1 from torchvision's state dictionary, the rest of which is not used. Raises InputError."""
    blocks, before, index = [], 3, 0
    for number, widths in enumerate(VGG_BLOCKS):
        block = []
        for place, width in enumerate(widths):
            convolution = nn.Conv2d(before, width, 3, padding=1, device="meta")
            weight, bias = state.get(f"features.{index}.weight"), state.get(f"features.{index}.bias")
            if weight is None or bias is None or weight.shape != convolution.weight.shape or bias.shape != (width,):
                raise InputError(f"{where} does not hold the weights of torchvision's VGG-19.")
            convolution.weight, convolution.bias = nn.Parameter(weight.float()), nn.Parameter(bias.float())
            block.append((f"conv{number + 1}_{place + 1}", convolution))
            before, index = width, index + 2  # convolution and ReLU
        blocks.append(block)
        index += 1  # pooling
    return VggFeatures(blocks).eval().requires_grad_(False)


def cached_weights() -> Path:
    """Where torch hub keeps VGG-19, whether it is there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / URL.rpartition("/")[2]


def pick_features(kind: str, file: Path | None = None) -> str:
    """ "vgg19" or "random" for one of KINDS: auto is VGG-19 where its weights are at hand. Raises InputError."""
    if kind not in KINDS:
        raise InputError(f"There are no features '{kind}'; use {', '.join(KINDS)} or a file of VGG-19's weights.")
    if kind == "auto":
        return "vgg19" if file is not None or cached_weights().is_file() else "random"
    return kind


def load_features(kind: str, style: torch.Tensor, *, file: Path | None = None, seed: int = 0) -> FeatureNetwork:
    """The network for "vgg19" (from a file, else from torch hub's cache) or "random". Raises InputError."""
    if pick_features(kind, file) == "random":
        return random_features(style, seed)
    path = cached_weights() if file is None else Path(file)
    if not path.is_file():
        if file is not None:
            raise InputError(f"There is no file {path}.")
        raise InputError(
            f"The weights of VGG-19 are not on this machine: --download-features fetches them ({MEGABYTES} MB), "
            "--features FILE takes a copy, and --features random does without."
        )
    check_digest(path)
    from surgical_style_engine.models.importers.reference import read_state

    return vgg_features(read_state(path), f"The file {path}")


def check_digest(path: Path) -> None:
    """Raise InputError unless a file is the very one that torchvision publishes."""
    from surgical_style_engine.models.folder import sha256_of

    if not sha256_of(path).startswith(SHA256_PREFIX):
        raise InputError(f"The file {path} is damaged, or not torchvision's {URL.rpartition('/')[2]}.")


def download_features() -> Path:
    """Fetch VGG-19's weights into torch hub's cache, if they are not there; checked by digest. For use with consent.

    Raises StyleTransferError with what else can be done.
    """
    path = cached_weights()
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL, str(path), hash_prefix=SHA256_PREFIX, progress=False)
    except (OSError, RuntimeError) as error:  # no network is an OSError, a wrong digest a RuntimeError
        reason = str(getattr(error, "reason", None) or error).splitlines()[0].rstrip(".")
        raise StyleTransferError(
            f"VGG-19 could not be downloaded from {URL} ({reason}); fetch it elsewhere and give it by --features FILE, "
            "or use --features random."
        ) from None
    return path

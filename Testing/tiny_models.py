"""Small model folders and volumes for tests of what is around the networks, and what two networks are compared by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgical_style_engine.volumes.volume import Volume


def make_tiny_model(
    folder: Path,
    name: str = "tiny",
    title: str = "Brain MR, T1w to T2w",
    directions: tuple[str, ...] = ("forward", "backward"),
    channels: int = 1,
    modality: str = "MR",
    seed: int = 0,
    **card: object,
) -> Path:
    """A whole model folder with a small untrained network; returns its path."""
    import torch

    from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
    from surgical_style_engine.models.folder import save_model
    from surgical_style_engine.networks import build_generator
    from surgical_style_engine.volumes.normalization import RGB, LinearLandmarks, PercentileLandmarks, RobustPercentile

    torch.manual_seed(seed)
    arguments = {"in_channels": channels, "out_channels": channels, "ngf": 4, "n_blocks": 1}
    states = [build_generator("resnet", **arguments).state_dict() for _ in directions]
    if channels == 1:
        normalization, inverse = RobustPercentile(), PercentileLandmarks(low=0, high=900, maximum=1000)
    else:
        normalization, inverse = RGB(), LinearLandmarks(kind="rgb", low=0, high=255)
    source, target = (
        Domain(name=side, modality=modality, channels=channels, normalization=normalization, inverse=inverse)
        for side in (("T1w", "T2w") if channels == 1 else ("Photograph", "Painting"))
    )
    made = ModelCard(
        name=name,
        title=title,
        architecture=Architecture(name="resnet", arguments=arguments),
        domains=Domains(source=source, target=target),
        directions=list(directions),
        **{"spacing_mm": 2.0 if channels == 1 else None, "licence": "CC0-1.0", **card},
    )
    save_model(folder / name, made, *states)
    return folder / name


def make_tiny_bilateral(folder: Path, name: str = "tiny-bilateral", whole_stack: bool = False) -> Path:
    """A whole model folder with small untrained generators of tone curves in stacks of three; returns its path.

    They draw as much as trained ones, the way back otherwise than the way there. ``whole_stack``: they give all three
    slices, of which a translation keeps the middle one.
    """
    import torch

    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.folder import save_model
    from surgical_style_engine.networks import build_generator

    arguments = {"in_channels": 3, "out_channels": 3 if whole_stack else 1, "features": 8, "bins": 6, "detail": 4}
    torch.manual_seed(3)
    networks = [build_generator("bilateral", **arguments) for _ in range(2)]
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            network.begin_with(torch.linspace(0.9, -0.9, 6))
            network.head.weight.mul_(3)
    base = read_card(make_tiny_model(folder, f"{name}-base"))
    architecture = base.architecture.model_copy(update={"name": "bilateral", "arguments": arguments})
    card = base.model_copy(update={"name": name, "architecture": architecture, "stack": 3})
    save_model(folder / name, card, *(network.state_dict() for network in networks))
    return folder / name


def make_tiny_fusion_model(folder: Path, name: str = "tiny-fusion", inputs: tuple[str, ...] = ("T1", "T2")) -> Path:
    """A model folder with a small untrained network that makes one image of several modalities; returns its path."""
    import torch

    from surgical_style_engine.models.card import Architecture, Domain, Domains, InputChannel, ModelCard
    from surgical_style_engine.models.folder import save_model
    from surgical_style_engine.networks import build_generator
    from surgical_style_engine.volumes.normalization import PercentileLandmarks, RobustPercentile

    torch.manual_seed(1)
    arguments = {"in_channels": len(inputs), "out_channels": 1, "ngf": 4, "n_blocks": 1}
    common = {
        "modality": "MR",
        "normalization": RobustPercentile(),
        "inverse": PercentileLandmarks(low=0, high=900, maximum=1000),
    }
    parts = [InputChannel(name=part, normalization=RobustPercentile()) for part in inputs]
    card = ModelCard(
        name=name,
        title="T1 and T2 in one",
        architecture=Architecture(name="resnet", arguments=arguments),
        domains=Domains(
            source=Domain(name=" + ".join(inputs), inputs=parts, channels=len(inputs), **common),
            target=Domain(name="Both", **common),
        ),
        directions=["forward"],
        spacing_mm=2.0,
        licence="CC0-1.0",
    )
    save_model(folder / name, card, build_generator("resnet", **arguments).state_dict())
    return folder / name


def make_tiny_many(folder: Path, name: str = "tiny-many", seed: int = 5) -> Path:
    """A model folder with a small lively network for T1w, T2w and FLAIR, any into any other; returns its path."""
    import torch

    from surgical_style_engine.models.card import ModelCard
    from surgical_style_engine.models.folder import save_model
    from surgical_style_engine.networks import build_generator

    torch.manual_seed(seed)
    arguments = {"domains": 3, "features": 8, "bins": 6, "detail": 4}
    network = build_generator("domain_grid", **arguments)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    domains = [
        {
            "name": domain,
            "modality": "MR",
            "normalization": {"kind": "robust_percentile"},
            "inverse": {"kind": "robust_percentile", "low": 0, "high": high, "maximum": 1000},
        }
        for domain, high in (("T1w", 900), ("T2w", 700), ("FLAIR", 500))
    ]
    card = ModelCard.model_validate(
        {
            "schema_version": 2,
            "name": name,
            "title": "Brain MR, any of three",
            "architecture": {"name": "domain_grid", "arguments": arguments},
            "domains": domains,
            "spacing_mm": 2.0,
            "stack": 3,
            "licence": "CC0-1.0",
        }
    )
    save_model(folder / name, card, network.state_dict())
    return folder / name


def make_tiny_pairs(
    folder: Path, ways: tuple[tuple[str, str, tuple[str, ...]], ...], whole_stack: bool = False
) -> list[Path]:
    """Folders of bilateral models with lively networks: (source, target, directions) each, called "source-target"."""
    from surgical_style_engine.models.card import read_card
    from surgical_style_engine.models.folder import load_model, save_model

    base = load_model(make_tiny_bilateral(folder, "pairs", whole_stack))
    paths = []
    for number, (source, target, directions) in enumerate(ways):
        card = read_card(base.folder)
        domains = {"source": {"name": source}, "target": {"name": target}}
        card = card.model_copy(
            update={
                "name": f"{source}-{target}".lower(),
                "directions": list(directions),
                "domains": card.domains.model_copy(
                    update={side: getattr(card.domains, side).model_copy(update=new) for side, new in domains.items()}
                ),
            }
        )
        states = [base.generator(direction).state_dict() for direction in directions]
        states = [{key: value * (1 + 0.05 * number) for key, value in state.items()} for state in states]
        save_model(folder / card.name, card, *states)
        paths.append(folder / card.name)
    return paths


def make_tiny_mixture(folder: Path, name: str = "tiny-mixture") -> Path:
    """A folder of T1w <-> T2w and FLAIR -> T2w and PD -> T1w joined, T1w counting for a quarter beside FLAIR."""
    from surgical_style_engine.models.folder import load_model
    from surgical_style_engine.models.joined import JoinedPairs, save_joined

    both, there = ("forward", "backward"), ("forward",)
    paths = make_tiny_pairs(folder, (("T1w", "T2w", both), ("FLAIR", "T2w", there), ("PD", "T1w", there)))
    pairs = JoinedPairs([load_model(path) for path in paths])
    shares = pairs.equal_shares() | {(frozenset({"T1w", "FLAIR"}), "T2w"): {"T1w": 0.25, "FLAIR": 0.75}}
    training = {"method": "joined", "steps": 1, "minutes": 1.0}
    card = pairs.card(name, "Brain MR, any of four", training)
    save_joined(folder / name, pairs, card, shares, "# Brain MR\n")
    return folder / name


def head(seed: int = 1, shape: tuple[int, int, int] = (12, 40, 36)) -> np.ndarray:
    """(z, y, x) float32: an ellipsoid of three tissues in air, 0 to 800."""
    import SimpleITK as sitk

    z, y, x = np.meshgrid(*(np.linspace(-1, 1, count) for count in shape), indexing="ij")
    inside = (z / 0.95) ** 2 + (y / 0.85) ** 2 + (x / 0.75) ** 2 <= 1
    noise = sitk.GetImageFromArray(np.random.default_rng(seed).normal(size=shape).astype(np.float32))
    smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 2.0))
    tissue = np.array((200.0, 500.0, 800.0))[np.digitize(smooth, np.quantile(smooth[inside], (0.3, 0.7)))]
    return np.where(inside, tissue, 0).astype(np.float32)


def values_and_gradients(network: object, images: object) -> tuple:
    """What a torch network makes of images (n, c, h, w), and the gradients of its cubes' sum: of the images, then of
    every parameter."""
    x = images.clone().requires_grad_()
    y = network(x)
    (y**3).sum().backward()
    return y.detach(), x.grad, *(parameter.grad for parameter in network.parameters())


def oblique_head(seed: int = 0, size: tuple[int, int, int] = (10, 40, 44)) -> Volume:
    """An ellipsoid of three grey levels in air, oblique and anisotropic, int16."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, count) for count in size), indexing="ij")
    radius = np.sqrt(z**2 + (y / 0.9) ** 2 + (x / 0.8) ** 2)
    array = np.select([radius < 0.35, radius < 0.7, radius < 0.95], [200, 500, 800], 0).astype(np.float32)
    array += np.random.default_rng(seed).normal(0, 8, array.shape) * (array > 0)
    angle = 0.2
    direction = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    return Volume(array[None].astype(np.int16), (1.1, 0.9, 3.0), (-20.0, 12.5, 7.25), direction)

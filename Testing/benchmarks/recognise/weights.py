"""The trained networks as the engine reads them: normalisation folded in, half precision, no pickle."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from surgical_style_engine.volumes.recognise.network import FINE

from .linear import Linear
from .train import Network

FOLDER = Path(__file__).resolve().parents[3] / "SurgicalStyleTransfer" / "Resources" / "Recogniser"


def folded(network: Network) -> dict[str, np.ndarray]:
    """Weights by the names that ``volumes.recognise.network`` knows, float16."""
    weights: dict[str, torch.Tensor] = {}
    layers = list(network.features)
    for number, (convolution, norm) in enumerate(zip(layers[::3], layers[1::3], strict=True)):
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weights[f"conv{number}.weight"] = convolution.weight * scale[:, None, None, None]
        weights[f"conv{number}.bias"] = norm.bias - norm.running_mean * scale
        weights[f"conv{number}.stride"] = torch.tensor(float(convolution.stride[0]))
    for name in ("embed", "classify"):
        layer = getattr(network, name)
        weights[f"{name}.weight"], weights[f"{name}.bias"] = layer.weight, layer.bias
    return {name: value.detach().numpy().astype(np.float16) for name, value in weights.items()}


def write(
    networks: list[Network],
    linear: Linear,
    fine: list[dict[str, np.ndarray]],
    constants: dict[str, float],
    path: Path = FOLDER / "recogniser.npz",
) -> Path:
    """Write the recogniser; the digest is of what statistics of its features go with, not of the slices' part."""
    arrays = {f"{n}.{name}": value for n, network in enumerate(networks) for name, value in folded(network).items()}
    arrays |= {f"linear.{name}": value.astype(np.float32) for name, value in vars(linear).items()}
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()[:16]
    for number, weights in enumerate(fine):
        arrays |= {f"{FINE}{number}.{name}": value.astype(np.float32) for name, value in weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(constants)
    np.savez(
        path,
        **arrays,
        constant_names=np.array(names),
        constants=np.array([constants[name] for name in names], np.float64),
        digest=np.array(digest),
    )
    return path

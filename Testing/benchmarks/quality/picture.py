"""Pictures of translations beside the real images, to be looked at; not for the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .data import Scene
from .judge import chosen_slices, translate


def picture(networks: dict[str, torch.nn.Module], scenes: list[Scene], source: str, target: str, path: Path) -> None:
    """Three slices of every scene: the input, each network's translation, the real image."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = [s for s in scenes if source in s.own and target in s.images]
    columns = len(networks) + 2
    figure, axes = plt.subplots(len(shown), 3 * columns, figsize=(2 * 3 * columns, 2.3 * len(shown)), squeeze=False)
    for row, scene in zip(axes, shown, strict=True):
        usable = chosen_slices(scene, 24)
        places = usable[(np.array([0.2, 0.5, 0.72]) * (len(usable) - 1)).astype(int)]
        if scene.labels is not None and scene.site != "Ljubljana":
            places[1] = int(np.argmax((scene.labels > 0).sum(axis=(1, 2))))
        made = [translate(network, scene, source, places) for network in networks.values()]
        for number, z in enumerate(places):
            images = [scene.images[source][z], *(m[number] for m in made), scene.images[target][z]]
            for axis, image in zip(row[number * columns :], images, strict=False):
                axis.imshow(image.astype(np.float32), cmap="gray", vmin=-1, vmax=1)
                axis.axis("off")
        row[0].set_title(f"{scene.name}: {source}, {', '.join(networks)}, {target}", fontsize=7, loc="left")
    figure.subplots_adjust(0, 0, 1, 0.98, 0.01, 0.08)
    figure.savefig(path, dpi=65)
    plt.close(figure)

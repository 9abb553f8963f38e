"""The generator of the reference CycleGAN code (transposed convolutions, ResNet-9/64, colour): this engine beside the
plain way; JSON.

    python Testing/benchmarks/reference_networks.py [RESULT.json]

Its plain way needs less arithmetic than that of this project's own generator, so that the ratios differ.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

REPEATS = 3
ROOT = Path(__file__).resolve().parents[2]


def main(result: Path) -> None:
    import numpy as np

    from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
    from surgical_style_engine.models.folder import load_model, save_model
    from surgical_style_engine.networks import build_generator
    from surgical_style_engine.volumes.normalization import RGB
    from training_cli.benchmark.measure import machine, network_alone, training_steps

    arguments = {"in_channels": 3, "out_channels": 3, "ngf": 64, "n_blocks": 9}
    colour = Domain(name="picture", channels=3, normalization=RGB(), inverse=RGB().fit(np.zeros(1, np.uint8)))
    card = ModelCard(
        name="reference",
        title="Untrained",
        architecture=Architecture(name="resnet_reference", arguments=arguments),
        domains=Domains(source=colour, target=colour),
        directions=["forward"],
        spacing_mm=None,
    )
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "reference", card, build_generator("resnet_reference", **arguments).state_dict())
        model = load_model(Path(folder) / "reference")
        slices = network_alone(model, "forward", 256, REPEATS, "cpu")
    steps = training_steps(256, 64, 9, REPEATS, batches=(1,), generator="resnet_reference")
    for row in [*slices, *steps]:
        print(row, flush=True)
    found = {"machine": machine(), "slice": slices, "training": steps}
    result.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "Testing/benchmarks/results/reference-networks.json")

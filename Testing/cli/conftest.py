"""A small real model folder, and the program run in this process as a shell would run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from surgical_style_engine.volumes.volume import Volume


@dataclass(frozen=True)
class Ended:
    """How a run of ``sst`` ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def sst(capsys):
    """``sst(*arguments)`` -> Ended."""
    from training_cli.main import main

    def run(*arguments) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def refused(sst):
    """``refused(*arguments)`` -> the one sentence on stderr of a run that must end with exit code 2."""

    def run(*arguments, code: int = 2) -> str:
        ended = sst(*arguments)
        assert ended.code == code, (arguments, ended)
        lines = ended.err.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("sst: ") and "Traceback" not in ended.err, ended.err
        return lines[0].removeprefix("sst: ")

    return run


@pytest.fixture(scope="session")
def head_volume():
    """``head_volume(seed)`` -> a Volume of 10 slices, 8 of them with something in them."""
    return make_head


def make_head(seed: int = 0, size: tuple[int, int, int] = (10, 40, 44)) -> Volume:
    """An ellipsoid of three grey levels in air, oblique and anisotropic, int16."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, count) for count in size), indexing="ij")
    radius = np.sqrt(z**2 + (y / 0.9) ** 2 + (x / 0.8) ** 2)
    array = np.select([radius < 0.35, radius < 0.7, radius < 0.95], [200, 500, 800], 0).astype(np.float32)
    array += np.random.default_rng(seed).normal(0, 8, array.shape) * (array > 0)
    angle = 0.2
    direction = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    return Volume(array[None].astype(np.int16), (1.1, 0.9, 3.0), (-20.0, 12.5, 7.25), direction)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A model folder with two untrained generators, T1w <-> T2w."""
    import torch

    from surgical_style_engine.models.card import Architecture, Domain, Domains, ModelCard
    from surgical_style_engine.models.folder import save_model
    from surgical_style_engine.networks import build_generator
    from surgical_style_engine.volumes.normalization import PercentileLandmarks, RobustPercentile

    torch.manual_seed(0)
    arguments = {"in_channels": 1, "out_channels": 1, "ngf": 4, "n_blocks": 1}
    states = [build_generator("resnet", **arguments).state_dict() for _ in range(2)]
    inverse = PercentileLandmarks(low=0, high=900, maximum=1000)
    source, target = (
        Domain(name=name, modality="MR", normalization=RobustPercentile(), inverse=inverse) for name in ("T1w", "T2w")
    )
    card = ModelCard(
        name="tiny",
        title="Tiny",
        architecture=Architecture(name="resnet", arguments=arguments),
        domains=Domains(source=source, target=target),
        spacing_mm=1.0,
        directions=["forward", "backward"],
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, card, *states)
    return folder

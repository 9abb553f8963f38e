"""A small real model folder, and the program run in this process as a shell would run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_models import oblique_head


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
    return oblique_head


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

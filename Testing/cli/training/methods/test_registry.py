"""What holds for every method of the registry, and how one comes in from outside."""

from __future__ import annotations

import copy
import csv
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from tiny_methods import make_batch, make_method, weights
from tiny_training import ROOT, as_options, losses_of

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import load_model
from training_cli.training.config import load_config, method_registry
from training_cli.training.config.method_registry import method_entry, methods, register_method
from training_cli.training.config.method_settings import CUTSettings, CycleGANSettings, MethodSettings
from training_cli.training.methods.base import Method
from training_cli.training.methods.build import build_method, method_class

# Those for many domains have batches of their own: test_multi_domain.py.
METHODS = [name for name, entry in methods().items() if not entry.many_domains]


class BrighterSettings(MethodSettings):
    section = "brighter"

    lambda_bright: float = 2.0


class Brighter(Method):
    """Learns to add a constant: a method as somebody else would write one."""

    losses = ("generators", "brightness")

    def build(self) -> None:
        self.settings = self.config.section(BrighterSettings)
        self.add_generator("G", "forward")

    def train_step(self, batch, progress):
        translation = self.generator_networks["forward"](batch["a"])
        brightness = (translation - batch["a"] - 0.5).abs().mean()
        total = self.settings.lambda_bright * brightness
        self.update_generators(total)
        return {"brightness": brightness, "generators": total}


@pytest.fixture
def registry(monkeypatch):
    """A copy of the registry, so that what a test registers is gone afterwards."""
    monkeypatch.setattr(method_registry, "_METHODS", methods())


def test_the_registry_is_read_without_torch_and_names_importable_methods():
    program = (
        "import sys; from training_cli.training.config.method_registry import methods; "
        "assert {'cyclegan', 'fastcut', 'perceptual'} <= set(methods()); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    assert all(issubclass(method_class(name), Method) for name in METHODS)


def test_an_unknown_method_is_one_sentence_that_names_the_known_ones():
    with pytest.raises(InputError, match="'gradient'.*cyclegan"):
        method_entry("gradient")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_offers_what_the_loop_asks_for(name):
    method = make_method(name)
    assert "forward" in method.generators() and set(method.generators()) == set(method.architecture)
    method.load_state_dict(method.state_dict())
    trained = {id(p) for network in method.networks().values() for p in network.parameters()}
    assert trained.isdisjoint(id(p) for network in method.generators().values() for p in network.parameters())


@pytest.fixture
def style(tmp_path):
    """A folder with a picture, the target of the method perceptual."""
    import numpy as np
    from PIL import Image

    (tmp_path / "style").mkdir()
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "style" / "p.png")
    return tmp_path / "style"


def settings_for(name: str, style) -> dict:
    return {"target": str(style), "features": "random"} if name == "perceptual" else {}


@pytest.mark.parametrize("name", METHODS)
def test_all_losses_of_a_step_are_declared_and_told(name, style):
    method = make_method(name, **settings_for(name, style))
    losses = method.step(make_batch(), 0.5, 1e-3)
    assert losses and set(losses) <= set(method.losses)
    assert all(value.ndim == 0 and not value.requires_grad for value in losses.values())
    assert method.steps == 1


@pytest.mark.parametrize("name", METHODS)
def test_a_checkpoint_goes_on_exactly(name, style):
    first, second = (make_method(name, **settings_for(name, style)) for _ in range(2))
    first.step(make_batch(), 0.5, 1e-3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    ends = []
    for method in (first, second):
        torch.manual_seed(9)
        losses = method.step(make_batch(), 0.5, 1e-3)
        averages = {way: network.state_dict() for way, network in method.generators().items()}
        ends.append((losses, weights(method), averages))
    (losses, trained, averages), (again, trained_again, averages_again) = ends
    assert losses == again and method.steps == 2
    assert all(torch.equal(value, trained_again[key]) for key, value in trained.items())
    for way, state in averages.items():
        assert all(torch.equal(value, averages_again[way][key]) for key, value in state.items())


@pytest.fixture
def finished(tiny, tmp_path, sst):
    """A model in both directions of a step of training, of an architecture that is not the default one."""
    settings = tiny | {"output": tmp_path / "first", "name": "first", "max_steps": 1, "stack": 1, "ngf": 6}
    assert sst("train", *as_options(settings | {"sample_every": 0})).code == 0
    return tmp_path / "first" / "model" / "first"


@pytest.mark.parametrize("name", METHODS)
def test_init_really_starts_from_the_model_and_only_then_says_so(name, finished):
    stored = load_file(finished / "weights.safetensors")
    method = make_method(name, init=str(finished), ngf=6, n_blocks=1)
    assert method.started_from["sha256"] == read_card(finished).weights.sha256
    for networks in (method.generators(), method.generator_networks):
        assert networks
        for direction, network in networks.items():
            for key, value in network.state_dict().items():
                assert torch.equal(value, stored[f"{direction}.{key}"].float()), (direction, key)
    assert make_method(name).started_from is None


@pytest.mark.parametrize("name", METHODS)
def test_init_is_refused_where_the_channels_or_the_directions_do_not_fit(name, finished, monkeypatch):
    channels = (3, 3) if name in ("cut", "fastcut") else (1, 3)
    with pytest.raises(InputError, match="does not fit the channels of these images"):
        make_method(name, *channels, init=str(finished), ngf=6, n_blocks=1)
    model = load_model(finished)
    model.card.directions = []
    monkeypatch.setattr("training_cli.training.optimisation.finetune.load_model", lambda _name: model)
    with pytest.raises(InputError, match="has no direction that is trained here"):
        make_method(name, init=str(finished), ngf=6, n_blocks=1)


def test_a_method_from_outside_trains_with_its_own_settings_and_losses(registry, tiny, tmp_path, sst):
    register_method("brighter", Brighter, settings=BrighterSettings)
    ended = sst("train", *as_options(tiny | {"method": "brighter", "lambda_bright": 3, "max_steps": 3}))
    assert ended.code == 0, ended
    rows = losses_of(tmp_path / "run")
    assert [row["generators"] for row in rows] == pytest.approx([3 * row["brightness"] for row in rows])
    with (tmp_path / "run" / "losses.csv").open() as stream:
        assert next(csv.reader(stream))[4:] == ["generators", "brightness"]
    card = read_card(tmp_path / "run" / "model" / "model")
    assert card.training["method"] == "brighter" and card.directions == ["forward"]
    assert card.training["settings"]["lambda_bright"] == 3
    ended = sst("train", *as_options(tiny | {"method": "brighter", "lambda_bright": 3, "max_steps": 4}), "--resume")
    assert ended.code == 0 and "Resumed from step 3" in ended.out, ended


def test_its_settings_are_a_section_of_the_file_too(registry, tmp_path):
    register_method("brighter", f"{__name__}:Brighter", settings=BrighterSettings)
    values = {"source": "a", "target": "b", "output": "r", "max_steps": 1, "method": "brighter"}
    assert load_config(None, values | {"brighter": {"lambda_bright": 7}}).section(BrighterSettings).lambda_bright == 7
    with pytest.raises(InputError, match="'lambda_bright' is wrong"):
        load_config(None, values | {"lambda_bright": "much"})


def test_a_method_that_hides_a_loss_fails_loudly(registry):
    class Secretive(Brighter):
        losses = ("generators",)

    register_method("secretive", Secretive, settings=BrighterSettings)
    with pytest.raises(KeyError, match="Secretive does not declare its losses brightness"):
        make_method("secretive").step(make_batch(), 0.5, 1e-3)


def test_names_and_sections_are_not_taken_from_another_method(registry):
    class Foreign(MethodSettings):
        section = "cut"

    register_method("mine", Brighter, settings=CUTSettings)  # of the same class: shared
    register_method("mine", Brighter, settings=CUTSettings)
    with pytest.raises(ValueError, match="training method 'cyclegan' already"):
        register_method("cyclegan", Brighter, settings=CycleGANSettings)
    with pytest.raises(ValueError, match="section 'cut'"):
        register_method("other", Brighter, settings=Foreign)
    register_method("no method", "json:JSONDecoder")
    with pytest.raises(TypeError, match="no subclass of Method"):
        build_method("no method", None, 1, 1, "cpu", None)


def test_installed_packages_register_theirs_and_a_broken_one_harms_nobody(registry, monkeypatch):
    def broken():
        raise ImportError("no module named x")

    found = [
        SimpleNamespace(name="good", load=lambda: register_method("good", Brighter, settings=BrighterSettings)),
        SimpleNamespace(name="bad", load=broken),
    ]
    monkeypatch.setattr(method_registry, "_plugins_are_read", False)
    monkeypatch.setattr(method_registry.importlib.metadata, "entry_points", lambda group: found)
    with pytest.warns(UserWarning, match="method 'bad' cannot be used: no module named x"):
        assert {"good", "cyclegan"} <= set(methods())


def test_the_method_of_the_documentation(registry, tiny, pairs, tmp_path, sst):
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "register_method" in block)
    exec(compile(code, "extending.md", "exec"), {"__name__": "their_method"})
    settings = tiny | {"method": "edges", "lambda_edges": 4, "learning_rate": 3e-3, "max_steps": 30, "stack": 1}
    assert "needs pairs" in sst("train", *as_options(settings)).err
    ended = sst("train", *as_options(settings | {"pairs": pairs, "sample_every": 0, "checkpoint_every": 100}))
    assert ended.code == 0, ended
    rows = losses_of(tmp_path / "run")
    assert all(set(row) == {"step", "learning_rate", "generators", "pairs", "edges"} for row in rows)
    assert rows[-1]["pairs"] < 0.8 * rows[0]["pairs"]
    assert load_model(tmp_path / "run" / "model" / "model").card.directions == ["forward"]

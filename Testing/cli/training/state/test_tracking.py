from __future__ import annotations

import csv
import threading

import pytest

from training_cli.training.state.tracking import CsvCurve, told_once


def rows(path) -> list[dict]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


LOSSES = ("generators", "cycle", "identity")


def write(path, steps, resume_step=0, losses=LOSSES, **values) -> None:
    curve = CsvCurve(path, losses, resume_step)
    for step in steps:
        curve.write({"step": step, "seconds": 0.1, **values})
    curve.close()


def test_every_digit_is_kept_and_absent_terms_are_empty(tmp_path):
    value = 0.1 + 0.2
    write(tmp_path / "losses.csv", [1, 2], cycle=value)
    first = rows(tmp_path / "losses.csv")[0]
    assert list(first) == ["step", "seconds", "waiting", "learning_rate", *LOSSES]
    assert float(first["cycle"]) == value and first["identity"] == ""


def test_no_loss_is_dropped_without_a_word(tmp_path):
    with pytest.raises(ValueError, match="unknown_term"):
        write(tmp_path / "losses.csv", [1], unknown_term=3.0)


def test_a_resumed_file_has_its_own_columns_and_the_new_ones(tmp_path):
    """An older version wrote the same columns for every method, and nothing of what this one learns by."""
    path = tmp_path / "losses.csv"
    write(path, [1, 2], losses=("generators", "nce"), nce=1.0)
    write(path, [3], resume_step=2, losses=("total", "style"), total=5.0, style=4.0)
    told = rows(path)
    assert list(told[0])[4:] == ["generators", "nce", "total", "style"]
    assert [(row["nce"], row["total"], row["style"]) for row in told] == [("1.0", "", "")] * 2 + [("", "5.0", "4.0")]


def test_rows_are_there_as_soon_as_they_are_written(tmp_path):
    curve = CsvCurve(tmp_path / "losses.csv", LOSSES)
    curve.write({"step": 1, "cycle": 0.5})
    assert [row["step"] for row in rows(tmp_path / "losses.csv")] == ["1"]
    curve.close()


def test_a_resume_drops_what_the_checkpoint_does_not_know(tmp_path):
    path = tmp_path / "losses.csv"
    write(path, [1, 2, 3, 4, 5], cycle=1.0)
    write(path, [4, 5], resume_step=3, cycle=2.0)
    assert [row["step"] for row in rows(path)] == ["1", "2", "3", "4", "5"]
    assert [row["cycle"] for row in rows(path)] == ["1.0"] * 3 + ["2.0"] * 2


def test_a_start_from_the_beginning_starts_the_file_anew(tmp_path):
    write(tmp_path / "losses.csv", [1, 2])
    write(tmp_path / "losses.csv", [1])
    assert [row["step"] for row in rows(tmp_path / "losses.csv")] == ["1"]


def test_a_row_that_a_crash_cut_short_is_dropped(tmp_path):
    path = tmp_path / "losses.csv"
    write(path, [19, 20], cycle=1.0)
    with path.open("a") as stream:
        stream.write("2")  # of step 21
    write(path, [21], resume_step=20, cycle=2.0)
    assert [row["step"] for row in rows(path)] == ["19", "20", "21"]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        CsvCurve(tmp_path / "file" / "losses.csv", LOSSES)


def test_only_the_writing_thread_of_tensorboard_is_silent(monkeypatch):
    heard = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: heard.append(type(failure.thread).__name__))

    def fail() -> None:
        raise OSError(28, "No space left on device")

    class _AsyncWriterThread(threading.Thread):
        pass

    with told_once():
        for kind in (_AsyncWriterThread, threading.Thread):
            thread = kind(target=fail)
            thread.start()
            thread.join()
    assert heard == ["Thread"]


def test_tensorboard_still_has_that_thread():
    from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

    assert issubclass(_AsyncWriterThread, threading.Thread)

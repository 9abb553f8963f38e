"""A second run over a cohort does only what is missing, changed or failed, whatever ended the first."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import tiny_work
from tiny_work import Copy, text_tasks

from surgical_style_engine.errors import InputError
from training_cli.cohort.run.cohort_run import Places, run_cohort
from training_cli.cohort.run.here import here
from training_cli.cohort.run.manifest import read_manifest

TESTING = os.path.dirname(tiny_work.__file__)


@pytest.fixture
def cohort(tmp_path):
    """``cohort(work, overwrite)`` -> (result, volumes that were attempted), over the text files in "in"."""
    for name in ("a", "sub/b", "sub/deep/c"):
        path = tmp_path / "in" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text {name}")

    def run(work=None, overwrite=False):
        work = work or Copy()
        tasks = text_tasks(tmp_path)
        result = run_cohort(work, tasks, Places(tmp_path / "out", overwrite), here(), lambda finished, row: None)
        return result, sorted(name for name in work.said if name != "prepared")

    return run


ALL = ["a.txt", "sub/b.txt", "sub/deep/c.txt"]


def states(folder):
    return {row.volume: row.state for row in read_manifest(folder / "manifest.csv")[1]}


def test_a_second_run_does_nothing_and_loads_nothing(cohort, tmp_path):
    assert cohort()[1] == ALL
    before = (tmp_path / "out" / "manifest.csv").read_text()
    work = Copy()
    result, attempted = cohort(work)
    assert work.said == [] and attempted == [] and len(result.entries()) == 3
    assert (tmp_path / "out" / "manifest.csv").read_text() == before
    assert cohort(overwrite=True)[1] == ALL


def test_what_changed_is_done_again_and_what_only_looks_so_is_not(cohort, tmp_path):
    cohort()
    (tmp_path / "in" / "a.txt").write_text("other")
    os.utime(tmp_path / "in" / "sub" / "b.txt", (1, 1))  # another time, the same content
    (tmp_path / "out" / "sub" / "deep" / "c.txt").write_text("cut")
    assert cohort()[1] == ["a.txt", "sub/deep/c.txt"]
    assert (tmp_path / "out" / "a.txt").read_text() == "OTHER"
    (tmp_path / "out" / "a.txt").unlink()
    assert cohort()[1] == ["a.txt"]
    assert cohort()[1] == []
    assert cohort(Copy(model_digest="m2"))[1] == ALL
    assert cohort(Copy(model_digest="m2", options={"strength": 0.5}))[1] == ALL


def test_another_version_does_all_again(cohort, monkeypatch):
    cohort()
    monkeypatch.setattr("training_cli.cohort.run.cohort_run.__version__", "99.0")
    assert cohort()[1] == ALL


def test_one_failure_stops_nothing_and_is_tried_again(cohort, tmp_path):
    (tmp_path / "in" / "a.txt").write_text("bad")
    (tmp_path / "in" / "bug.txt").write_text("bug")
    (tmp_path / "in" / "odd.txt").write_text("odd")
    result, _ = cohort()
    assert states(tmp_path / "out") == {
        "a.txt": "failed",
        "bug.txt": "failed",
        "odd.txt": "misfit",
        "sub/b.txt": "done",
        "sub/deep/c.txt": "done",
    }
    assert [reason for _, reason in result.failures()] == [
        "It is bad.",
        "An unexpected error, ValueError: nobody thought of it",
        "It is odd.",
    ]
    (tmp_path / "in" / "a.txt").write_text("good")
    assert cohort()[1] == ["a.txt", "bug.txt"]  # what does not fit does not fit the second time either
    assert states(tmp_path / "out")["a.txt"] == "done"


def test_files_of_others_are_not_replaced(cohort, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("thesis")
    with pytest.raises(InputError, match="not of an earlier run"):
        cohort()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]
    cohort(overwrite=True)
    assert (tmp_path / "out" / "a.txt").read_text() == "TEXT A"


def test_one_run_at_a_time(cohort, tmp_path):
    class Twice(Copy):
        def run(self, task, title, files):
            with pytest.raises(InputError, match="Another run writes into"):
                cohort()
            return super().run(task, title, files)

    assert cohort(Twice())[1] == ALL
    assert not list((tmp_path / "out").glob(".*"))


def test_what_cannot_begin_leaves_nothing(cohort, tmp_path):
    class Without(Copy):
        def prepare(self, shown=None):
            raise InputError("There is no model.")

    with pytest.raises(InputError, match="no model"):
        cohort(Without())
    assert not (tmp_path / "out").exists()


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {testing!r})
from tiny_work import Copy, Slow, text_tasks
from training_cli.cohort.run.cohort_run import Places, run_cohort
from training_cli.cohort.run.here import here

folder = Path({folder!r})
run_cohort(Slow(seconds=0.02), text_tasks(folder), Places(folder / "out"), here(), lambda finished, row: None)
"""


def test_killed_at_any_moment(tmp_path):
    """SIGKILL three times at other moments: the manifest can be read, and in the end every volume was done once more
    at most than it was killed."""
    text_tasks(tmp_path, 50)
    code = KILLED.format(testing=TESTING, folder=str(tmp_path))
    done_before = 0
    for rows in (3, 11, 24):
        process = subprocess.Popen([sys.executable, "-c", code])
        while process.poll() is None and _done(tmp_path / "out") < rows:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL) if os.name != "nt" else process.kill()
        process.wait()
        assert done_before <= _done(tmp_path / "out") < 50
        done_before = _done(tmp_path / "out")
    (tmp_path / "out" / ".0123456789ab.partial").mkdir()  # as of a volume that was being written
    (tmp_path / "out" / ".0123456789ab.partial" / "7.txt").write_text("half")
    assert subprocess.run([sys.executable, "-c", code.replace("Slow(seconds=0.02)", "Copy()")]).returncode == 0
    metrics, rows = read_manifest(tmp_path / "out" / "manifest.csv")
    assert metrics == ("length",) and {row.volume for row in rows} == {f"{n:02}.txt" for n in range(50)}
    assert {row.state for row in rows} == {"done"} and not list((tmp_path / "out").glob(".*"))


def _done(folder):
    path = folder / "manifest.csv"
    return sum(row.state == "done" for row in read_manifest(path)[1]) if path.exists() else 0


def test_the_entries_are_those_of_reports(cohort, tmp_path):
    result, _ = cohort()
    assert result.entries()[0]["warnings"] == ["It is a copy."]
    assert json.loads((tmp_path / "out" / "summary" / "sub" / "b.txt.json").read_text()) == result.entries()[1]
    assert (tmp_path / "out" / "summary" / "a.txt.png").read_bytes() == b"png"
    row = result.rows[0]
    assert replace(row, finished="").metrics == {"length": "6"} and row.warnings == "It is a copy."


INTERRUPTED = """
import sys, types
sys.path.insert(0, {testing!r})
from pathlib import Path
from tiny_work import Slow, text_tasks
from training_cli import main
from training_cli.cohort.run.cohort_run import Places, run_cohort
from training_cli.cohort.run.here import here

def copy(folder: Path) -> None:
    run_cohort(Slow(seconds=0.1), text_tasks(folder), Places(folder / "out"), here(), lambda finished, row: None)

sys.modules["copying"] = types.SimpleNamespace(copy=copy)
main.COMMANDS["copy"] = "copying:copy"
main.main(["copy", {folder!r}])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_is_done(tmp_path, number, code):
    text_tasks(tmp_path, 50)
    text = INTERRUPTED.format(testing=TESTING, folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and _done(tmp_path / "out") < 3:
        time.sleep(0.02)
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == code and err in ("sst: Interrupted.\n", "sst: Terminated.\n")
    assert 3 <= _done(tmp_path / "out") < 50 and not list((tmp_path / "out").glob(".*"))


def test_what_is_added_later_is_computed_in_the_same_way(cohort, tmp_path):
    cohort(Copy(backend="first"))
    (tmp_path / "in" / "new.txt").write_text("new")
    result, attempted = cohort(Copy(backend="second"))
    assert attempted == ["new.txt"] and {row.backend for row in result.rows} == {"first"}

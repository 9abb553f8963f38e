"""A cohort on real worker processes: one is killed, one lacks the model, the scheduler goes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_work
from tiny_work import Beside, Deadly, Modelless, Slow, text_tasks

from surgical_style_engine.errors import InputError, StyleTransferError
from surgical_style_engine.imageio.read import read_volume
from surgical_style_engine.imageio.write import write_volume
from training_cli.cohort.run.cohort_run import Places, run_cohort
from training_cli.cohort.run.here import here
from training_cli.cohort.run.manifest import read_manifest

distributed = pytest.importorskip("distributed", reason="Dask distributed is not installed (extra cluster)")
if os.name == "nt":
    pytest.skip("processes are killed by signals here", allow_module_level=True)


@pytest.fixture(scope="module")
def cluster():
    """The scheduler of two worker processes."""
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster


@pytest.fixture
def run(cluster, tmp_path):
    """``run(work)`` -> rows of the manifest, of twelve text files done by the workers."""
    from training_cli.cohort.cluster.connect import ClusterOptions
    from training_cli.cohort.cluster.spread import on_cluster

    text_tasks(tmp_path, 12)

    def run(work):
        spread = on_cluster(ClusterOptions(scheduler=cluster.scheduler_address))
        run_cohort(work, text_tasks(tmp_path), Places(tmp_path / "out"), spread, lambda finished, row: None)
        return read_manifest(tmp_path / "out" / "manifest.csv")[1]

    return run


def check_whole(rows, folder):
    assert [row.volume for row in rows] == [f"{n:02}.txt" for n in range(12)]
    assert {row.state for row in rows} == {"done"}
    for row in rows:
        assert (folder / "out" / row.outputs).read_text() == (folder / "in" / row.volume).read_text().upper()
    assert not list((folder / "out").glob(".*"))


def test_all_workers_compute_in_the_way_that_one_chose(run, tmp_path):
    rows = run(Slow())
    check_whole(rows, tmp_path)
    assert len({row.worker for row in rows}) == 2 and len({row.backend for row in rows}) == 1
    assert rows[0].backend.startswith("process ")


def test_a_worker_is_killed_in_the_middle(run, tmp_path):
    (tmp_path / "in" / "05.txt").write_text("kill")
    rows = run(Deadly(flags=str(tmp_path)))
    check_whole(rows, tmp_path)
    assert (tmp_path / "killed").exists()


@pytest.mark.parametrize("lacking", [1, 2])
def test_workers_without_the_model_are_left_out(cluster, run, tmp_path, capsys, monkeypatch, lacking):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)  # one may have been killed before
    if lacking == 2:
        monkeypatch.setattr("training_cli.cohort.cluster.spread.OTHER_WORKER_SECONDS", 0.2)
    work = Modelless(flags=str(tmp_path), lacking=lacking)
    if lacking == 2:
        with pytest.raises(StyleTransferError, match="No worker can do it: There is no model 'm1'"):
            run(work)
        assert not (tmp_path / "out").exists()
        return
    rows = run(work)
    check_whole(rows, tmp_path)
    assert len({row.worker for row in rows}) == 1
    assert "is left out: There is no model 'm1'; there are: none." in capsys.readouterr().err


def test_translations_are_those_of_one_process(cluster, sst, head_volume, tiny_model, tmp_path):
    for number in range(3):
        path = tmp_path / "in" / f"s{number}" / "p_T1.nii.gz"
        path.parent.mkdir(parents=True)
        write_volume(head_volume(number), path)
    common = ("--model", tiny_model, "--no-quality", "--progress", "none")
    ended = sst("translate", tmp_path / "in", tmp_path / "a", *common, "--scheduler", cluster.scheduler_address)
    assert ended.code == 0 and "2 workers; dashboard: http://" in ended.err, ended
    assert "3 of 3 volumes translated" in ended.out
    assert sst("translate", tmp_path / "in", tmp_path / "b", *common).code == 0
    for place in (f"s{number}/p_T1_synthetic.nii.gz" for number in range(3)):
        assert np.array_equal(read_volume(tmp_path / "a" / place).array, read_volume(tmp_path / "b" / place).array)
    again = sst("translate", tmp_path / "in", tmp_path / "a", *common)
    assert "3 of 3 volumes translated, 3 of them before" in again.out  # whoever computed them


def test_processes_of_this_machine_read_and_write_beside_computing(tmp_path):
    from training_cli.cohort.cluster.connect import ClusterOptions
    from training_cli.cohort.cluster.spread import on_cluster

    spread = on_cluster(ClusterOptions(workers=1, memory="2GB"))
    work = Beside(flags=str(tmp_path))
    run_cohort(work, text_tasks(tmp_path, 12), Places(tmp_path / "out"), spread, lambda finished, row: None)
    check_whole(read_manifest(tmp_path / "out" / "manifest.csv")[1], tmp_path)


def test_a_scheduler_that_cannot_be_reached(tmp_path, monkeypatch):
    from training_cli.cohort.cluster import connect, spread

    monkeypatch.setattr(connect, "CONNECT_SECONDS", 1)
    for address, kind, sentence in (
        ("tcp://127.0.0.1:9", StyleTransferError, "The scheduler tcp://127.0.0.1:9 cannot be reached within 1 s"),
        ("nonsense://x", InputError, "--scheduler is an address such as tcp://host:8786, not 'nonsense://x'"),
    ):
        spreading = spread.on_cluster(connect.ClusterOptions(scheduler=address))
        with pytest.raises(kind, match=sentence):
            run_cohort(Slow(), text_tasks(tmp_path, 2), Places(tmp_path / "out"), spreading, lambda *told: None)
        assert not (tmp_path / "out").exists()


def test_the_scheduler_goes_and_a_second_run_does_the_rest(tmp_path):
    from training_cli.cohort.cluster.connect import ClusterOptions
    from training_cli.cohort.cluster.spread import on_cluster

    file = tmp_path / "scheduler.json"
    paths = [str(Path(tiny_work.__file__).parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    common = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(file), "--port", "0"]
    scheduler = subprocess.Popen(
        [*common, "--host", "127.0.0.1", "--dashboard-address", ":0"], env=environment, stderr=subprocess.DEVNULL
    )
    worker = None
    try:
        while not file.exists():
            assert scheduler.poll() is None
            time.sleep(0.05)
        command = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
        worker = subprocess.Popen([*command, *options], env=environment, stderr=subprocess.DEVNULL)

        def told(finished, row):
            if row.volume == "03.txt":
                scheduler.kill()

        spread = on_cluster(ClusterOptions(scheduler=str(file)))
        with pytest.raises(StyleTransferError, match=r"is gone\. What is done is kept; the same command goes on"):
            run_cohort(Slow(seconds=0.2), text_tasks(tmp_path, 12), Places(tmp_path / "out"), spread, told)
    finally:
        for process in filter(None, (scheduler, worker)):
            process.kill()
            process.wait()
    states = [row.state for row in read_manifest(tmp_path / "out" / "manifest.csv")[1]]
    assert "done" in states and "waiting" in states
    result = run_cohort(Slow(), text_tasks(tmp_path), Places(tmp_path / "out"), here(), lambda *told: None)
    assert len(result.attempted) == states.count("waiting")
    check_whole(result.rows, tmp_path)


class Pending:
    """A task that nobody does."""

    status = "pending"


class Deserted:
    """A connection to a scheduler whose workers have these addresses."""

    status = "running"

    def __init__(self, *addresses):
        self._addresses = addresses

    def scheduler_info(self, n_workers):
        return {"workers": dict.fromkeys(self._addresses)}


def test_where_all_workers_have_gone_the_run_ends_and_where_the_able_ones_have_others_try(monkeypatch):
    from training_cli.cohort.cluster import spread

    monkeypatch.setattr(spread, "wait", lambda *arguments, **options: None)
    monkeypatch.setattr(spread, "FIRST_WORKER_SECONDS", 0.05)
    task, future = text_tasks(Path(__file__).parent), Pending()
    crew = spread._Crew(Deserted(), "tcp://h:1", "run")
    with pytest.raises(StyleTransferError, match=r"has had no worker for 0\.05 s\. What is done is kept"):
        crew._finished({future: spread._Sent(task, None)})
    crew = spread._Crew(Deserted("tcp://new:1"), "tcp://h:1", "run")
    assert crew._finished({future: spread._Sent(task, ["tcp://gone:1"])}) == [future]

"""Several processes under torchrun, on the CPU."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
import torch
import warm_python
from tiny_training import PATHS, ROOT, as_options

from surgical_style_engine.errors import InputError
from training_cli.training.config import load_config
from training_cli.training.loop import train
from training_cli.training.optimisation.processes import agree_largest, average_gradients
from training_cli.training.state.checkpoint import latest_checkpoint, load_checkpoint
from training_cli.training.state.signals import Stopped, StopRequest

TWO = ("--standalone", "--nproc-per-node=2")
# The real command, which also tells what each process's weights and first gradients were.
PROGRAM = """
import os, sys
sys.path[:0] = PATHS
import torch
from training_cli.main import main
from training_cli.training import loop

kept, build = {}, loop.build_method

def remember(*arguments):
    method = build(*arguments)
    step = method.step
    def first_step(*values):
        losses = step(*values)
        kept.setdefault("gradients", {f"{name}.{key}": p.grad.clone() for name, network in method.networks().items()
                                      for key, p in network.named_parameters()})
        kept["weights"] = {name: network.state_dict() for name, network in method.networks().items()}
        kept["weights"] |= {name: network.state_dict() for name, network in method.generators().items()}
        return losses
    method.step = first_step
    return method

loop.build_method = remember
try:
    main(sys.argv[2:])
finally:
    torch.save(kept, os.path.join(sys.argv[1], f"process-{os.environ.get('RANK', 'alone')}.pt"))
"""


def program_of(folder, text: str, settings: dict) -> list[str]:
    """A program that trains, as torchrun takes it."""
    path = folder / "program.py"
    path.write_text(text.replace("PATHS", repr(PATHS)))
    return ["--no-python", warm_python.command(training=True), str(path), str(folder), "train", *as_options(settings)]


def torchrun(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [warm_python.command(training=True), "-m", "torch.distributed.run", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_single_process_has_nobody_to_ask():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    average_gradients([parameter])
    assert parameter.grad.tolist() == [1.0, 2.0] and agree_largest(0.25, "cpu") == 0.25


def test_two_processes_train_one_model(tiny, tmp_path):
    """They agree on the weights, and their first gradients are those of one process with both their images."""
    settings = tiny | {"max_steps": 3, "pool_size": 0, "lambda_spatial": 0.0}
    process = torchrun(*TWO, *program_of(tmp_path, PROGRAM, settings))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    assert out.count("Trained 3 steps") == 1
    with (tmp_path / "run" / "losses.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["1", "2", "3"]
    assert (tmp_path / "run" / "model" / "model" / "model.json").is_file()
    first, second = (torch.load(tmp_path / f"process-{rank}.pt") for rank in (0, 1))
    for name, state in first["weights"].items():
        for key, value in state.items():
            assert torch.equal(value, second["weights"][name][key]), (name, key)

    from training_cli.training import loop

    kept = {}
    with pytest.MonkeyPatch.context() as patch:
        build = loop.build_method
        patch.setattr(loop, "build_method", lambda *arguments: kept.setdefault("method", build(*arguments)))
        loop.train(load_config(None, settings | {"max_steps": 1, "batch_size": 2, "output": tmp_path / "alone"}))
    for name, network in kept["method"].networks().items():
        for key, parameter in network.named_parameters():
            together = first["gradients"][f"{name}.{key}"]
            assert torch.equal(together, second["gradients"][f"{name}.{key}"]), (name, key)
            # A bias before a normalisation has no gradient but rounding errors.
            limit = 1e-3 * float(parameter.grad.abs().max()) + 1e-5 * largest(network)
            assert float((parameter.grad - together).abs().max()) < limit, (name, key)


def largest(network: torch.nn.Module) -> float:
    return max(float(parameter.grad.abs().max()) for parameter in network.parameters())


def test_sigterm_to_the_launcher_saves_once(tiny, tmp_path):
    run = tmp_path / "run"
    settings = tiny | {"max_steps": 100_000, "checkpoint_every": 100_000, "sample_every": 0}
    process = torchrun(*TWO, *program_of(tmp_path, PROGRAM, settings))
    while process.poll() is None and not (run / "losses.csv").exists():
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert out.count("Stopped and saved at step") == 1, (out, err)
    assert len(list((run / "checkpoints").iterdir())) == 1


def test_where_the_first_process_finds_bad_input_the_others_end_without_a_word(tiny, tmp_path, monkeypatch):
    from training_cli.training import loop

    config = load_config(None, tiny | {"source": tmp_path / "absent"})
    first, other = (SimpleNamespace(is_main_process=main, device="cpu") for main in (True, False))
    told = []
    monkeypatch.setattr(loop, "agree_largest", lambda value, _device: told.append(value) or 1.0)
    with pytest.raises(InputError, match="source folder"):
        loop._prepare_together(config, tmp_path / "cache", first, StopRequest(), print)
    with pytest.raises(Stopped):
        loop._prepare_together(config, tmp_path / "cache", other, StopRequest(), print)
    assert told == [1.0, 0.0]


PID = """
import os, pathlib, sys
sys.path[:0] = PATHS
pathlib.Path(sys.argv[1], f"pid-{os.environ['RANK']}").write_text(str(os.getpid()))
from training_cli.main import main
main(sys.argv[2:])
"""


def test_a_lost_machine_ends_the_training_with_a_sentence_and_it_can_be_resumed(tiny, tmp_path):
    """Two launchers with a static rendezvous stand for two machines; the process of the second one is killed."""
    run, settings = tmp_path / "run", tiny | {"max_steps": 100_000, "checkpoint_every": 2, "sample_every": 0}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}"]
    program = program_of(tmp_path, PID, settings)
    machines = [torchrun(f"--node-rank={rank}", *place, *program) for rank in (0, 1)]
    while machines[0].poll() is None and not list(run.glob("checkpoints/*.pt")):
        time.sleep(0.1)
    assert machines[0].poll() is None, machines[0].communicate()
    os.kill(int((tmp_path / "pid-1").read_text()), signal.SIGKILL)
    ends = [machine.communicate(timeout=300) for machine in machines]
    assert all(machine.returncode for machine in machines)
    told = [line for line in ends[0][1].splitlines() if line.startswith("sst: ")]
    assert len(told) == 1 and "the last good checkpoint is" in told[0] and "--resume" in told[0], ends
    step = load_checkpoint(latest_checkpoint(run / "checkpoints"))["step"]
    lines = []
    summary = train(load_config(None, settings | {"max_steps": step + 1}), resume=True, say=lines.append)
    assert f"Resumed from step {step}." in lines and summary["steps"] == step + 1 and summary["finished"]


STUBS = {
    "scontrol": 'printf "node1\\nnode2\\n"',
    "srun": 'shift; for SLURM_NODEID in 0 1; do export SLURM_NODEID; "$@"; done',
    "torchrun": 'echo "$@"',
}


@pytest.mark.skipif(os.name == "nt", reason="SLURM is not for Windows")
def test_the_example_for_slurm_gives_each_machine_its_number(tmp_path):
    for name, script in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_NNODES": "2"}
    environment["SLURM_JOB_NODELIST"] = "node[1-2]"
    done = subprocess.run(
        ["bash", str(ROOT / "docs" / "examples" / "train.sbatch")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert [line.split()[:4] for line in told] == [["--nnodes", "2", "--node-rank", rank] for rank in "01"]
    assert all("--master-addr node1 --master-port 29500 -m training_cli.main train" in line for line in told)
    assert all(line.endswith("--output run --resume") for line in told)

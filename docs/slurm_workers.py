"""Workers for `sst ... --scheduler FILE` as SLURM jobs: starts a Dask scheduler here, and jobs that connect to it.

Run it where jobs can be submitted and reached from (a login node, or a job of its own), in the environment in which sst
is installed, and leave it running: python docs/slurm_workers.py --jobs 8 --file scheduler.json
"""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path

from surgical_style_engine.common.atomic_write import replacing


def main() -> None:
    """Start scheduler and jobs, and wait for Ctrl-C, or SIGTERM."""
    from dask_jobqueue import SLURMCluster

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="SLURM jobs, one worker process in each")
    parser.add_argument("--cores", type=int, default=2, help="processor cores of a job")
    parser.add_argument("--memory", default="8GB", help="memory of a job")
    parser.add_argument("--walltime", default="04:00:00", help="time limit of a job")
    parser.add_argument("--queue", help="SLURM partition")
    parser.add_argument("--interface", help="network interface that jobs can reach, such as ib0")
    parser.add_argument("--directive", action="append", default=[], help="for sbatch, such as --gres=gpu:1; repeatable")
    parser.add_argument("--file", type=Path, default=Path("scheduler.json"), help="gets the scheduler's address")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    cluster = SLURMCluster(
        cores=2,  # volumes at once: one is computed by all cores of its job, another one is read or written
        processes=1,
        job_cpu=options.cores,
        memory=options.memory,
        walltime=options.walltime,
        queue=options.queue,
        interface=options.interface,
        job_extra_directives=options.directive,
        job_script_prologue=[f"export OMP_NUM_THREADS={options.cores}"],
    )
    with cluster:
        cluster.scale(jobs=options.jobs)
        with replacing(options.file) as temporary:
            temporary.write_text(json.dumps(cluster.scheduler.identity(n_workers=0)), encoding="utf-8")
        print(f"{options.file}: {cluster.scheduler_address}; dashboard {cluster.dashboard_link}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("The jobs are cancelled.")
        finally:
            options.file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()

"""A batch script for Slurm: https://slurm.schedmd.com/sbatch.html, https://slurm.schedmd.com/srun.html."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from accumcheck import __version__
from accumcheck.cluster.job import joining

if TYPE_CHECKING:
    from accumcheck.cluster.job import ClusterJob

_FIRST_PORT, _PORTS = 10_000, 20_000
"""The ports of jobs: below those that systems hand out (from 32768 on Linux), above those of services."""


def sbatch_file(job: ClusterJob, config: str, overrides: list[str], folder: str) -> str:
    """The script, which ends with the exit code of the run.

    Args:
        job: what it runs.
        config: the configuration's absolute path, which every machine must have.
        overrides: the ``--set`` among the options, which the check beforehand takes as well.
        folder: the working directory of every machine.
    """
    nodes = job.machines.nodes
    set_ = [word for one in overrides for word in ("--set", one)]
    words = ["accumcheck", "run", config, *job.options]
    check = shlex.join(["accumcheck", "validate", config, *set_])
    if nodes == 1:
        body = ["", f"srun {shlex.join(words)}"]
    else:
        own = joining(nodes, "$SLURM_NODEID", "$ENDPOINT")
        check += ' --set "launcher.rdzv_endpoint=$ENDPOINT"'  # the file need not have one, if it names nnodes
        run = " ".join([shlex.join(words), *(word if word == "--set" else f'"{word}"' for word in own)])
        body = [
            "",
            "# the machines meet at the first of them; the run takes one port for each split, from this one on",
            'read -r first < <(scontrol show hostnames "$SLURM_JOB_NODELIST")',
            f'export ENDPOINT="$first:$(({_FIRST_PORT} + SLURM_JOB_ID % {_PORTS}))"',
            "",
            "# a machine that lacks accumcheck or the configuration would keep the others waiting",
            f"srun --kill-on-bad-exit=1 {check} > /dev/null",
            "",
            "take_part() {",
            "  local code=0",
            f"  {run} || code=$?",
            '  [ "$SLURM_NODEID" = 0 ] || code=0  # the verdict is that of the first machine',
            '  exit "$code"',
            "}",
            "export -f take_part",
            "srun --kill-on-bad-exit=0 bash -c take_part",
        ]
    return "\n".join([*_head(job, folder), *body, ""])


def _head(job: ClusterJob, folder: str) -> list[str]:
    machines = job.machines
    needs = {
        "job-name": job.name,
        "nodes": str(machines.nodes),
        "ntasks-per-node": "1",
        "cpus-per-task": str(machines.per_node + 1),
        **({} if machines.device == "cpu" else {"gpus-per-node": str(machines.per_node)}),
        "time": _duration(job.seconds),
        "chdir": shlex.quote(folder),
        "output": "%x-%j.out",
    }
    return [
        "#!/bin/bash",
        f"# Written by accumcheck {__version__}: accumcheck launch slurm. Submit it where accumcheck is on the PATH.",
        "# Options of the command beat those in the file: sbatch --partition=NAME --account=NAME FILE",
        *(f"#SBATCH --{option}={value}" for option, value in needs.items()),
        "",
        "set -euo pipefail",
        "# srun does not take this from sbatch since Slurm 22.05",
        'export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"',
    ]


def _duration(seconds: int) -> str:
    """Days-hours:minutes:seconds."""
    minutes, left = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}-{hours:02}:{minutes:02}:{left:02}"

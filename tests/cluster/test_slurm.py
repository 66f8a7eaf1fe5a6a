"""The batch script: its text, and what a bash makes of it, with stand-ins for Slurm's commands and for accumcheck."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from accumcheck.cluster.job import ClusterJob
from accumcheck.cluster.machines import Machines
from accumcheck.cluster.slurm import sbatch_file


def job(nodes: int = 2, per_node: int = 8, device: str = "cuda", options: tuple[str, ...] = ()) -> ClusterJob:
    return ClusterJob("accumcheck-check", Machines(nodes, per_node, device), 93_784, options)


def test_what_is_asked_of_slurm() -> None:
    lines = sbatch_file(job(), "/shared/check.yaml", [], "/shared").splitlines()
    assert lines[0] == "#!/bin/bash"
    # the options of sbatch, https://slurm.schedmd.com/sbatch.html; 93,784 s are 1 day 2 h 3 min 4 s
    assert [line for line in lines if line.startswith("#SBATCH")] == [
        "#SBATCH --job-name=accumcheck-check",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=9",
        "#SBATCH --gpus-per-node=8",
        "#SBATCH --time=1-02:03:04",
        "#SBATCH --chdir=/shared",
        "#SBATCH --output=%x-%j.out",
    ]
    # sbatch reads no further than the first command
    assert max(lines.index(line) for line in lines if line.startswith("#SBATCH")) < lines.index("set -euo pipefail")


def test_no_gpus_are_asked_for_on_the_cpu_and_no_meeting_of_one_machine() -> None:
    text = sbatch_file(job(1, 2, "cpu"), "/shared/check.yaml", [], "/shared")
    assert "gpus" not in text
    assert "launcher." not in text
    assert text.endswith("\nsrun accumcheck run /shared/check.yaml\n")


STAND_INS = {
    # a task on each machine, all at once; the highest exit code of all, as srun does
    "srun": """
case "$1" in --*) shift ;; esac
codes=()
for SLURM_NODEID in $(seq 0 $((NODES - 1))); do export SLURM_NODEID; "$@" & pids+=($!); done
worst=0
for pid in "${pids[@]}"; do code=0; wait "$pid" || code=$?; [ $code -le $worst ] || worst=$code; done
exit $worst
""",
    "scontrol": """
[ "$*" = "show hostnames node[7-9]" ] && printf "node%s\\n" 7 8 9
""",
    "accumcheck": """
printf "%s|" "$SLURM_NODEID" "$@" >> "$SAID.$SLURM_NODEID"; echo >> "$SAID.$SLURM_NODEID"
echo "of $SLURM_NODEID"
codes=($CODES); [ "$1" = validate ] && codes=($FOUND); exit "${codes[$SLURM_NODEID]}"
""",
}


class Cluster:
    """Three machines that are one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, text in STAND_INS.items():
            (self.bin / name).write_text(f"#!/bin/bash\n{text}", encoding="utf-8")
            (self.bin / name).chmod(0o755)

    def run(self, text: str, codes: str, found: str = "0 0 0") -> int:
        """Run a script as a job of three machines; the codes of the run, and of validate, by machine."""
        script = self.folder / "job.sbatch"
        script.write_text(text, encoding="utf-8")
        subprocess.run(["bash", "-n", script], check=True)
        env = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "SLURM_JOB_NODELIST": "node[7-9]",
            "SLURM_JOB_ID": "123456",
            "SLURM_CPUS_PER_TASK": "9",
            "NODES": "3",
            "CODES": codes,
            "FOUND": found,
            "SAID": str(self.folder / "said"),
        }
        return subprocess.run(["bash", script], env=env, check=False, timeout=60, stdout=subprocess.DEVNULL).returncode

    def said(self, node: int) -> list[str]:
        """How accumcheck was called on a machine, word by word."""
        path = self.folder / f"said.{node}"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


ODD = "/shared/my $HOME's check.yaml"
OPTIONS = ("--set", "splits=[1x8x1, '2x4x1']", "--strict")


def script(nodes: int = 3) -> str:
    return sbatch_file(job(nodes, options=OPTIONS), ODD, ["splits=[1x8x1, '2x4x1']"], "/shared")


def test_every_machine_is_told_who_it_is_and_where_the_others_are(cluster: Cluster) -> None:
    assert cluster.run(script(), codes="0 0 0") == 0
    for node in range(3):
        asked, ran = cluster.said(node)
        # the port: 10000 + 123456 modulo 20000
        meeting = "--set|launcher.rdzv_endpoint=node7:13456|"
        assert asked == f"{node}|validate|{ODD}|--set|splits=[1x8x1, '2x4x1']|{meeting}"
        assert ran == (
            f"{node}|run|{ODD}|--set|splits=[1x8x1, '2x4x1']|--strict|--set|launcher.nnodes=3|"
            f"--set|launcher.node_rank={node}|{meeting}"
        )


@pytest.mark.parametrize(
    ("codes", "ends"), [("1 3 0", 1), ("0 3 3", 0), ("3 3 0", 3), ("2 0 0", 2)], ids=lambda one: str(one)
)
def test_the_job_ends_with_the_code_of_the_first_machine(cluster: Cluster, codes: str, ends: int) -> None:
    """1 wins over 3, and only the first machine knows."""
    assert cluster.run(script(), codes=codes) == ends


def test_a_machine_that_lacks_the_configuration_ends_the_job_before_any_waits(cluster: Cluster) -> None:
    assert cluster.run(script(), codes="0 0 0", found="0 0 2") == 2
    assert [len(cluster.said(node)) for node in range(3)] == [1, 1, 1]


def test_one_machine_ends_with_its_own_code(cluster: Cluster) -> None:
    text = script(1).replace("srun", "SLURM_NODEID=0 exec")
    assert cluster.run(text, codes="1") == 1
    (ran,) = cluster.said(0)
    assert ran == f"0|run|{ODD}|--set|splits=[1x8x1, '2x4x1']|--strict|"

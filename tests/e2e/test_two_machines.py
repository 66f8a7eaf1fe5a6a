"""Two machines, played by two programs on this one: a real rendezvous, real processes, one report."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.test_slurm import STAND_INS
from tests.e2e.program import accumcheck, command, write_config

pytestmark = pytest.mark.e2e


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_splits_span_both_machines_and_node_0_reports(tmp_path: Path) -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    launcher = {"device": "cpu", "nnodes": 2, "rdzv_endpoint": endpoint, "timeout": 120}
    config = write_config(tmp_path, splits=["1x8x1", "2x2x2", "4x1x2"], launcher=launcher)
    other = subprocess.Popen(
        command("run", config, "--set", "launcher.node_rank=1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    try:
        ended = accumcheck("run", config, "--format", "json")
        out, err = other.communicate(timeout=120)
    finally:
        other.kill()
    assert ended.code == 0, ended.err + ended.out
    assert [split["verdict"] for split in ended.report["splits"]] == ["pass", "pass", "pass"]
    assert ended.split("4x1x2")["steps"][0]["samples"] == 8
    assert other.returncode == 0, err
    assert out == ""
    assert "the report is on node 0" in err


@pytest.mark.skipif(not Path(sys.executable).with_name("accumcheck").exists(), reason="no command is installed")
def test_the_batch_script_of_launch_starts_both_and_ends_with_the_verdict(tmp_path: Path) -> None:
    config = write_config(tmp_path, splits=["1x8x1", "2x2x2"], steps=1)
    report_file = str(tmp_path / "report.json")
    launched = accumcheck("launch", "slurm", config, "--gpus-per-node", "1", "--report", report_file, cwd=tmp_path)
    assert launched.code == 0, launched.err
    (tmp_path / "job.sbatch").write_text(launched.out, encoding="utf-8")
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in {"srun": STAND_INS["srun"], "scontrol": "echo 127.0.0.1\n"}.items():
        (commands / name).write_text(f"#!/bin/bash\n{text}", encoding="utf-8")
        (commands / name).chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "here",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_CPUS_PER_TASK": "2",
        "NODES": "2",
    }
    ended = subprocess.run(
        ["bash", tmp_path / "job.sbatch"], env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "node 1: done; the report is on node 0" in ended.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [(split["split"], split["verdict"]) for split in report["splits"]] == [("1x8x1", "pass"), ("2x2x2", "pass")]

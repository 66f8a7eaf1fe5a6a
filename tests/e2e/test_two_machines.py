"""Two machines, played by two programs on this one: a real rendezvous, real processes, one report."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

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

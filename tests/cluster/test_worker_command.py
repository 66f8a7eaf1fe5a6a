"""What the shell of a worker's container makes of the exit codes of accumcheck."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from accumcheck.cluster.job import ClusterJob
from accumcheck.cluster.kubernetes import pytorch_job
from accumcheck.cluster.machines import Machines


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (3, 0), (2, 1), (130, 1)])
def test_only_a_code_that_the_master_reports_as_well_is_no_failure(tmp_path: Path, code: int, ends: int) -> None:
    stand_in = tmp_path / "accumcheck"
    stand_in.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\nexit {code}\n', encoding="utf-8")
    stand_in.chmod(0o755)
    text = pytorch_job(
        ClusterJob("a", Machines(2, 1, "cuda"), 60), "image", text=None, path="/a check.yaml", namespace=None
    )
    spec = yaml.safe_load(text)["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    (container,) = spec["containers"]
    command = [*container["command"], *container["args"][:2]]
    done = subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False, timeout=60)
    assert done.returncode == ends
    assert (tmp_path / "said").read_text(encoding="utf-8") == "run /a check.yaml\n"

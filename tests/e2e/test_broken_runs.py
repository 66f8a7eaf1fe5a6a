"""What must never read as a pass: workers that die, hang, raise, run out of memory, or give NaN."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Ended, accumcheck, command, leftovers, write_config, write_faulty_model

pytestmark = pytest.mark.e2e


def run_faulty(folder: Path, fault: str, **launcher: Any) -> tuple[Ended, str, float]:
    """A run in which the two-process split is hit; the other split and the reference are sound."""
    config = write_config(
        folder,
        model=write_faulty_model(folder),
        splits=["1x8x1", "2x2x2"],
        launcher={"device": "cpu", **launcher},
    )
    mark = f"ACCUMCHECK_TEST={uuid.uuid4().hex}"
    started = time.monotonic()
    name, _, value = mark.partition("=")
    ended = accumcheck("run", config, "--format", "json", env={"PLANTED": fault, name: value})
    return ended, mark, time.monotonic() - started


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("kill:1:2", "process 1 of 2 was killed by SIGKILL; the system may have run out of memory"),
        ("raise:0:3", "RuntimeError: planted: the model broke"),
        ("memory:1:1", "out of memory: planted: tried to allocate 99 GiB"),
    ],
)
def test_a_dead_worker_is_an_error_of_its_split_only(tmp_path: Path, fault: str, reason: str) -> None:
    ended, mark, _ = run_faulty(tmp_path, fault)
    assert ended.code == 3, ended.err
    assert ended.report["verdict"] == "error"
    broken = ended.split("2x2x2")
    assert (broken["status"], broken["verdict"], broken["reason"]) == ("error", "error", reason)
    assert Path(broken["log"]).is_dir()
    assert ended.split("1x8x1")["verdict"] == "pass"
    assert leftovers(mark) == []


def test_a_hanging_rank_ends_within_the_limit_and_15_seconds(tmp_path: Path) -> None:
    ended, mark, seconds = run_faulty(tmp_path, "hang:1:2", timeout=20)
    assert ended.code == 3, ended.err
    assert ended.split("2x2x2")["reason"] == "timed out: not finished after 20 s (launcher.timeout)"
    assert ended.split("2x2x2")["duration_seconds"] < 20 + 15
    assert ended.split("1x8x1")["verdict"] == "pass"
    assert leftovers(mark) == []
    assert seconds < 120


def test_nan_on_one_rank_fails(tmp_path: Path) -> None:
    ended, _, _ = run_faulty(tmp_path, "nan:1:2")
    assert ended.code == 1, ended.err
    assert ended.split("2x2x2")["verdict"] == "fail"
    assert ended.split("2x2x2")["steps"][0]["loss"] == "NaN"
    assert ended.split("1x8x1")["verdict"] == "pass"


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        config = write_config(tmp_path, launcher={"device": "cpu", "timeout": 30, "rdzv_endpoint": endpoint})
        ended = accumcheck("run", config, "--format", "json")
    assert ended.code == 3, ended.err
    # splits take ports in turn, the control the first
    assert ended.split("1x8x1")["reason"] == (
        f"the rendezvous port {endpoint} is already taken; give launcher.rdzv_endpoint another port"
    )
    assert ended.split("1x8x1")["verdict"] == "error"


def test_a_model_that_does_not_load_is_one_line_and_exit_3(tmp_path: Path) -> None:
    place = tmp_path / "model"
    place.mkdir()
    (place / "config.json").write_text(json.dumps({"model_type": "no_such_type"}), encoding="utf-8")
    config = write_config(tmp_path, model={"name_or_path": str(place), "weights": "random"})
    ended = accumcheck("run", config)
    assert ended.code == 3
    assert "no_such_type" in ended.out
    assert "could not be decided" in ended.out
    assert "Traceback" not in ended.out + ended.err


def test_too_few_gpus_is_skipped_unless_allowed(tmp_path: Path) -> None:
    config = write_config(tmp_path, launcher={"device": "cuda"})
    env = {"CUDA_VISIBLE_DEVICES": ""}
    ended = accumcheck("run", config, "--format", "json", env=env)
    assert ended.code == 3
    assert [split["status"] for split in ended.report["splits"]] == ["skipped", "skipped"]
    assert ended.split("1x2x4")["reason"] == "needs 1 GPU, 0 present"
    # nothing at all ran: there is nothing that --allow-skipped could let pass
    assert accumcheck("run", config, "--allow-skipped", env=env).code == 3


def test_unwritable_output_stops_before_anything_is_trained(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    started = time.monotonic()
    ended = accumcheck("run", config, "-o", tmp_path / "no" / "such" / "report.json")
    assert ended.code == 2
    assert "does not exist" in ended.err
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ended_parent_leaves_no_process_behind(tmp_path: Path, sign: signal.Signals) -> None:
    config = write_config(tmp_path, model=write_faulty_model(tmp_path), splits=["2x2x2"])
    mark = uuid.uuid4().hex
    parent = subprocess.Popen(
        command("run", config),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PLANTED": "hang:1:1", "ACCUMCHECK_TEST": mark},
    )
    wanted = f"ACCUMCHECK_TEST={mark}"
    deadline = time.monotonic() + 120
    while len(leftovers(wanted)) < 6 and time.monotonic() < deadline:  # parent, conductor, servers, two workers
        time.sleep(0.2)
    time.sleep(1)
    assert len(leftovers(wanted)) >= 4
    parent.send_signal(sign)
    _, err = parent.communicate(timeout=30)
    if sign != signal.SIGKILL:
        assert parent.returncode == 130
        assert "interrupted" in err
        assert "Traceback" not in err
    deadline = time.monotonic() + 15
    while leftovers(wanted) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert leftovers(wanted) == []

"""Two machines that share nothing but a network, one of which dies in the middle of a split."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.hosts import DEVICE, Host, two_hosts
from tests.e2e.program import Ended, command, leftovers, write_config, write_faulty_model

pytestmark = [pytest.mark.e2e, pytest.mark.process]

SPLITS = ["1x8x1", "2x2x2", "4x1x2"]
LIMIT = 600
"""launcher.timeout, in seconds: nothing here may have to wait for it."""
PATIENCE = 240
# a machine that dies in the first second of a split may not have been seen yet
LOST = "is lost: no sign of life for 20 s"
NODE_1_LOST = rf"node 1 (\(.+, 10\.77\.0\.2\) {LOST}|is missing: not seen at 10\.77\.0\.1:29500)"
NODE_0_LOST = rf"node 1: 2x2x2: node 0 (\(.+, 10\.77\.0\.1\) {LOST}|does not answer at 10\.77\.0\.1:29500)"


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    try:
        with two_hosts() as found:
            yield found
    except PermissionError as error:
        pytest.skip(f"no network namespaces: {error}")


@dataclass
class Machine:
    """The program on one host, and the mark of all its processes."""

    host: Host
    process: subprocess.Popen[str]
    mark: str

    def die(self) -> None:
        for pid in leftovers(self.mark):
            os.kill(pid, signal.SIGKILL)

    def end(self) -> Ended:
        out, err = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, out, err)


def start(host: Host, rank: int, config: Path, **variables: str) -> Machine:
    mark = f"ACCUMCHECK_TEST={uuid.uuid4().hex}"
    name, _, value = mark.partition("=")
    words = command("run", config, "--format", "json", "--set", f"launcher.node_rank={rank}")
    process = subprocess.Popen(
        host.inside(words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # the name of this machine is not an address on these hosts
        env={**os.environ, "GLOO_SOCKET_IFNAME": DEVICE, name: value, **variables},
    )
    return Machine(host, process, mark)


@pytest.fixture
def machines(tmp_path: Path, hosts: tuple[Host, Host], request: pytest.FixtureRequest) -> Iterator[list[Machine]]:
    """Both, in the middle of 2x2x2, where the process of one of them hangs: the one that is to die."""
    dying: int = request.param
    model = write_faulty_model(tmp_path)
    code = Path(model["name_or_path"], "modeling_faulty.py")
    hanging = 'open(os.environ["REACHED"], "w").close(); time.sleep(10_000)'
    code.write_text(code.read_text(encoding="utf-8").replace("time.sleep(10_000)", hanging), encoding="utf-8")
    launcher = {"device": "cpu", "nnodes": 2, "rdzv_endpoint": f"{hosts[0].address}:29500", "timeout": LIMIT}
    config = write_config(tmp_path, model=model, splits=SPLITS, steps=1, launcher=launcher)
    planted = {"PLANTED": f"hang:{dying}:2", "REACHED": str(tmp_path / "reached")}
    found = [start(host, rank, config, **planted) for rank, host in enumerate(hosts)]
    try:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "reached").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (tmp_path / "reached").exists()
        yield found
    finally:
        for one in found:
            one.die()
            one.process.wait()
            for stream in (one.process.stdout, one.process.stderr):
                assert stream is not None
                stream.close()


def check_report_of_node_0(ended: Ended) -> None:
    assert ended.code == 3, ended.err
    assert [ended.split(split)["status"] for split in SPLITS] == ["ran", "error", "error"]
    for split in SPLITS[1:]:
        assert re.match(NODE_1_LOST, ended.split(split)["reason"])
    assert ended.split("4x1x2")["duration_seconds"] == 0  # it was not started


@pytest.mark.parametrize("machines", [1], indirect=True)
def test_node_1_is_killed(machines: list[Machine]) -> None:
    machines[1].die()
    ended = machines[0].end()
    check_report_of_node_0(ended)
    assert leftovers(machines[0].mark) == []


@pytest.mark.parametrize("machines", [1], indirect=True)
def test_node_1_goes_silent(machines: list[Machine]) -> None:
    machines[1].host.unplug()
    ended = machines[0].end()
    check_report_of_node_0(ended)
    assert leftovers(machines[0].mark) == []
    other = machines[1].end()  # it is alive, and alone
    assert other.code == 3
    assert re.search(NODE_0_LOST, other.err)
    assert leftovers(machines[1].mark) == []


@pytest.mark.parametrize("machines", [0], indirect=True)
def test_node_0_is_killed(machines: list[Machine]) -> None:
    machines[0].die()
    ended = machines[1].end()
    assert ended.code == 3
    assert re.search(NODE_0_LOST, ended.err)
    assert leftovers(machines[1].mark) == []


def test_both_hosts_are_one_run(tmp_path: Path, hosts: tuple[Host, Host]) -> None:
    launcher = {"device": "cpu", "nnodes": 2, "rdzv_endpoint": f"{hosts[0].address}:29500", "timeout": LIMIT}
    config = write_config(tmp_path, splits=["1x8x1", "2x2x2"], steps=1, launcher=launcher)
    both = [start(host, rank, config) for rank, host in enumerate(hosts)]
    ends = [one.end() for one in both]
    assert [end.code for end in ends] == [0, 0], ends
    report = json.loads(ends[0].out)
    assert [split["verdict"] for split in report["splits"]] == ["pass", "pass"]
    assert ends[1].err.rstrip().endswith("node 1: done; the report is on node 0")

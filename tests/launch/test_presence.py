"""A machine that falls silent is lost; one that leaves, or was never there, is not. Real stores on this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig, LauncherConfig
from accumcheck.launch import presence as module
from accumcheck.launch.presence import Presence, presence
from accumcheck.runfolder.job import Job

KEY = "accumcheck-presence-1"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(module, "LOST_SECONDS", 1.0)
    monkeypatch.setattr(module, "FAREWELL_SECONDS", 0.2)


@pytest.fixture
def check(tmp_path: Path) -> CheckConfig:
    path = tmp_path / "check.yaml"
    path.write_text("{model: {name_or_path: m}, global_batch_size: 8, splits: [2x4x1], launcher: {device: cpu}}")
    (tmp_path / "m").mkdir()
    return load_config(path)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def job(check: CheckConfig, nodes: int = 2) -> Job:
    return Job("2x4x1", 2, Path("2x4x1"), check, "cpu", "gloo", nodes=nodes)


def on_node(rank: int, port: int) -> tuple[LauncherConfig, str]:
    return LauncherConfig(nnodes=2, node_rank=rank, timeout=2), f"127.0.0.1:{port}"


@pytest.fixture
def node_0(check: CheckConfig, port: int) -> Iterator[Presence]:
    with presence(job(check), *on_node(0, port)) as found:
        yield found


@pytest.fixture
def other(node_0: Presence, port: int) -> Any:
    """The store as node 1 sees it."""
    return TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False)


def eventually(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def join(other: Any) -> None:
    other.set(f"{KEY}-name", "gpu-17, 10.0.0.2")
    other.add(KEY, 1)


def test_two_that_beat_are_both_there_and_one_that_leaves_is_not_lost(
    check: CheckConfig, node_0: Presence, port: int
) -> None:
    with presence(job(check), *on_node(1, port)) as node_1:
        assert node_0.missing() is None  # waits until the other has been heard
        assert node_1.missing() is None
    time.sleep(1.5)  # longer than LOST_SECONDS
    assert node_0.lost() is None
    assert node_0.missing() is None


def test_one_that_falls_silent_is_named(node_0: Presence, other: Any) -> None:
    join(other)
    lost = "node 1 (gpu-17, 10.0.0.2) is lost: no sign of life for 1 s"
    assert eventually(node_0.lost) == lost
    assert node_0.missing() == lost
    other.add(KEY, 1)  # it was only slow
    assert eventually(lambda: node_0.lost() is None)


def test_one_that_never_came_is_missing_and_not_lost(node_0: Presence, other: Any, port: int) -> None:
    assert node_0.lost() is None
    assert node_0.missing() == f"node 1 is missing: not seen at 127.0.0.1:{port}"


def test_node_0_is_lost_with_its_store(check: CheckConfig, port: int) -> None:
    stores: list[Any] = [TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)]
    stores[0].set("accumcheck-presence-0-name", "gpu-16, 10.0.0.1")
    stores[0].add("accumcheck-presence-0", 1)
    with presence(job(check), *on_node(1, port)) as node_1:
        assert eventually(lambda: stores[0].check([KEY]))
        stores.clear()  # its server ends
        assert eventually(node_1.lost) == "node 0 (gpu-16, 10.0.0.1) is lost: no sign of life for 1 s"


def test_a_node_0_that_never_was_does_not_answer(check: CheckConfig, port: int) -> None:
    with presence(job(check), *on_node(1, port)) as node_1:
        assert node_1.missing() == f"node 0 does not answer at 127.0.0.1:{port}"


def test_a_job_on_one_machine_has_no_others(check: CheckConfig) -> None:
    with presence(job(check, nodes=1), LauncherConfig(), "127.0.0.1:0") as alone:
        assert not alone.is_alive()
        assert alone.lost() is None
        assert alone.missing() is None

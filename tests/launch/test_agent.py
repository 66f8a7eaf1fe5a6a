"""Where the processes of a job meet."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.elastic.rendezvous import dynamic_rendezvous

from accumcheck.config.model import CheckConfig, LauncherConfig, ModelConfig
from accumcheck.launch.agent import _join_at_once, endpoint_of, is_taken
from accumcheck.runfolder.job import Job


def job(nodes: int = 1) -> Job:
    return Job("2x2x2", 2, Path("/run/0/2x2x2"), CheckConfig(ModelConfig(), 8, None), "cpu", "gloo", nodes=nodes)


def test_on_one_machine_any_free_port_will_do_unless_one_is_configured() -> None:
    assert endpoint_of(job(), LauncherConfig(), 3) == "127.0.0.1:0"
    assert endpoint_of(job(), LauncherConfig(rdzv_endpoint="10.0.0.1:29500"), 3) == "10.0.0.1:29503"


def test_of_several_machines_only_jobs_that_span_them_meet_at_the_endpoint() -> None:
    launcher = LauncherConfig(nnodes=2, rdzv_endpoint="10.0.0.1:29500")
    assert endpoint_of(job(nodes=2), launcher, 0) == "10.0.0.1:29500"
    assert endpoint_of(job(nodes=1), launcher, 0) == "127.0.0.1:0"


def test_a_port_is_taken_while_someone_listens_on_it() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
        assert is_taken(endpoint)
    assert not is_taken(endpoint)
    assert not is_taken("192.0.2.1:29500")  # of no machine; see RFC 5737


def test_an_agent_joins_its_rendezvous_at_once_but_still_waits_where_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[object] = []
    monkeypatch.setattr(dynamic_rendezvous, "_delay", waited.append)
    _join_at_once()
    _join_at_once()  # for the next job
    delay: Any = vars(dynamic_rendezvous)["_delay"]
    delay((0, 0.3))
    delay(1)
    assert waited == [1]

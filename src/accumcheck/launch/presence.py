"""Whether the other machines of a job are still there: a heartbeat of each, in the store of the job's rendezvous."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from accumcheck.config.model import LauncherConfig
from accumcheck.runfolder.job import Job

BEAT_SECONDS = 1.0
LOST_SECONDS = 20.0
"""A machine that is silent for so long is lost: twenty heartbeats, and longer than a busy one pauses."""
FAREWELL_SECONDS = 3.0
"""How long node 0, which serves the store, stays so that the others can read that it leaves."""
POLL_SECONDS = 0.1
_LEFT = 10**9
"""Added to a machine's count of heartbeats when its part of the job has ended."""


class Presence(threading.Thread):
    """Says that this machine is there, and notes when each other one last said so.

    Nothing is raised: where the store cannot be used, the others are silent.
    """

    def __init__(self, job: Job, launcher: LauncherConfig, endpoint: str) -> None:
        super().__init__(daemon=True, name=f"presence of {job.name}")
        self._own = launcher.node_rank
        self._others = [node for node in range(job.nodes) if node != self._own]
        self._endpoint, self._timeout = endpoint, launcher.timeout
        self._counts = dict.fromkeys(self._others, 0)
        self._heard: dict[int, float] = {}
        self._names: dict[int, str] = {}
        self._leaving = threading.Event()
        self._connected = False

    def run(self) -> None:
        """Beat until `leave`; called by `start`."""
        with contextlib.suppress(RuntimeError, OSError):  # a store that is gone: the others stay silent
            store = self._connect()
            self._connected = True
            while not self._leaving.is_set():
                self._beat(store)
                self._leaving.wait(BEAT_SECONDS)
            store.add(_key(self._own), _LEFT)
            end = time.monotonic() + FAREWELL_SECONDS
            while self._own == 0 and time.monotonic() < end and any(map(self._is_expected, self._others)):
                self._beat(store)
                time.sleep(POLL_SECONDS)

    def leave(self) -> None:
        """This machine's part of the job has ended."""
        self._leaving.set()
        self.join(FAREWELL_SECONDS + BEAT_SECONDS)

    def lost(self) -> str | None:
        """Which machine had joined and has been silent since, in words; None if there is none."""
        now = time.monotonic()
        silent = [
            node for node, heard in list(self._heard.items()) if now - heard > LOST_SECONDS and self._is_expected(node)
        ]
        if self._own != 0 and 0 in silent:  # it serves the store, so that nobody is heard without it
            silent = [0]
        if not silent:
            return None
        return f"{self._named(silent)} lost: no sign of life for {LOST_SECONDS:g} s"

    def missing(self) -> str | None:
        """Which machine is not there now, in words, once each has said that it is, has left, or is lost."""
        asked = time.monotonic()
        while time.monotonic() - asked < LOST_SECONDS:
            if all(not self._is_expected(node) or self._heard.get(node, 0.0) > asked for node in self._others):
                return None
            if (lost := self.lost()) is not None:
                return lost
            time.sleep(POLL_SECONDS)
        if (lost := self.lost()) is not None:
            return lost
        absent = [node for node in self._others if node not in self._heard]
        if self._own != 0 and 0 in absent:
            return f"node 0 does not answer at {self._endpoint}"
        if not absent or not self._connected:
            return None
        return f"{self._named(absent)} missing: not seen at {self._endpoint}"

    def _connect(self) -> Any:
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        host, _, port = self._endpoint.rpartition(":")
        store = TCPStore(
            host,
            int(port),
            is_master=self._own == 0,
            timeout=timedelta(seconds=self._timeout),
            wait_for_workers=False,
            multi_tenant=True,  # one server for this and for torchrun's agent, which lives as long as either
        )
        store.set(f"{_key(self._own)}-name", _name_towards(host, int(port)))
        return store

    def _beat(self, store: Any) -> None:
        if not self._leaving.is_set():
            store.add(_key(self._own), 1)
        for node in self._others:
            count = store.add(_key(node), 0)
            if count == self._counts[node]:
                continue
            if node not in self._names:  # it was written before the first heartbeat
                self._names[node] = store.get(f"{_key(node)}-name").decode()
            self._counts[node] = count
            self._heard[node] = time.monotonic()

    def _is_expected(self, node: int) -> bool:
        return self._counts[node] < _LEFT

    def _named(self, nodes: list[int]) -> str:
        names = [f"node {node} ({self._names[node]})" if node in self._names else f"node {node}" for node in nodes]
        return f"{' and '.join(names)} {'is' if len(nodes) == 1 else 'are'}"


@contextlib.contextmanager
def presence(job: Job, launcher: LauncherConfig, endpoint: str) -> Iterator[Presence]:
    """Watch the other machines of a job while it runs; one that runs on a single machine has none."""
    found = Presence(job, launcher, endpoint)
    if job.nodes == 1:
        yield found
        return
    found.start()
    try:
        yield found
    finally:
        found.leave()


def _key(node: int) -> str:
    return f"accumcheck-presence-{node}"


def _name_towards(host: str, port: int) -> str:
    """The name of this machine, and the address that it has on the way to another one."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))  # sends nothing
        return f"{socket.gethostname()}, {probe.getsockname()[0]}"
    return socket.gethostname()

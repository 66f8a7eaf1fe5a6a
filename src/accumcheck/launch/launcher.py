"""The parent's side of a run: start the conductor, pass on what happens, leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from accumcheck.config.model import CheckConfig
from accumcheck.errors import LaunchError
from accumcheck.launch.events import EventFollower

OnEvent = Callable[[dict[str, Any]], None]


def launch(
    check: CheckConfig, folder: Path, on_event: OnEvent, *, python: str = sys.executable
) -> list[dict[str, Any]]:
    """Run every job of the check in ``folder`` and return the events, which name the files that hold the results.

    Args:
        check: the resolved configuration.
        folder: an empty folder that this call may fill.
        on_event: called with every event as it happens.
        python: the interpreter under test.

    Raises:
        LaunchError: the conductor ended before it had a plan.
        KeyboardInterrupt: the user interrupted; every process has been ended before it is passed on.
    """
    (folder / "plan.json").write_text(json.dumps(check.to_dict()), encoding="utf-8")
    follower = EventFollower(folder / "events.jsonl")
    events: list[dict[str, Any]] = []

    def take() -> None:
        for event in follower.new():
            events.append(event)
            on_event(event)

    log = folder / "conductor.log"
    with _conductor(folder, log, python) as conductor:
        while conductor.poll() is None:
            take()
            time.sleep(0.05)
        take()
    if not any(event["event"] == "planned" for event in events):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise LaunchError(f"the run could not be started: {lines[-1] if lines else 'no word of why'} (log: {log})")
    return events


@contextlib.contextmanager
def _conductor(folder: Path, log: Path, python: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stream:
        conductor = subprocess.Popen(
            [python, "-m", "accumcheck.launch.conductor", str(folder)],
            stdin=subprocess.PIPE,  # held open: the conductor ends its group when it is closed
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own: Ctrl-C reaches the parent alone, which ends the group
        )
    try:
        yield conductor
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(conductor.pid, signal.SIGKILL)
        conductor.wait()
        assert conductor.stdin is not None
        conductor.stdin.close()

"""The parent's side of a run: start the conductor, pass on what happens, leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from accumcheck.config.model import CheckConfig
from accumcheck.errors import LaunchError
from accumcheck.runfolder.events import Ended, Event, EventFollower, OnEvent, Planned
from accumcheck.runfolder.layout import conductor_log, write_plan

POLL_SECONDS = 0.02

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b(: |$)")

Plan = tuple[CheckConfig, Path]
"""A resolved configuration, and an empty folder that its run may fill."""


def launch(
    plans: Sequence[Plan], on_event: OnEvent, *, python: str = sys.executable, path: Sequence[str] = ()
) -> Generator[list[Event], None, None]:
    """Run every job of the plans, one plan after the other, and pay for the imports once.

    Args:
        plans: at least one.
        on_event: called with every event as it happens.
        python: the interpreter under test.
        path: where it looks for modules first.

    Yields:
        The events of each plan, in order, as soon as it has ended; they name the files that hold the results.

    Raises:
        LaunchError: the conductor ended before it had a plan.
        KeyboardInterrupt: the user interrupted; every process has been ended before it is passed on.
    """
    for check, folder in plans:
        write_plan(folder, check)
    folders = [folder for _, folder in plans]
    log = conductor_log(folders[0])
    with _conductor(folders, log, python, path) as conductor:
        for folder in folders:
            yield _follow(folder, conductor, on_event, log)


def _follow(folder: Path, conductor: subprocess.Popen[bytes], on_event: OnEvent, log: Path) -> list[Event]:
    """Pass on the events of one plan until it has ended, or the conductor has."""
    follower = EventFollower(folder)
    events: list[Event] = []
    over = False
    while not over:
        over = conductor.poll() is not None  # asked first: what it said last is read below
        for event in follower.new():
            events.append(event)
            on_event(event)
            over = over or isinstance(event, Ended)
        if not over:
            time.sleep(POLL_SECONDS)
    if not any(isinstance(event, Planned) for event in events):
        cause = last_words(log.read_text(encoding="utf-8", errors="replace"))
        raise LaunchError(f"the run could not be started: {cause} (log: {log})")
    return events


def last_words(log: str) -> str:
    """What a Python process said of its end: the last exception, since a dump of its threads may follow it."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _EXCEPTION.match(line)]
    return (errors or lines or ["no word of why"])[-1]


@contextlib.contextmanager
def _conductor(
    folders: Sequence[Path], log: Path, python: str, path: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    searched = os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])])
    with log.open("wb") as stream:
        conductor = subprocess.Popen(
            [python, "-m", "accumcheck.launch.conductor", *map(str, folders)],
            stdin=subprocess.PIPE,  # held open: the conductor ends its group when it is closed
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **({"PYTHONPATH": searched} if searched else {})},
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

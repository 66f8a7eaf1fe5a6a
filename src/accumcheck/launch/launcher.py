"""The parent's side of a run: start the conductor, pass on events, leave no process behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

from accumcheck.as_module import module_command
from accumcheck.config.model import CheckConfig
from accumcheck.errors import LaunchError
from accumcheck.launch import early
from accumcheck.launch.endings import ending
from accumcheck.launch.importable import Importable
from accumcheck.record import Reason
from accumcheck.runfolder.events import Ended, Event, EventFollower, Finished, OnEvent, Planned
from accumcheck.runfolder.layout import write_plan
from accumcheck.runfolder.place import Place
from accumcheck.runfolder.space import EXIT_NO_SPACE, full_device, no_space
from accumcheck.stacks.registry import unused_packages

CONDUCTOR = "accumcheck.launch"
POLL_SECONDS = 0.01

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b(: |$)")


def launch(
    checks: Sequence[CheckConfig],
    place: Place,
    on_event: OnEvent,
    *,
    python: str = sys.executable,
    path: Sequence[str] = (),
    meanwhile: Callable[[], None] = lambda: None,
) -> Generator[list[Event], None, None]:
    """Run every job of some checks, one check after the other, and import torch only once.

    Args:
        checks: at least one, resolved.
        place: has a folder for each.
        on_event: called with every event as it happens.
        python: the interpreter under test.
        path: searched first for modules.
        meanwhile: called once, while the conductor imports torch.

    Yields:
        The events of each check, in order, as soon as it has ended.

    Raises:
        LaunchError: the conductor ended before it had a plan.
        OSError: nothing can be written there.
        KeyboardInterrupt: the user interrupted; it is passed on after all processes were stopped.
    """
    for number, check in enumerate(checks):
        write_plan(place.run(number), check)
    unused = unused_packages(checks)
    importable = Importable(unused, python, path)
    left_out = unused if importable.known else ()
    with leading(place, CONDUCTOR, [str(place.root), str(len(checks)), *left_out], python, path) as conductor:
        meanwhile()
        for number in range(len(checks)):
            events = follow(place.run(number), place, conductor, on_event)
            if not left_out and any(isinstance(event, Finished) and event.status == "ran" for event in events):
                importable.note()
            yield events


def follow(run: Path, place: Place, conductor: subprocess.Popen[bytes], on_event: OnEvent) -> list[Event]:
    """Pass on the events of one check until it has ended, or the conductor has; returns all of them.

    Raises:
        LaunchError: the conductor ended before it had a plan.
    """
    follower = EventFollower(run)
    events: list[Event] = []
    over = False
    while not over:
        over = conductor.poll() is not None  # checked first: its last events are read below
        for event in follower.new():
            events.append(event)
            on_event(event)
            over = over or isinstance(event, Ended)
        if not over:
            time.sleep(POLL_SECONDS)
    if any(isinstance(event, Ended) for event in events):
        return events
    cause = why_ended(conductor.wait(), place)
    plan = next((event for event in events if isinstance(event, Planned)), None)
    if plan is None:
        raise LaunchError(f"the run could not be started: {cause} (log: {place.conductor_log})")
    ended = {event.job for event in events if isinstance(event, Finished)}
    lost = [str(split) for split in plan.splits if str(split) not in ended]
    return [*events, *(Finished(job, "error", Reason("crashed", cause), 0.0) for job in lost)]


def why_ended(code: int, place: Place) -> str:
    """Why the conductor ended early, from its exit code and its last output."""
    if code == EXIT_NO_SPACE:
        return no_space(place.root)
    if full := full_device(place.root):
        return full
    if code < 0:
        return f"the conductor, which leads the run, {ending(code)}"
    if not place.conductor_log.stat().st_size:
        place.conductor_log.write_bytes(early.conductor.said())
    return last_words(place.conductor_log.read_text(encoding="utf-8", errors="replace"))


def last_words(log: str) -> str:
    """The last exception that a Python process printed; a dump of its threads may follow it."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _EXCEPTION.match(line)]
    return (errors or lines or ["no message"])[-1]


@contextlib.contextmanager
def leading(
    place: Place,
    module: str,
    arguments: Sequence[str],
    python: str,
    path: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the process that leads the runs of a place, and end its group, whatever happens.

    Args:
        place: where it writes; its standard output and standard error go to the conductor's log.
        module: is run as a program.
        arguments: its command line.
        python: the interpreter under test.
        path: where it looks for modules first.
        variables: further ones of its environment.
    """
    searched = os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "TMPDIR": str(place.scratch), **(variables or {})}
    env = {**env, "PYTHONPATH": searched} if searched else env
    with place.conductor_log.open("wb") as stream:
        order = [str(place.scratch), stream.name, *arguments]
        conductor = early.conductor.take(env, python, order) if module == CONDUCTOR else None
        if conductor is None:
            conductor = subprocess.Popen(
                module_command(python, module, arguments),
                stdin=subprocess.PIPE,  # kept open: the conductor ends its group when it is closed
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,  # its own group: Ctrl-C only reaches the parent, which ends the group
            )
    try:
        yield conductor
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(conductor.pid, signal.SIGKILL)
        conductor.wait()
        assert conductor.stdin is not None
        conductor.stdin.close()

"""A launch that stays: its conductor and fork server wait for the next check, so that the imports are paid once."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from accumcheck.config.model import CheckConfig
from accumcheck.launch.launcher import follow, leading
from accumcheck.launch.lifetime import AS_ASKED
from accumcheck.runfolder.events import Event, OnEvent
from accumcheck.runfolder.imported import NOTE_IMPORTS
from accumcheck.runfolder.layout import write_plan
from accumcheck.runfolder.place import Place


class WarmLaunch:
    """Runs one check after the other; the folder of a run is removed when the next one begins."""

    def __init__(self, place: Place, conductor: subprocess.Popen[bytes]) -> None:
        self._place, self._conductor = place, conductor
        self._next = 0

    @property
    def is_alive(self) -> bool:
        """Whether another check can be run; if not, a new launch is needed."""
        return self._conductor.poll() is None

    def run(self, check: CheckConfig, on_event: OnEvent) -> tuple[Path, list[Event]]:
        """Run a check to its end.

        Args:
            check: the resolved configuration.
            on_event: called with every event as it happens.

        Returns:
            The run's folder, and all its events.

        Raises:
            LaunchError: the conductor ended before it had a plan.
            OSError: nothing can be written there.
        """
        number, run = self._next, self._place.run(self._next)
        self._next += 1
        if number:
            shutil.rmtree(self._place.run(number - 1), ignore_errors=True)
            self._place.kept.clear()
        run.mkdir(exist_ok=True)
        write_plan(run, check)
        assert self._conductor.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: the reason is found below
            self._conductor.stdin.write(f"{number}\n".encode())
            self._conductor.stdin.flush()
        return run, follow(run, self._place, self._conductor, on_event)


@contextlib.contextmanager
def warm_launch(first: CheckConfig, place: Place, *, python: str) -> Iterator[WarmLaunch]:
    """Start a conductor that waits for checks, and end it with every process, whatever happens.

    Args:
        first: what will be run first: its stack and its model are imported at once.
        place: where it writes; its workers note what they import (`accumcheck.runfolder.imported`).
        python: the interpreter under test.
    """
    place.run(0).mkdir(exist_ok=True)
    write_plan(place.run(0), first)
    variables = {NOTE_IMPORTS: "1"}
    with leading(place, "accumcheck.launch", [str(place.root), AS_ASKED], python, variables=variables) as conductor:
        yield WarmLaunch(place, conductor)

"""The process that runs a survey: ``python -m accumcheck.survey.server ROOT``.

It imports torch, transformers and every modeling module once. Each class is then checked in its own forked process and
process group. If one crashes, hangs or takes too much memory, the others are not affected, and nothing of it is left.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from accumcheck.launch.devices import detect
from accumcheck.launch.endings import ending
from accumcheck.launch.environment import describe_environment
from accumcheck.launch.lifetime import Lifetime
from accumcheck.launch.variables import set_environment
from accumcheck.record import Environment, Reason
from accumcheck.runfolder.place import Place
from accumcheck.survey.asked import Asked, Head, check_of
from accumcheck.survey.wire import ClassEnded, Found, read_asked, tell
from accumcheck.work.end_with_parent import end_with_parent

BACKEND = "gloo"
_POLL_SECONDS = 0.01
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Running:
    """A class whose check is running."""

    number: int
    started: float


def main() -> NoReturn:
    """Run the survey that is requested in the folder given as argument, and exit with 0."""
    place = Place(Path(sys.argv[1]), Path(os.environ["TMPDIR"]))
    lifetime = Lifetime(place)
    lifetime.end_with_parent()
    set_environment(place.root)
    asked = read_asked(place.root)
    try:
        _survey(place, asked)
    except OSError as error:
        lifetime.fail(error)
    except Exception:
        traceback.print_exc()  # the parent reads this; Python's normal exit would wait for the thread that watches it
        sys.stderr.flush()
        os._exit(1)
    lifetime.end()


def _survey(place: Place, asked: Asked) -> None:
    from accumcheck.work.preload import preload
    from accumcheck.work.uncollected import uncollected

    preload()
    with uncollected():
        from accumcheck.survey.heads import find_heads

        environment = describe_environment("trainer", detect("cpu"), BACKEND)
        known = set(asked.skip)
        heads = [head for head in find_heads(asked) if head.name not in known]
    tell(place.root, Found(tuple(heads), environment))
    _check_all(place, asked, heads, environment)


def _check_all(place: Place, asked: Asked, heads: list[Head], environment: Environment) -> None:
    """Check the classes, as many in parallel as there are jobs, until all have ended."""
    running: dict[int, Running] = {}
    waiting = list(enumerate(heads))
    while waiting or running:
        while waiting and len(running) < asked.jobs:
            number, head = waiting.pop(0)
            running[_start(place, asked, number, head, environment)] = Running(number, time.monotonic())
        time.sleep(_POLL_SECONDS)
        for pid, one in list(running.items()):
            seconds = time.monotonic() - one.started
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended and seconds <= asked.timeout:
                continue
            _end_group(pid)
            reason = _reason(os.waitstatus_to_exitcode(status)) if ended else _hung(asked)
            if not ended:
                os.waitpid(pid, 0)
            del running[pid]
            tell(place.root, ClassEnded(one.number, round(seconds, 3), reason))


def _reason(code: int) -> Reason | None:
    return Reason("crashed", f"its process {ending(code)}") if code else None


def _hung(asked: Asked) -> Reason:
    return Reason("hung", f"not finished after {asked.timeout:g} s (--timeout)")


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _start(place: Place, asked: Asked, number: int, head: Head, environment: Environment) -> int:
    """Fork the process of a class. Returns its id, which is also the id of its group."""
    from accumcheck.survey.one import forked, run_class

    run = place.run(number)
    run.mkdir()
    check = check_of(head, asked.splits, asked.timeout)

    def work() -> None:
        os.setpgid(0, 0)
        end_with_parent()
        _limit_memory(asked.memory)
        with (run / "log").open("wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        run_class(run, check, environment)

    pid = forked(work)
    with contextlib.suppress(OSError):  # both processes do this; one comes first
        os.setpgid(pid, pid)
    return pid


def _limit_memory(gib: float) -> None:
    """Limit the memory of this process and its forks, in addition to the imports, if the system supports it."""
    taken = 0
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmData:"):
                taken = int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError):
        limit = taken + int(gib * _GIB)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    main()

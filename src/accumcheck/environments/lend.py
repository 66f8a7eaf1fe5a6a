"""Lend the interpreters of environments. They are taken from the cache or built, several in parallel."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from accumcheck.environments.build import build, differences, python_in
from accumcheck.environments.lock import Lock
from accumcheck.environments.overlay import Base
from accumcheck.environments.processes import Processes, StoppedError
from accumcheck.environments.recipes import recipes_for
from accumcheck.environments.request import Request
from accumcheck.environments.shelf import Shelf
from accumcheck.environments.stamp import BrokenStampError, read_stamp
from accumcheck.errors import LaunchError

AT_ONCE = 4
"""The number of environments built in parallel: most of a build waits for the index and the disk."""
_POLL_SECONDS = 0.2

Say = Callable[[str], None]


@contextlib.contextmanager
def environments(
    requests: Sequence[Request | None], *, say: Say | None = None, shelf: Shelf | None = None
) -> Iterator[list[str]]:
    """Lend the interpreter for each request while the block runs. Meanwhile none of them can be pruned.

    Each environment is taken from the cache, or built if it is not there. If another process is building it, this one
    waits. A build that ends early by an exception, Ctrl-C or a kill leaves nothing that looks like an environment.

    Args:
        requests: the requests; None means accumcheck's own environment.
        say: called from several threads with one line on what is being done.
        shelf: the cache; default: the user's cache.

    Yields:
        The interpreters, in the order of the requests.

    Raises:
        ConfigError: there is no such release (the text names the nearest), the releases conflict, or another user
            could have written to the cache.
        LaunchError: the index could not be reached, or an environment could not be built.
        KeyboardInterrupt: passed on after every process has been ended.
    """
    shelf, processes = shelf or Shelf(), Processes()
    if any(requests):
        shelf.check()
    with contextlib.ExitStack() as held:
        # the first of several equal requests does the work for all
        distinct = list(dict.fromkeys(request for request in requests if request is not None))
        base = Base.here() if distinct else None
        pool = held.enter_context(ThreadPoolExecutor(AT_ONCE, thread_name_prefix="environment"))
        work: dict[Request, Future[Path]] = {}
        try:
            for request in distinct:
                assert base is not None
                lock = held.enter_context(_lock(shelf, _place(shelf, request, base)))
                work[request] = pool.submit(_obtain, request, base, shelf, lock, processes, say or _quietly)
            wait(work.values(), return_when=FIRST_EXCEPTION)
        finally:
            if not all(future.done() and future.exception() is None for future in work.values()):
                processes.stop()  # the other builds are of no use without this one, and leave nothing behind
                wait(work.values())
        for future in work.values():
            if (error := future.exception()) is not None and not isinstance(error, StoppedError):
                raise _named(error, shelf) from error
        yield [sys.executable if request is None else str(work[request].result()) for request in requests]


def _obtain(request: Request, base: Base, shelf: Shelf, lock: Lock, processes: Processes, say: Say) -> Path:
    """The interpreter for one request. When this returns, ``lock`` is held for use."""
    place = _place(shelf, request, base)
    waiting = False

    def wait_for_others() -> None:
        nonlocal waiting
        if not waiting:
            say(f"{request}: waiting for another run that builds it")
        waiting = True
        processes.pause(_POLL_SECONDS)

    while True:
        lock.wait_for(lock.try_use, wait_for_others)
        if _is_sound(request, place, shelf, processes):
            shelf.used(place)
            return python_in(place)
        if not lock.try_own():  # the lock is lost then, and another process may build it before this one holds it again
            wait_for_others()
            continue
        # another process may have built it between the two locks, so look again with the exclusive lock
        if not _is_sound(request, place, shelf, processes):
            with shelf.building(place) as folder:
                found = build(request, base, folder, processes, lambda phase: say(f"{request}: {phase}"))
                shelf.stamp(folder, found)


def _place(shelf: Shelf, request: Request, base: Base) -> Path:
    """The folder of the environment. It changes if the recipe for installing its packages changes."""
    recipes = [repr(recipe) for recipe in recipes_for(request.pins)]
    return shelf.place(request, {**base.recipe(), **({"recipes": recipes} if recipes else {})})


def _lock(shelf: Shelf, place: Path) -> Lock:
    try:
        return shelf.lock(place)
    except OSError as error:
        raise _named(error, shelf) from error


def _named(error: BaseException, shelf: Shelf) -> BaseException:
    """An error of the disk as a message; any other error as it is."""
    if not isinstance(error, OSError):
        return error
    return LaunchError(
        f"environments cannot be kept in {shelf.folder}: {error.strerror or error}; "
        "set ACCUMCHECK_CACHE to another folder"
    )


def _is_sound(request: Request, place: Path, shelf: Shelf, processes: Processes) -> bool:
    """Whether the environment exists and imports its releases. The Python below it may have been removed.

    Raises:
        ConfigError: another user could have written to it.
    """
    shelf.check_place(place)
    if place.is_symlink() or not python_in(place).exists():
        return False
    try:
        read_stamp(place)
    except BrokenStampError:
        return False
    return not differences(request, python_in(place), processes)


def _quietly(_: str) -> None:
    """Ignore the message."""

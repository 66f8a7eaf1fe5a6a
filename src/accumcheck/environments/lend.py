"""Lend the interpreters of environments: found on the shelf, or built, several side by side."""

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
"""Environments built side by side: most of a build is waiting for the index and the disk."""
_POLL_SECONDS = 0.2

Say = Callable[[str], None]


@contextlib.contextmanager
def environments(
    requests: Sequence[Request | None], *, say: Say | None = None, shelf: Shelf | None = None
) -> Iterator[list[str]]:
    """Lend the interpreter for each request, for as long as the block runs.

    Until then none of them can be pruned. Each is looked up on the shelf and built where it is not there; while
    another process builds it, this one waits. A build that ends early, by an exception, Ctrl-C or a kill, leaves
    nothing that could be taken for an environment.

    Args:
        requests: None stands for the environment that accumcheck runs in.
        say: called, from several threads, with what is being done, in one line.
        shelf: the per-user cache unless given.

    Yields:
        The interpreters, in the order of the requests.

    Raises:
        ConfigError: there is no such release (the text names the nearest), releases do not go together, or the cache is
            not this user's alone.
        LaunchError: the index could not be reached, or an environment could not be built.
        KeyboardInterrupt: passed on when every process has been ended.
    """
    shelf, processes = shelf or Shelf(), Processes()
    if any(requests):
        shelf.check()
    with contextlib.ExitStack() as held:
        # the first of equal requests does the work for all of them
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
                processes.stop()  # the others are of no use alone; nothing of theirs is left behind
                wait(work.values())
        for future in work.values():
            if (error := future.exception()) is not None and not isinstance(error, StoppedError):
                raise _named(error, shelf) from error
        yield [sys.executable if request is None else str(work[request].result()) for request in requests]


def _obtain(request: Request, base: Base, shelf: Shelf, lock: Lock, processes: Processes, say: Say) -> Path:
    """The interpreter for one request; when this returns, ``lock`` is held for use."""
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
        if not lock.try_own():  # the lock is lost then, and another may have built it before this one holds it again
            wait_for_others()
            continue
        # between the two locks another may have built it, so look again when it is held alone
        if not _is_sound(request, place, shelf, processes):
            with shelf.building(place) as folder:
                found = build(request, base, folder, processes, lambda phase: say(f"{request}: {phase}"))
                shelf.stamp(folder, found)


def _place(shelf: Shelf, request: Request, base: Base) -> Path:
    """Where the environment stands; another one once the way to install its packages has changed."""
    recipes = [repr(recipe) for recipe in recipes_for(request.pins)]
    return shelf.place(request, {**base.recipe(), **({"recipes": recipes} if recipes else {})})


def _lock(shelf: Shelf, place: Path) -> Lock:
    try:
        return shelf.lock(place)
    except OSError as error:
        raise _named(error, shelf) from error


def _named(error: BaseException, shelf: Shelf) -> BaseException:
    """A disk's error as a message; any other error as it is."""
    if not isinstance(error, OSError):
        return error
    return LaunchError(
        f"environments cannot be kept in {shelf.folder}: {error.strerror or error}; "
        "name another folder with ACCUMCHECK_CACHE"
    )


def _is_sound(request: Request, place: Path, shelf: Shelf, processes: Processes) -> bool:
    """Whether the environment is there and finds its releases: the Python below it may have gone since.

    Raises:
        ConfigError: another user could have written it.
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
    """Nobody listens."""

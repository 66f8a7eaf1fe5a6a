"""A copy of a process, made before its program starts: it can run the program once more, under another split."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeAlias

from accumcheck.record import Split
from accumcheck.work.end_with_parent import end_with_parent

Again: TypeAlias = Callable[[Split], bool]
"""Runs the program under a split; returns whether it trained to its end. Once only."""

_NOTHING = b"\n"
_DONE = b"y"


@contextlib.contextmanager
def second_run(run: Callable[[Split], None]) -> Iterator[Again]:
    """Keep a copy of this process, for a program that leaves a process changed: it cannot be run in it twice.

    Args:
        run: called in the copy, with the split that it is asked for.
    """
    (question, ask), (hear, answer) = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which hold nothing yet
        child = os.fork()
    if child == 0:
        _answer(question, answer, run)
    os.close(question)
    os.close(answer)

    def again(split: Split) -> bool:
        os.write(ask, f"{split}\n".encode())
        return os.read(hear, 1) == _DONE

    try:
        yield again
    finally:
        with contextlib.suppress(OSError):  # it has ended
            os.write(ask, _NOTHING)
        os.close(ask)
        os.close(hear)
        with contextlib.suppress(ChildProcessError):  # reaped by the program
            os.waitpid(child, 0)


def _answer(question: int, answer: int, run: Callable[[Split], None]) -> NoReturn:
    """Wait for a split, run the program under it, and end, whatever happens."""
    try:
        end_with_parent()
        asked = os.read(question, 64)
        if asked not in (b"", _NOTHING):
            run(Split.parse(asked.split()[0].decode()))
            os.write(answer, _DONE)
    except BaseException:  # the program may raise anything; the log says what
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)

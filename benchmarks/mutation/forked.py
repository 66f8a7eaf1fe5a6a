"""Call a function under a mutant in a forked process, so that imports are made only once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

TIMEOUT = 90.0


def forked(mutant: str, do: Callable[[], str]) -> str:
    """The result of ``do`` under a mutant; the exception if it raises; ``timeout`` if it does not end.

    The caller must have imported what ``do`` needs.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        said = "crash"
        try:
            said = _do(mutant, do)
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + TIMEOUT
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(reader)
            return "timeout"
        time.sleep(0.02)
    with os.fdopen(reader) as stream:
        return stream.read()


def _do(mutant: str, do: Callable[[], str]) -> str:
    import torch

    from mutation.mutants import apply

    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        if mutant != "none":
            apply(mutant)
        return do()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]

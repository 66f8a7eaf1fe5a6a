"""Starts a program with standard streams that are gone, full or closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Stream = Literal["kept", "gone", "full", "closed"]
"""Captured; a pipe whose reader has left; a full disk; not there at all."""

_CLOSE = 'for one in $CLOSED; do eval "exec $one"; done; exec "$@"'


@dataclass(frozen=True)
class State:
    """What the standard streams of a process are."""

    out: Stream = "kept"
    err: Stream = "kept"
    stdin_closed: bool = False

    def __str__(self) -> str:
        return f"out {self.out}, err {self.err}" + (", in closed" if self.stdin_closed else "")


WHOLE = State()
STATES = (
    State(out="gone", err="full"),
    State(out="full", err="closed"),
    State(out="closed", err="gone", stdin_closed=True),
)
"""Both streams in every state that is bad."""


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what arrived of what it said."""

    code: int
    out: str
    err: str


def python(*arguments: str | Path) -> list[str]:
    return [sys.executable, *map(str, arguments)]


def run(command: Sequence[str], state: State = WHOLE, *, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end under ``state``."""
    closed = [
        *(["<&-"] if state.stdin_closed else []),
        *([">&-"] if state.out == "closed" else []),
        *(["2>&-"] if state.err == "closed" else []),
    ]
    opened: dict[str, int] = {one: _open(one) for one in ("gone", "full") if one in (state.out, state.err)}
    try:
        done = subprocess.run(
            ["bash", "-c", _CLOSE, "bash", *command] if closed else list(command),
            stdin=subprocess.DEVNULL,
            stdout=opened.get(state.out, subprocess.PIPE),
            stderr=opened.get(state.err, subprocess.PIPE),
            cwd=cwd,
            env={**os.environ, **(env or {}), "CLOSED": " ".join(closed)},
            timeout=120,
            check=False,
        )
    finally:
        for descriptor in opened.values():
            os.close(descriptor)
    return Ended(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


def _open(what: str) -> int:
    if what == "full":
        return os.open("/dev/full", os.O_WRONLY)
    reading, writing = os.pipe()
    os.close(reading)
    return writing

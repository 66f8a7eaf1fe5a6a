"""A conductor that is started with the program and imports torch while the program reads its configuration.

It waits at its standard input for what it is to lead. If nothing comes, because the configuration is wrong or the run
needs another interpreter, it is ended; if the program dies, it ends by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from accumcheck.as_module import module_command

EARLY = "early"
"""In place of the conductor's arguments: they will come at its standard input."""
_OTHERWISE = ("-h", "--help", "--transformers", "--with")
"""Options with which ``run`` starts no conductor, or one with another interpreter."""


class EarlyConductor:
    """The process, from its start until it is used or ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: dict[str, str] = {}

    def start(self, arguments: Sequence[str]) -> None:
        """Start it, if the command line of the program is that of a run with this interpreter.

        Args:
            arguments: without the program's name.
        """
        if arguments[:1] != ["run"] or any(one.partition("=")[0] in _OTHERWISE for one in arguments):
            return
        self._environment = dict(os.environ)
        self._process = subprocess.Popen(
            module_command(sys.executable, "accumcheck.launch", [EARLY]),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def take(self, environment: dict[str, str], python: str, order: Sequence[str]) -> subprocess.Popen[bytes] | None:
        """Give it something to lead; from now on it is the caller's. None if there is none, or it does not fit.

        Args:
            environment: which the conductor must have, apart from ``TMPDIR``.
            python: the interpreter under test.
            order: see `take_order`.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        same = {**environment, "TMPDIR": ""} == {**self._environment, "TMPDIR": ""}
        try:
            if same and python == sys.executable and process.poll() is None:
                assert process.stdin is not None
                process.stdin.write("\0".join(order).encode() + b"\n")
                process.stdin.flush()
                return process
        except OSError:  # it has just ended
            pass
        _end(process)
        return None

    def end(self) -> None:
        """End it, if it was not used."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)


conductor = EarlyConductor()
"""Of this process."""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # it has no children before it is used
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def take_order(stream: IO[bytes]) -> list[str]:
    """Wait for what this process is to lead, in the process itself; its output goes to the log from then on.

    Args:
        stream: its standard input.

    Returns:
        The arguments of ``accumcheck.launch``.

    Raises:
        SystemExit: the program has ended.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise SystemExit
    scratch, log, *arguments = line[:-1].decode().split("\0")
    os.environ["TMPDIR"] = scratch
    tempfile.tempdir = None  # what has been found before
    with Path(log).open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    return arguments

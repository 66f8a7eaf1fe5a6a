"""A conductor that is started with the program and imports torch while the program reads its configuration.

It waits at its standard input for what it is to lead. If nothing comes, because the configuration is wrong or the run
needs another interpreter, it is ended; if the program dies, it ends as well, and removes what a run has written.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from accumcheck.as_module import module_command
from accumcheck.runfolder.place import Place
from accumcheck.work.end_with_parent import end_with_parent

EARLY = "early"
"""The first argument of a conductor that reads its arguments from its standard input; then the program's id follows."""
_STARTS_NONE = ("-h", "--help", "--transformers", "--with")
"""Options with which ``run`` starts no conductor, or one with another interpreter."""
_LENGTH = 8
"""Bytes of the length that comes before an order."""
_PROGRAM_DIED = signal.SIGUSR1
_STDIN = 0


class EarlyConductor:
    """The process, from its start until it is used or ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: dict[str, str] = {}
        self._said: IO[bytes] | None = None

    def start(self, arguments: Sequence[str]) -> None:
        """Start it, if the command line of the program is that of a run with this interpreter, and if it can be.

        Args:
            arguments: without the program's name.
        """
        options = {one.partition("=")[0] for one in arguments}
        if arguments[:1] != ["run"] or not options.isdisjoint(_STARTS_NONE) or not sys.executable:
            return
        self._environment = dict(os.environ)
        with contextlib.suppress(OSError):  # the run will try again, and say what is wrong
            self._said = tempfile.TemporaryFile()  # noqa: SIM115  it is read when the process has ended
            self._process = subprocess.Popen(
                module_command(sys.executable, "accumcheck.launch", [EARLY, str(os.getpid())]),
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def take(self, environment: dict[str, str], python: str, order: Sequence[str]) -> subprocess.Popen[bytes] | None:
        """Give it something to lead: then it belongs to the caller. None if there is none, or it does not fit.

        Args:
            environment: which the conductor must have, apart from ``TMPDIR``.
            python: the interpreter under test.
            order: its temporary folder, its log, and the arguments of ``accumcheck.launch``.
        """
        process = self._process
        if process is None:
            return None
        same = {**environment, "TMPDIR": ""} == {**self._environment, "TMPDIR": ""}
        if same and python == sys.executable and process.poll() is None:
            with contextlib.suppress(OSError):  # it has just ended
                assert process.stdin is not None
                text = b"\0".join(map(os.fsencode, order))
                process.stdin.write(len(text).to_bytes(_LENGTH, "big") + text)
                process.stdin.flush()
                self._process = None
                return process
        self.end()
        return None

    def said(self) -> bytes:
        """What the process has printed before it took its order."""
        if self._said is None:
            return b""
        self._said.seek(0)
        return self._said.read()

    def end(self) -> None:
        """End it, if it was not used, and forget what it has said."""
        said, self._said = self._said, None
        if said is not None:
            said.close()
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with contextlib.suppress(OSError):  # what could not be written is written again
            assert process.stdin is not None
            process.stdin.close()


conductor = EarlyConductor()
"""Of this process."""


class AwaitedOrder:
    """In the process itself: the order that the program will write to its standard input.

    Until it is taken, the process ends with the program, and removes the files of a run that was ordered meanwhile.

    Args:
        program: the program's process id.
    """

    def __init__(self, program: int) -> None:
        self._program = program
        self._before = signal.signal(_PROGRAM_DIED, self._on_death)
        end_with_parent(_PROGRAM_DIED)
        if os.getppid() != program:  # it had died before
            self._end()

    def take(self) -> list[str]:
        """Wait for the order; the output goes to the log from then on.

        Returns:
            The arguments of ``accumcheck.launch``.

        Raises:
            SystemExit: the program has ended.
        """
        end_with_parent(0)  # from now on its pipe tells
        signal.signal(_PROGRAM_DIED, self._before)
        if (parts := _read()) is None:
            raise SystemExit
        scratch, log, *arguments = parts
        os.environ["TMPDIR"] = scratch
        tempfile.tempdir = None  # what has been found before
        with Path(log).open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        return arguments

    def _on_death(self, *_: object) -> None:
        if os.getppid() != self._program:  # else the signal came from somebody else
            self._end()

    @staticmethod
    def _end() -> None:
        try:
            if (parts := _read()) is not None:
                scratch, _log, root, *_arguments = parts
                Place(Path(root), Path(scratch)).remove()
        finally:
            os._exit(1)


def _read() -> list[str] | None:
    """Read the parts of the order from standard input, without a buffer; None if it ends before there is one."""
    text = _read_bytes(int.from_bytes(_read_bytes(_LENGTH), "big"))
    return [os.fsdecode(part) for part in text.split(b"\0")] if text else None


def _read_bytes(count: int) -> bytes:
    found = b""
    while len(found) < count and (part := os.read(_STDIN, count - len(found))):
        found += part
    return found

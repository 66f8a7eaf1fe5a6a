"""The standard streams of the program: output that cannot be written is dropped, and the exit code says so at the end.

No command needs to guard its output. Below Python's text and buffer layers, writing never fails here: if the reader of
a pipe has left, the disk is full or the terminal is gone, the run goes on. Python's own flush at exit, which would end
the program with code 120, has nothing left that could fail.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys

TYPE_CHECKING = False  # typing is not imported here: it would delay the moment from which signals are handled
if TYPE_CHECKING:
    from typing import IO

STDIN, STDOUT, STDERR = 0, 1, 2


class Sink(io.RawIOBase):
    """Writes to a descriptor; after the first error it drops everything.

    Attributes:
        lost: why something could not be written, or None.
    """

    def __init__(self, descriptor: int, *, absent: bool = False) -> None:
        """``absent``: the program was started without this stream; nothing may be written to the descriptor."""
        super().__init__()
        self._descriptor = descriptor
        self._absent = absent
        self.lost: OSError | None = None

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def fileno(self) -> int:
        """See `io.IOBase`."""
        return self._descriptor

    def isatty(self) -> bool:
        """See `io.IOBase`."""
        return not self._absent and os.isatty(self._descriptor)

    def write(self, data) -> int:  # type: ignore[no-untyped-def]  # any buffer, which Python 3.10 has no type for
        """Write some of the bytes, or drop all of them; never raises OSError."""
        if self.lost is None:
            try:
                return self._write(data)
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes

    def settle(self) -> None:
        """Detect an error that the system reports only when a file is closed, as on network disks."""
        if self.lost is None and not self._absent:
            try:
                os.close(os.dup(self._descriptor))
            except OSError as error:
                self.lost = error

    def _write(self, data) -> int:  # type: ignore[no-untyped-def]
        if self._absent:
            raise OSError(errno.EBADF, "it is closed")
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # another process has made a shared pipe or terminal non-blocking
                select.select([], [self._descriptor], [])


class StandardStreams:
    """Puts `Sink` under standard output and standard error.

    A stream that is not the process's own, such as pytest's capture, is left alone.
    """

    def __init__(self) -> None:
        self._before: tuple[IO[str] | None, IO[str] | None] | None = None
        self._out: Sink | None = None
        self._err: Sink | None = None

    def take(self) -> None:
        """Replace ``sys.stdout`` and ``sys.stderr``; occupy the descriptors 0 to 2 that are absent."""
        _occupy_descriptors()
        self._before = sys.stdout, sys.stderr
        if sys.stdout is sys.__stdout__:
            self._out = Sink(STDOUT, absent=sys.stdout is None)
            sys.stdout = text_stream(self._out, sys.stdout)
        if sys.stderr is sys.__stderr__:
            self._err = Sink(STDERR, absent=sys.stderr is None)
            sys.stderr = text_stream(self._err, sys.stderr)

    def give_back(self) -> None:
        """Undo `take`."""
        if self._before is not None:
            _flush()
            sys.stdout, sys.stderr = self._before
            self._before = None

    def settle(self) -> tuple[OSError | None, OSError | None]:
        """Write what is still buffered.

        Returns:
            Why something printed on standard output, and on standard error, did not arrive there, or None.
        """
        _flush()
        out, err = (_settled(sink) for sink in (self._out, self._err))
        return out, err


def _settled(sink: Sink | None) -> OSError | None:
    if sink is None:
        return None
    sink.settle()
    return sink.lost


def text_stream(sink: Sink, like: IO[str] | None) -> IO[str]:
    """A text stream over ``sink`` with the encoding and buffering of ``like``.

    A character missing in the encoding is written as an escape: printing a name with odd characters is not an error.
    """
    errors = getattr(like, "errors", None)
    return io.TextIOWrapper(
        io.BufferedWriter(sink),
        encoding=getattr(like, "encoding", None) or "utf-8",
        errors="backslashreplace" if errors in (None, "strict", "surrogateescape") else errors,
        newline="\n",
        line_buffering=getattr(like, "line_buffering", True),
        write_through=getattr(like, "write_through", False),
    )


def _occupy_descriptors() -> None:
    """Open /dev/null at each of 0, 1 and 2 that is closed.

    Otherwise the next opened file would get that number, and a child process's output would end up in it.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            os.set_inheritable(descriptor, True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()

"""The program from its first line to its exit code. Imports next to nothing, so that signals are handled early."""

from __future__ import annotations

import gc
import os
import sys

from accumcheck.cli.codes import INTERRUPTED, UNDECIDED, without_pass
from accumcheck.cli.signals import Signals
from accumcheck.cli.streams import StandardStreams

TYPE_CHECKING = False  # typing is not imported here: it would delay the moment from which signals are handled
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    It never raises, whatever happens to the standard streams, by a signal, or inside accumcheck itself,
    and the code is never 0 unless the check passed, nor 1 unless a split diverged.

    Args:
        argv: the arguments. None: those of this process, whose signals and standard streams then stay as set here
            until it ends; otherwise they are restored.
    """
    signals, streams = Signals(starting=argv is None), StandardStreams()
    try:
        signals.take()
        streams.take()
        from accumcheck.redaction import redacted_streams

        with redacted_streams():
            code = _guarded(argv, signals)
        # An `eval` that was interrupted, such as namedtuple's, leaves a mark with which Python would end itself by
        # SIGINT, not with our exit code; the next one clears it (CPython, Python/pythonrun.c: run_eval_code_obj).
        eval("None")
        return _arrived(code, streams)
    finally:
        if argv is not None:
            streams.give_back()
            signals.give_back()
        else:
            gc.freeze()  # what will be gone with the process need not be searched for garbage first


def _guarded(argv: Sequence[str] | None, signals: Signals) -> int:
    """The exit code of the commands, of an interruption, or of a bug in accumcheck."""
    # Before numpy is imported: the judge then rounds the same on every machine, as workers do under torchrun's default,
    # and on a busy machine the threads of a matrix product do not wait for each other longer than it takes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        from accumcheck.launch.early import conductor

        try:
            if argv is None:
                conductor.start(sys.argv[1:])
            from accumcheck.cli.app import execute

            signals.started()
            code = execute(argv)
            signals.over()
            return code
        finally:
            conductor.end()
    except KeyboardInterrupt:
        signals.over()
        print("accumcheck: interrupted; all processes were stopped", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BaseException:
        _tell_fault()
        return UNDECIDED


def _tell_fault() -> None:
    try:
        import traceback

        traceback.print_exc()
        print("accumcheck: this is a bug in accumcheck; there is no verdict", file=sys.stderr)  # noqa: T201
    except BaseException:  # for example out of memory again: the exit code must still be that of a bug
        return


def _arrived(code: int, streams: StandardStreams) -> int:
    """The exit code, depending on whether everything arrived that was printed on the two streams."""
    out, err = streams.settle()
    if out is None:
        return code if err is None else without_pass(code)
    ends = without_pass(code)
    said = f"standard output could not be written: {out.strerror}; what was printed there is incomplete"
    print(f"accumcheck: {said} (exit code {ends})", file=sys.stderr)  # noqa: T201
    return ends

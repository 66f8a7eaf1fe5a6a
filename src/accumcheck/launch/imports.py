"""Whether packages can be imported. This is tried in a separate process.

transformers and TRL import lazily and wrap import errors in their own: the innermost error is reported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from accumcheck.as_module import module_command
from accumcheck.launch.endings import ending
from accumcheck.record import Reason
from accumcheck.runfolder.failures import reason_of

TIMEOUT = 300.0
"""Seconds."""


def import_faults(modules: Mapping[str, Sequence[str]], python: str = sys.executable) -> dict[str, str]:
    """The reasons why packages cannot be imported, one line each; packages that can be imported are left out.

    Args:
        modules: the modules that a run imports, by package.
        python: the interpreter of the environment.
    """
    with being_imported(modules, python) as faults:
        return {name: reason.text for name, reason in faults().items()}


@contextlib.contextmanager
def being_imported(
    modules: Mapping[str, Sequence[str]],
    python: str,
    environment: Mapping[str, str] | None = None,
    *,
    installed: bool = False,
) -> Iterator[Callable[[], dict[str, Reason]]]:
    """Start to import packages, while something else is done. What is still running at the end is ended.

    Args:
        modules: the modules that are tried, by package.
        python: the interpreter of the environment.
        environment: its variables; None: those of this process.
        installed: leave out packages that Python does not find.

    Yields:
        What waits for the end, at most until `TIMEOUT` after the start, and returns why packages cannot be imported.
    """
    deadline = time.monotonic() + TIMEOUT
    asked = json.dumps({name: list(of) for name, of in modules.items()})
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            module_command(python, "accumcheck.launch.imports", [asked, *(["installed"] if installed else [])]),
            stdin=subprocess.PIPE,  # kept open: the process ends when it is closed
            stdout=said,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # its own group: Ctrl-C only reaches the parent, which ends the group
        )

        @cache
        def faults() -> dict[str, Reason]:
            try:
                code = process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                return dict.fromkeys(modules, Reason("hung", f"not imported within {TIMEOUT:.0f} s"))
            said.seek(0)
            return _read(said.read().decode(errors="replace"), modules, code)

        try:
            yield faults
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


_MARK = "accumcheck import: "
"""Starts our own lines: packages print when they are imported."""


def _read(said: str, modules: Mapping[str, Sequence[str]], code: int) -> dict[str, Reason]:
    found: dict[str, Reason | None] = {}
    for line in said.splitlines():
        if line.startswith(_MARK):
            name, kind, text, *traceback = json.loads(line.removeprefix(_MARK))
            found[name] = Reason(kind, text, tuple(traceback)) if text else None
    for name in modules:  # the process ended before it tried this one
        found.setdefault(name, Reason("crashed", f"the process that imported it {ending(code)}"))
    return {name: reason for name, reason in found.items() if reason is not None}


def _try_all(modules: Mapping[str, Sequence[str]], *, installed: bool) -> None:
    for name, of in modules.items():
        told = [name, "", ""]
        try:
            if not installed or importlib.util.find_spec(name) is not None:
                for module in of:
                    importlib.import_module(module)
        except Exception as error:
            reason = reason_of(error, Path(tempfile.gettempdir()))
            told = [name, reason.kind, reason.text, *reason.traceback]
        print(f"{_MARK}{json.dumps(told)}", flush=True)  # noqa: T201


def _end_with_parent() -> None:
    """When the parent closes its end of standard input, or dies."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _try_all(json.loads(sys.argv[1]), installed="installed" in sys.argv[2:])
    sys.stdout.flush()
    os._exit(0)  # without waiting for what packages have started

"""Whether packages can be imported. This is tried in a separate process.

transformers and TRL import lazily and wrap import errors in their own: the innermost error is reported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from accumcheck.as_module import module_command
from accumcheck.launch.endings import ending
from accumcheck.runfolder.failures import describe
from accumcheck.work.end_with_parent import end_with_parent

TIMEOUT = 300.0
"""Seconds."""


def import_faults(modules: Mapping[str, Sequence[str]], python: str = sys.executable) -> dict[str, str]:
    """The reasons why packages cannot be imported, one line each; packages that can be imported are left out.

    Args:
        modules: the modules that a run imports, by package.
        python: the interpreter of the environment.
    """
    with being_imported(modules, python) as faults:
        return faults()


@contextlib.contextmanager
def being_imported(
    modules: Mapping[str, Sequence[str]],
    python: str,
    environment: Mapping[str, str] | None = None,
    *,
    installed: bool = False,
) -> Iterator[Callable[[], dict[str, str]]]:
    """Start to import packages, while something else is done. What is still running at the end is ended.

    Args:
        modules: the modules that are tried, by package.
        python: the interpreter of the environment.
        environment: its variables; None: those of this process.
        installed: leave out packages that are not installed, as transformers does: it asks for their release.

    Yields:
        What waits for the end and returns the reasons why packages cannot be imported, see `import_faults`.
    """
    asked = json.dumps({name: list(of) for name, of in modules.items()})
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            module_command(python, "accumcheck.launch.imports", [asked, *(["installed"] if installed else [])]),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C only reaches the parent
        )

        @cache
        def faults() -> dict[str, str]:
            try:
                code = process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                return dict.fromkeys(modules, f"not imported within {TIMEOUT:.0f} s")
            said.seek(0)
            return _read(said.read().decode(errors="replace"), modules, code)

        try:
            yield faults
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()


_MARK = "accumcheck import: "
"""Starts our own lines: packages print when they are imported."""


def _read(said: str, modules: Mapping[str, Sequence[str]], code: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in said.splitlines():
        if line.startswith(_MARK):
            found.update(json.loads(line.removeprefix(_MARK)))
    for name in modules:  # the process ended before it tried this one
        found.setdefault(name, f"the process that imported it {ending(code)}")
    return {name: why for name, why in found.items() if why}


def _try_all(modules: Mapping[str, Sequence[str]], *, installed: bool) -> None:
    for name, of in modules.items():
        why = ""
        if not installed or _is_installed(name):
            try:
                for module in of:
                    importlib.import_module(module)
            except Exception as error:
                why = describe(error)
        print(f"{_MARK}{json.dumps({name: why})}", flush=True)  # noqa: T201


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package)) and importlib.util.find_spec(package) is not None
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    end_with_parent()
    _try_all(json.loads(sys.argv[1]), installed="installed" in sys.argv[2:])

"""Whether the packages that a run imports can be imported here. This is tried in a separate process.

transformers and TRL import lazily and wrap import errors in their own: the innermost error is reported.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from accumcheck.as_module import module_command
from accumcheck.launch.endings import ending
from accumcheck.runfolder.failures import describe

TIMEOUT = 300.0
"""Seconds."""


def import_faults(modules: Mapping[str, Sequence[str]], python: str = sys.executable) -> dict[str, str]:
    """The reasons why packages cannot be imported, one line each; packages that can be imported are left out.

    Args:
        modules: the modules that a run imports, by package.
        python: the interpreter of the environment.
    """
    asked = json.dumps({name: list(of) for name, of in modules.items()})
    command = module_command(python, "accumcheck.launch.imports", [asked])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return dict.fromkeys(modules, f"not imported within {TIMEOUT:.0f} s")
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            found.update(json.loads(line.removeprefix(_MARK)))
    for name in modules:  # the process ended before it tried this one
        found.setdefault(name, f"the process that imported it {ending(done.returncode)}")
    return {name: why for name, why in found.items() if why}


_MARK = "accumcheck import: "
"""Starts our own lines: packages print when they are imported."""


def _try_all(modules: Mapping[str, Sequence[str]]) -> None:
    for name, of in modules.items():
        why = ""
        try:
            for module in of:
                importlib.import_module(module)
        except Exception as error:
            why = describe(error)
        print(f"{_MARK}{json.dumps({name: why})}", flush=True)  # noqa: T201


if __name__ == "__main__":
    _try_all(json.loads(sys.argv[1]))

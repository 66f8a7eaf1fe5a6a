"""Run a program in this process, as ``python`` and ``python -m`` would."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from accumcheck.errors import MissingPackageError


def run_file(path: str, arguments: Sequence[str]) -> None:
    """Run a Python file as ``python FILE ARGUMENTS`` does.

    Raises:
        BaseException: whatever the program raises, SystemExit with its exit status among it.
    """
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).parent))
    runpy.run_path(path, run_name="__main__")


def run_module(module: str, arguments: Sequence[str]) -> None:
    """Run a module as ``python -m MODULE ARGUMENTS`` does; raises as `run_file`."""
    sys.argv = [module, *arguments]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def is_installed(module: str) -> bool:
    """Whether a module can be imported here; it is not, but the packages that it is in are."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False


def require_package(package: str, stack: str) -> None:
    """Ask for the package of a stack.

    Args:
        package: a distribution, whose module has the same name with ``_`` for ``-``.
        stack: its name in the configuration.

    Raises:
        MissingPackageError: it is not installed.
    """
    if not is_installed(package.replace("-", "_")):
        raise MissingPackageError(
            f"stack: {stack} needs {package}, which is not installed; install it, or name a release: "
            f"accumcheck run CONFIG --with {package}==VERSION"
        )

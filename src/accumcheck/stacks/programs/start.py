"""Run a program in this process as ``python`` and ``python -m`` would."""

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
        BaseException: any exception of the program, including SystemExit with its exit status.
    """
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).parent))
    runpy.run_path(path, run_name="__main__")


def run_module(module: str, arguments: Sequence[str]) -> None:
    """Run a module as ``python -m MODULE ARGUMENTS`` does. Raises what `run_file` raises."""
    sys.argv = [module, *arguments]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def is_installed(module: str) -> bool:
    """Whether a module can be imported here. Imports its parent packages, but not the module itself."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is not installed
        return False


def require_package(package: str, stack: str) -> None:
    """Check that the package of a stack is installed.

    Args:
        package: the name of the distribution. Its module has the same name, with ``_`` for ``-``.
        stack: the name of the stack in the configuration.

    Raises:
        MissingPackageError: the package is not installed.
    """
    if not is_installed(package.replace("-", "_")):
        raise MissingPackageError(
            f"stack: {stack} needs {package}, which is not installed; install it, or choose a release: "
            f"accumcheck run CONFIG --with {package}==VERSION"
        )

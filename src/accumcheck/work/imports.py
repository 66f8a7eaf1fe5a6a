"""The files of the user's own that a worker has run, for a launch that watches them."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from accumcheck.config.model import CheckConfig
from accumcheck.runfolder.imported import NOTE_IMPORTS, Imported, write_imported
from accumcheck.runfolder.job import Job

_NOT_THE_USERS = ("accumcheck", "transformers_modules")
"""Packages whose files are not watched: our own, and the copies that transformers makes of a model's code."""
_INSTALLED = ("/site-packages/", "/dist-packages/")


class ImportNotes:
    """Notes which files were run between its making and `write`; nothing, unless the launch asks for it.

    A package that is installed from a folder, in editable mode, counts as the user's own.
    """

    def __init__(self) -> None:
        self._asked = NOTE_IMPORTS in os.environ
        self._before = frozenset(sys.modules) if self._asked else frozenset()

    def write(self, job: Job, check: CheckConfig, process: int, error: BaseException | None = None) -> None:
        """Write the notes into the job's folder.

        Args:
            job: whose process this is.
            check: names the module that is run as a program, if one is.
            process: the rank.
            error: that ended the process; its traceback has files that were run in vain, and so are not modules.
        """
        if not self._asked or (process and error is None):
            return
        files = {*_files_of(sys.modules), *_files_of_program(check), *_files_of_error(error)}
        write_imported(job.folder, process, Imported(tuple(sorted(files)), tuple(sorted(_files_of(self._before)))))


def _files_of(modules: Iterable[str]) -> set[str]:
    found = set()
    for name in list(modules):
        if name.partition(".")[0] not in _NOT_THE_USERS:
            file = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(file, str) and is_users(file):
                found.add(os.path.realpath(file))
    return found


def _files_of_program(check: CheckConfig) -> set[str]:
    """The file of ``script: {module: NAME}``, which does not stay a module when it has been run."""
    if check.script is None or check.script.module is None:
        return set()
    try:
        spec = importlib.util.find_spec(check.script.module)
    except (ImportError, ValueError):
        return set()
    return {os.path.realpath(spec.origin)} if spec is not None and spec.origin and is_users(spec.origin) else set()


def _files_of_error(error: BaseException | None) -> set[str]:
    ours = f"{Path(__file__).parents[1]}/"
    return {os.path.realpath(one) for one in _names(error) if is_users(one) and not one.startswith(ours)}


def is_users(file: str) -> bool:
    """Whether a Python file is neither of an installed package nor of the standard library."""
    if not file.endswith(".py") or any(part in file for part in _INSTALLED):
        return False
    return not file.startswith(f"{sysconfig.get_path('stdlib')}/") and Path(file).is_file()


def _names(error: BaseException | None) -> Iterator[str]:
    """The files in the tracebacks of an exception and of those that it followed from, and one that is not Python."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        trace: TracebackType | None = error.__traceback__
        while trace is not None:
            yield trace.tb_frame.f_code.co_filename
            trace = trace.tb_next
        if isinstance(error, SyntaxError) and error.filename:
            yield error.filename
        error = error.__cause__ or error.__context__

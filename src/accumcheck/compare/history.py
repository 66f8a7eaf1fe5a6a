"""Results of earlier steps, saved next to the environments, so that an interrupted search can go on."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from accumcheck import __version__
from accumcheck.config.model import CheckConfig
from accumcheck.environments.overlay import Base
from accumcheck.environments.ownership import PRIVATE_FILE, check_folders, fault_of, make_private, raise_faults
from accumcheck.environments.shelf import default_folder
from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.record import Report
from accumcheck.report.files import save
from accumcheck.saved.reports import read_report, report_to_json

_NAMED_IN_A_FILE = re.compile(r"\.py:[\w.]+$")
"""``file.py:function``."""


class History:
    """The reports of one check by release, in a folder for this check, this machine setup and this accumcheck version.

    Only decided reports are saved: a run that crashed or hung may end differently the next time.
    """

    def __init__(self, check: CheckConfig, others: Sequence[str], *, fresh: bool, folder: Path | None = None) -> None:
        """Open the history.

        Args:
            check: the configuration. Files that it names are identified by size and time.
            others: the values of ``--with``.
            fresh: ignore reports that were saved earlier.
            folder: the cache; default: the user's cache.

        Raises:
            ConfigError: another user could have written to the cache.
        """
        parts: list[Any] = [
            check.to_dict(),
            list(_files(check.to_dict())),
            sorted(others),
            Base.here().recipe(),
            __version__,
        ]
        parts.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
        self._cache = folder or default_folder().parent
        self.folder = (folder or self._cache / "bisect") / key
        check_folders(self._cache, self.folder)
        self._counts = not fresh

    def find(self, release: str) -> Report | None:
        """The saved report under a release, if there is one.

        Raises:
            ConfigError: another user could have written it.
        """
        if not self._counts:
            return None
        path = self._path(release)
        raise_faults([fault_of(path)])
        try:
            return read_report(path)
        except ConfigError:  # missing, or written by another version of accumcheck
            return None

    def keep(self, release: str, report: Report) -> None:
        """Save a report.

        Raises:
            AccumcheckError: it could not be written.
        """
        if report.exit_code in (0, 1):
            path = self._path(release)
            try:
                make_private(self._cache, self.folder)
            except OSError as error:
                raise AccumcheckError(f"{self.folder}: cannot be created: {error.strerror or error}") from error
            save(report_to_json(report), path)
            path.chmod(PRIVATE_FILE)

    def _path(self, release: str) -> Path:
        return self.folder / f"{release}.json"


def _files(value: Any) -> Iterator[tuple[str, int, int]]:
    """Every file that a configuration names, or in a folder that it names: path, size in bytes, time of change."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _files(one)
    elif isinstance(value, list):
        for one in value:
            yield from _files(one)
    elif isinstance(value, str) and Path(value).is_absolute():
        path = Path(value.rpartition(":")[0] if _NAMED_IN_A_FILE.search(value) else value)
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                stat = file.stat()
                yield str(file), stat.st_size, stat.st_mtime_ns

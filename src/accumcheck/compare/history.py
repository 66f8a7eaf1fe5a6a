"""Results of earlier steps, kept beside the environments, so that a search that was interrupted goes on."""

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
    """The reports of one check by release: in a folder that no other check, machine setup or version shares.

    Only what was decided is kept: what crashed or hung may do otherwise the next time.
    """

    def __init__(self, check: CheckConfig, others: Sequence[str], *, fresh: bool, folder: Path | None = None) -> None:
        """Open the history.

        Args:
            check: the configuration; files that it names are told apart by their sizes and times.
            others: ``--with``, as given.
            fresh: nothing kept earlier counts.
            folder: the per-user cache unless given.

        Raises:
            ConfigError: the cache is not this user's alone.
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
        """The report under a release, if there is one that counts.

        Raises:
            ConfigError: another user may have written it.
        """
        if not self._counts:
            return None
        path = self._path(release)
        raise_faults([fault_of(path)])
        try:
            return read_report(path)
        except ConfigError:  # not there, or written by another version of accumcheck
            return None

    def keep(self, release: str, report: Report) -> None:
        """Keep a report.

        Raises:
            AccumcheckError: it could not be written.
        """
        if report.exit_code in (0, 1):
            path = self._path(release)
            try:
                make_private(self._cache, self.folder)
            except OSError as error:
                raise AccumcheckError(f"{self.folder}: cannot be made: {error.strerror or error}") from error
            save(report_to_json(report), path)
            path.chmod(PRIVATE_FILE)

    def _path(self, release: str) -> Path:
        return self.folder / f"{release}.json"


def _files(value: Any) -> Iterator[tuple[str, int, int]]:
    """Every file named in a configuration, or inside a folder named in it: path, bytes, time of its last change."""
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

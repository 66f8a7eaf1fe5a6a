"""The schema version of a saved file. This accumcheck reads all minor versions of one major version."""

from __future__ import annotations

import re

from accumcheck import __version__
from accumcheck.errors import ConfigError
from accumcheck.record import SCHEMA_VERSION

_VERSION = re.compile(r"\d{1,4}\.\d{1,4}", re.ASCII)


def check_version(found: object, what: str) -> None:
    """Check that the version of a file can be read.

    Args:
        found: the JSON in the file.
        what: the expected kind, with an article: ``a report``.

    Raises:
        ConfigError: the file is something else, or has no version or another one; one line.
    """
    version, writer = (
        (found.get("schema_version"), found.get("accumcheck_version")) if isinstance(found, dict) else (None, None)
    )
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ConfigError(f"not {what}: expected a JSON object with schema_version")
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        ours, theirs = (int(one.split(".")[0]) for one in (SCHEMA_VERSION, version))
        other = "a newer accumcheck" if theirs > ours else "the accumcheck that wrote it"
        by = f", written by accumcheck {ascii(writer)[1:-1][:20]}" if isinstance(writer, str) else ""
        raise ConfigError(
            f"found {what} of schema version {version}{by}; accumcheck {__version__} reads versions {ours}.x; read it "
            f"with {other}"
        )

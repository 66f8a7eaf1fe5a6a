"""The schema version of a saved file. This accumcheck reads all minor versions of one major version."""

from __future__ import annotations

import re

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
    version = found.get("schema_version") if isinstance(found, dict) else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ConfigError(f"not {what}: expected a JSON object with schema_version")
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ConfigError(f"{what} of schema version {version}; this accumcheck reads {SCHEMA_VERSION}")

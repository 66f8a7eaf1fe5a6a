"""The version of the schema that a saved file names: this accumcheck reads every minor version of one major version."""

from __future__ import annotations

import re

from accumcheck.errors import ConfigError
from accumcheck.record import SCHEMA_VERSION

_VERSION = re.compile(r"\d{1,4}\.\d{1,4}", re.ASCII)


def check_version(found: object, what: str) -> None:
    """Check that a file is of a version that can be read.

    Args:
        found: the JSON that it holds.
        what: it should be, with an article: ``a report``.

    Raises:
        ConfigError: it is not, or it names no version; one line.
    """
    version = found.get("schema_version") if isinstance(found, dict) else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ConfigError(f"not {what}: expected a JSON object with schema_version")
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ConfigError(f"{what} of schema version {version}; this accumcheck reads {SCHEMA_VERSION}")

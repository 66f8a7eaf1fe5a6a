"""A saved self-test, read back from JSON that is not trusted."""

from __future__ import annotations

from typing import Any

from accumcheck.errors import ConfigError
from accumcheck.record import SCHEMA_VERSION
from accumcheck.record.selftest import SelftestCase
from accumcheck.redaction import redacted
from accumcheck.saved.kinds import SELFTEST
from accumcheck.saved.places import under
from accumcheck.saved.read import record_from
from accumcheck.saved.versions import check_version


def selftest_from(found: Any) -> list[SelftestCase]:
    """The cases in the JSON that ``accumcheck selftest -o selftest.json`` writes.

    Files of older versions have no schema version.

    Raises:
        ConfigError: it is not a self-test, or has an unknown schema version.
    """
    if not isinstance(found, list) or not all(isinstance(one, dict) and "case" in one for one in found):
        raise ConfigError("not a self-test: expected a list of JSON objects with case")
    cases = []
    for at, one in enumerate(found):
        check_version({"schema_version": SCHEMA_VERSION, **one}, "a self-test")
        with under(f"[{at}]"):
            cases.append(redacted(record_from(SelftestCase, one, SELFTEST)))
    return cases

"""The JSON Schema of the report, for programs that read it."""

from __future__ import annotations

from typing import Any

from accumcheck.record import Report


def report_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) that every report of this version satisfies."""
    from accumcheck.saved.schema import schema_of

    return schema_of(Report, "accumcheck report")

"""The JSON Schema (2020-12) of a saved record."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from accumcheck.saved.models import model_of

Schema = dict[str, Any]


def schema_of(record: type, title: str) -> Schema:
    """The schema of a record's JSON: exactly these keys, all of them required."""
    found = model_of(record).model_json_schema(mode="serialization", schema_generator=_WithoutTitles)
    defs = found.pop("$defs", {})
    return {"$schema": _WithoutTitles.schema_dialect, "title": title, **found, "$defs": defs}


class _WithoutTitles(GenerateJsonSchema):
    """Fields get no titles, and records have no additional keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def model_schema(self, schema: CoreSchema) -> Schema:
        found = super().model_schema(schema)  # type: ignore[arg-type]
        found.pop("title", None)
        return {**found, "additionalProperties": False}

"""What is saved of a record: the keys, their types and their descriptions, from its fields and the texts below them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from accumcheck.record.texts import texts_below_fields


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a saved record.

    ``annotation``: the type, with its marks (`accumcheck.record.in_json`); ``default``: makes the value if an older
    report lacks the key, None if the key is required; ``inside``: the field whose value has this as an attribute,
    empty for a field of the record itself.
    """

    key: str
    name: str
    annotation: Any
    description: str
    default: Callable[[], Any] | None = None
    inside: str = ""

    def of(self, record: Any) -> Any:
        """The value in a record."""
        return getattr(getattr(record, self.inside) if self.inside else record, self.name)


@cache
def entries(record: Any) -> tuple[Entry, ...]:
    """The keys of a record in the order written.

    Args:
        record: a dataclass, or a generic one with its types, such as ``Change[str]``.
    """
    kind = get_origin(record) or record
    types = dict(zip(getattr(kind, "__parameters__", ()), get_args(record), strict=False))
    hints, texts = get_type_hints(kind, include_extras=True), texts_below_fields(kind)
    found: list[Entry] = []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        annotation = types.get(hint, hint) if isinstance(hint, TypeVar) else hint
        key = field.metadata.get("key", field.name)
        found.append(Entry(key, field.name, annotation, texts.get(field.name, ""), _default(field)))
        for name in field.metadata.get("followed_by", ()):
            of = get_type_hints(annotation, include_extras=True)[name]
            found.append(Entry(name, name, of, texts_below_fields(annotation).get(name, ""), inside=field.name))
    return tuple(found)


def description(record: Any) -> str:
    """The record's docstring, on one line."""
    return " ".join((inspect.getdoc(get_origin(record) or record) or "").split())


def _default(field: dataclasses.Field[Any]) -> Callable[[], Any] | None:
    if not field.metadata.get("later"):
        return None
    if field.default_factory is not MISSING:
        return field.default_factory
    value = field.default
    return lambda: value

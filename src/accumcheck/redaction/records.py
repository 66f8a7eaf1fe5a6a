"""Secrets in records: dataclasses, mappings, lists and texts, however they are nested."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from accumcheck.redaction.names import HIDDEN, is_secret_name, is_secret_value
from accumcheck.redaction.shapes import without_shapes
from accumcheck.redaction.texts import without_named, without_values
from accumcheck.redaction.variables import secret_values

Record = TypeVar("Record")

_FLAG = re.compile(r"--?([A-Za-z][\w.-]*)")


def redacted(record: Record) -> Record:
    """A record of the same type with its secrets replaced by `HIDDEN`.

    Args:
        record: a dataclass, mapping, list, tuple or text, nested to any depth; anything else is unchanged. Hidden are a
            mapping's value under a secret's name, a flag's value in a list of words, and every secret in a text.
    """
    values = secret_values()
    hidden: Record = _Walk(values).of(record)
    return hidden


class _Walk:
    def __init__(self, values: re.Pattern[str] | None) -> None:
        self._values = values

    def of(self, value: Any) -> Any:
        """See `redacted`."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self.of(key): self._named(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return _alike(value, self._words(value))
        if is_dataclass(value) and not isinstance(value, type):
            return self._record(value)
        return value

    def _text(self, text: str) -> str:
        return without_named(without_shapes(without_values(text, self._values)))

    def _record(self, record: Any) -> Any:
        before = {one.name: getattr(record, one.name) for one in fields(record) if one.init}
        after = {name: self.of(value) for name, value in before.items()}
        changed = {name: value for name, value in after.items() if value != before[name]}
        return replace(record, **changed) if changed else record

    def _named(self, name: str, value: Any) -> Any:
        """The value under a name."""
        return _all_hidden(name, value) if is_secret_name(name) else self.of(value)

    def _words(self, words: Sequence[Any]) -> Iterator[Any]:
        """A list's items; it may be a command line's words, in which a flag names what follows."""
        flag = ""
        for word in words:
            is_flag = isinstance(word, str) and word.startswith("--")
            yield _all_hidden(flag, word) if flag and not is_flag else self.of(word)
            found = _FLAG.fullmatch(word) if isinstance(word, str) else None
            flag = found[1] if found is not None and is_secret_name(found[1]) else ""


def _all_hidden(name: str, value: Any) -> Any:
    """Hide everything under a secret's name, except empty and boolean values."""
    if isinstance(value, dict):
        return {key: _all_hidden(name, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return _alike(value, (_all_hidden(name, item) for item in value))
    if value is None or isinstance(value, bool):
        return value
    return HIDDEN if is_secret_value(name, str(value)) else value


def _alike(like: Any, items: Iterator[Any]) -> Any:
    """The items as a list, a tuple or a named tuple."""
    made = type(like)
    return made(*items) if hasattr(like, "_fields") else made(items)

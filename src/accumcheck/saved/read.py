"""From JSON types to a record, checked against the record's types; errors name their places."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import ValidationError

from accumcheck.errors import ConfigError
from accumcheck.record import Split
from accumcheck.saved.entries import entries
from accumcheck.saved.kinds import Kind
from accumcheck.saved.missing import errors_at
from accumcheck.saved.models import Saved, model_of
from accumcheck.saved.write import plain

Record = TypeVar("Record")
TOLD = 5
"""Maximum of errors listed for one file."""

_PLAIN_KEY = re.compile(r"[\w*/-]{1,60}", re.ASCII)
_EXPECTED = {
    "model_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
}
"""What was expected, by pydantic's name of the error."""


def record_from(kind: type[Record], value: object, saved: Kind | None = None) -> Record:
    """Make a record from JSON types; unknown keys are ignored.

    Args:
        kind: the record's class.
        value: the result of `accumcheck.saved.write.plain`, perhaps of an older version.
        saved: the kind of file that holds the value, for the advice how to write it again.

    Raises:
        ConfigError: something is missing or of another type; one line per error, which begins with the place, for
            example ``splits[1].verdict``, and then the advice.
    """
    model = model_of(cast("Any", kind))
    try:
        made = model.model_validate(value)
    except ValidationError as error:
        lines = listed(_lines(model, value, error))
        if saved is not None:
            lines.append(f"the file is damaged or was changed; write it again with {saved.writer} -o FILE.json")
        raise ConfigError("\n".join(lines)) from None
    return cast("Record", _record(made, ()))


def path(place: Sequence[int | str]) -> str:
    """The place of a value in JSON: ``splits[1].verdict``."""
    text = ""
    for one in place:
        text += f"[{one}]" if isinstance(one, int) else f".{one}" if _PLAIN_KEY.fullmatch(one) else f".{short(one)}"
    return text.removeprefix(".") or "the whole"


def listed(lines: Sequence[str]) -> list[str]:
    """The first errors, and how many more there are."""
    more = len(lines) - TOLD
    return [*lines[:TOLD], *([f"and {more} more"] if more > 0 else [])]


def short(value: Any) -> str:
    """A value for messages: as in JSON, at most 60 characters."""
    text = json.dumps(plain(value[:60] if isinstance(value, (str, list)) else value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _lines(model: type[Saved], value: object, error: ValidationError) -> list[str]:
    """A line for each error: where, what was found, and what was expected."""
    errors = error.errors(include_url=False)
    missing = [one["loc"] for one in errors if one["type"] == "missing"][:TOLD]
    expected = errors_at(model, value, missing) if missing else {}
    lines = []
    for one in errors:
        found = "nothing" if one["type"] == "missing" else short(one["input"])
        lines.append(f"{path(one['loc'])}: found {found}, expected {_expected(expected.get(one['loc'], one))}")
    return lines


def _expected(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "a value"
    return _EXPECTED.get(error["type"]) or str(error["msg"]).removeprefix("Input should be ")


def _record(model: Saved, place: tuple[int | str, ...]) -> Any:
    """The record of a model.

    Raises:
        ConfigError: a value that is written both in short and in full differs between the two.
    """
    kind = type(model).record
    if kind is dict:
        return {name: getattr(model, name) for name in type(model).model_fields}
    values: dict[str, Any] = {}
    for entry in entries(kind):
        value = getattr(model, entry.key)
        if not entry.inside:
            values[entry.name] = _value(value, entry.annotation, (*place, entry.key))
        elif value != getattr(values[entry.inside], entry.name):
            told = f"found {value}, but {entry.inside} is {values[entry.inside]}"
            raise ConfigError(f"{path((*place, entry.key))}: {told}")
    return kind(**values)


def _value(value: Any, annotation: Any, place: tuple[int | str, ...]) -> Any:
    """The value of a record's field, from the value in its model."""
    if isinstance(value, Saved):
        return _record(value, place)
    annotation = _bare(annotation)
    if value is None or annotation is Any:
        return value
    if annotation is Split:
        return Split.parse(value)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (tuple, list):
        found = [_value(one, arguments[0], (*place, at)) for at, one in enumerate(value)]
        return tuple(found) if origin is tuple else found
    if origin is dict:
        return {key: _value(one, arguments[1], (*place, key)) for key, one in value.items()}
    return value


def _bare(annotation: Any) -> Any:
    """A type without its marks, and without ``| None``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(get_args(annotation)[0])
    return annotation

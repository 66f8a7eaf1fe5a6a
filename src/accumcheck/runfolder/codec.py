"""Dataclasses as JSON and back: how every record of a run's folder is written and read."""

from __future__ import annotations

import functools
import json
import os
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN = (float, int, str, bool)
"""Types whose values JSON gives back as they are."""


def write_record(path: Path, record: Any) -> None:
    """Write a dataclass, or a tuple, list or mapping of them, atomically: another process may be reading."""
    written = path.with_name(f"{path.name}.{os.getpid()}.part")
    written.write_text(json.dumps(encode(record)), encoding="utf-8")
    written.replace(path)


def read_record(kind: type[T], path: Path) -> T:
    """Read what `write_record` wrote.

    Raises:
        OSError: the file does not exist.
        ValueError: it does not contain a ``kind``; the text says where.
    """
    try:
        return decode(kind, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def encode(record: Any) -> Any:
    """The record in JSON types; tuples become lists. Arrays are left out: they have their own files."""
    if is_dataclass(record) and not isinstance(record, type):
        values = {one.name: getattr(record, one.name) for one in fields(record)}
        return {name: encode(value) for name, value in values.items() if not hasattr(value, "__array__")}
    if isinstance(record, (list, tuple)):
        return [encode(one) for one in record]
    if isinstance(record, Mapping):
        return {name: encode(one) for name, one in record.items()}
    return record


def decode(kind: type[T], value: Any) -> T:
    """Make a ``kind`` of JSON types.

    Args:
        kind: a dataclass, or the type of a dataclass's field: plain types, ``X | None``, `Literal`, tuples and
            mappings.
        value: the result of `encode`, perhaps through JSON.

    Raises:
        ValueError: the value does not fit; the text begins with the path to the error.
    """
    made: T = _decoded(kind, value, "")
    return made


def _decoded(kind: Any, value: Any, place: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _any_of(arguments, value, place)
    if origin is Literal:
        return _expected(value in arguments, value, place, " or ".join(map(repr, arguments)))
    if origin is tuple:
        return _tuple(arguments, value, place)
    if origin is not None and issubclass(origin, Mapping):
        _expected(isinstance(value, Mapping), value, place, "an object")
        key, item = arguments
        return {key(name): _decoded(item, one, f"{place}.{name}") for name, one in value.items()}
    if is_dataclass(kind):
        return _dataclass(kind, value, place)
    if kind is float:
        return float(_expected(_is_number(value), value, place, "a number"))
    of_kind = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    return _expected(of_kind, value, place, kind.__name__)


def _any_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """``X | None``, or a choice of plain types."""
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    if len(others) == 1:
        return _decoded(others[0], value, place)
    return _expected(type(value) in others, value, place, " or ".join(kind.__name__ for kind in others))


def _tuple(kinds: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    _expected(isinstance(value, (list, tuple)), value, place, "a list")
    if kinds[-1] is Ellipsis:
        if kinds[0] in _PLAIN and set(map(type, value)) <= {kinds[0]}:  # most of a run's records: long lists of numbers
            return tuple(value)
        kinds = kinds[:1] * len(value)
    _expected(len(kinds) == len(value), value, place, f"{len(kinds)} entries")
    pairs = zip(kinds, value, strict=True)
    return tuple(_decoded(kind, one, f"{place}[{index}]") for index, (kind, one) in enumerate(pairs))


def _dataclass(kind: Any, value: Any, place: str) -> Any:
    found = decode_fields(kind, value, place)
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    if missing := required - set(found):
        raise ValueError(f"{place.lstrip('.') or kind.__name__} lacks {', '.join(sorted(missing))}")
    return kind(**found)


def decode_fields(kind: Any, value: Any, place: str = "") -> dict[str, Any]:
    """The fields of a dataclass that are present, without arrays that `encode` left out.

    Raises:
        ValueError: see `decode`.
    """
    _expected(isinstance(value, Mapping), value, place, f"the fields of {kind.__name__}")
    hints = _field_types(kind)
    if unknown := set(value) - set(hints):
        raise ValueError(f"{place.lstrip('.') or kind.__name__} has unknown fields: {', '.join(sorted(unknown))}")
    return {name: _decoded(hints[name], one, f"{place}.{name}") for name, one in value.items()}


@functools.cache
def _field_types(kind: type) -> dict[str, Any]:
    import numpy as np  # here, so that --help does not wait for it
    import numpy.typing as npt

    hints = get_type_hints(kind, localns={"np": np, "npt": npt})
    return {one.name: hints[one.name] for one in fields(kind)}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _expected(fits: bool, value: Any, place: str, what: str) -> Any:
    if not fits:
        raise ValueError(f"{place.lstrip('.') or 'it'} is {json.dumps(value, default=str)[:80]}; expected {what}")
    return value

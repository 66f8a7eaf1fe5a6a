"""What was expected where a value is missing. Pydantic only says that it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

if TYPE_CHECKING:
    from accumcheck.saved.models import Saved

Place = tuple[int | str, ...]

_NOTHING = object()
"""A value of no type that JSON has, so that every check of a value refuses it."""


def errors_at(model: type[Saved], value: object, places: Iterable[Place]) -> dict[Place, Mapping[str, Any]]:
    """The errors of pydantic if these places had a value of the wrong type: they say what was expected there.

    Args:
        model: checks the value.
        value: JSON types, in which the places are missing.
        places: the places of single values.

    Returns:
        The errors by place, without places at which any value is right.
    """
    for place in places:
        value = _filled(value, place)
    try:
        model.model_validate(value)
    except ValidationError as error:
        return {one["loc"]: one for one in error.errors(include_url=False) if one["input"] is _NOTHING}
    return {}


def _filled(value: Any, place: Place) -> Any:
    """A copy with a value of no type at the place; the value itself if there is no such place."""
    if not place:
        return _NOTHING
    first, *others = place
    if isinstance(value, dict):
        return {**value, first: _filled(value.get(first), tuple(others))}
    if isinstance(value, list) and isinstance(first, int) and first < len(value):
        return [*value[:first], _filled(value[first], tuple(others)), *value[first + 1 :]]
    return value

"""The keys of the configuration that belong to a stack, as the stacks declare them (`accumcheck.stacks.registry`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeVar

from accumcheck.stacks.protocol import OwnKey
from accumcheck.stacks.registry import STACKS


def own_keys() -> dict[str, tuple[OwnKey, list[str]]]:
    """Every key that belongs to stacks, with the names of these stacks, in the order of `STACKS`."""
    found: dict[str, tuple[OwnKey, list[str]]] = {}
    for stack in STACKS:
        for own in stack.own:
            found.setdefault(own.name, (own, []))[1].append(stack.name)
    return found


_Class = TypeVar("_Class", bound=type)


def with_own_keys(section: _Class) -> _Class:
    """Declare the keys of `own_keys` in a class, after its field ``stack``, before `dataclass` makes fields of it."""
    declared: Mapping[str, Any] = dict(section.__annotations__)
    ordered: dict[str, Any] = {}
    for name, hint in declared.items():
        ordered[name] = hint
        if name == "stack":
            for own, _ in own_keys().values():
                ordered[own.name] = own.hint
                setattr(section, own.name, field(default_factory=own.default) if own.default else None)
    section.__annotations__ = ordered
    return section

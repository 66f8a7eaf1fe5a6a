"""The kinds that hold keys: a section with known keys, and a free mapping that is passed through."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from accumcheck.config.faults import Faults, KeyPath, did_you_mean, show_path
from accumcheck.config.kinds import INVALID, Kind, either, read, reject
from accumcheck.config.yaml_positions import Item

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a section.

    ``description`` is one line with the unit and what the default means; ``nullable`` keys may be left empty (null),
    which is the same as leaving them out; ``derived`` says that the default depends on other keys; ``example`` is what
    to add where the key is missing, and makes the key required.
    """

    name: str
    kind: Kind
    description: str
    nullable: bool = False
    derived: bool = False
    example: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping with known keys. ``into`` is the dataclass that holds the values and the defaults.

    ``elsewhere`` says for a key that does not belong here where its matter belongs; ``aliases`` maps other names.
    """

    fields: tuple[Field, ...]
    into: type[Any]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    expected: str = "a mapping of keys"

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """Every key that holds a valid value, by its canonical name; `INVALID` where this is no mapping."""
        if item.mapping is None:
            return reject(item, path, faults, f"{self.expected}: {', '.join(known.name for known in self.fields)}")
        known = {known.name: known for known in self.fields}
        values: dict[str, Any] = {}
        given = self._canonical(item.mapping, path, faults)
        for name, child in given.items():
            here = (*path, name)
            if name not in known:
                self._unknown(name, child, here, faults)
            elif not (child.value is None and known[name].nullable and not child.broken):
                value = read(known[name].kind, child, here, faults)
                if value is not INVALID:
                    values[name] = value
        for name, missing in known.items():
            if missing.example and name not in given:
                faults.add(item.place, show_path((*path, name)), f"missing; add for example {missing.example}")
        return values

    def _canonical(self, given: Mapping[str, Item], path: KeyPath, faults: Faults) -> dict[str, Item]:
        renamed: dict[str, Item] = {}
        for name, child in given.items():
            canonical = self.aliases.get(name, name)
            if canonical in renamed:
                twice = f"the same key as {renamed[canonical].alias or canonical}, which is also given; keep one"
                faults.add(child.place, show_path((*path, name)), twice)
            else:
                alias = child.alias if canonical == name else show_path((*path, name))
                renamed[canonical] = Item(child.value, child.place, child.text, alias, child.broken)
        return renamed

    def _unknown(self, name: str, child: Item, path: KeyPath, faults: Faults) -> None:
        if name in self.elsewhere:
            faults.add(child.place, show_path(path), self.elsewhere[name])
            return
        names = [known.name for known in self.fields]
        deeper = [f"'{show_path((*path[:-1], *found))}'" for found in self._deeper(name)]
        hint = f"; did you mean {either(deeper)}?" if deeper else did_you_mean(name, (*names, *self.aliases))
        faults.add(child.place, show_path(path), f"unknown key; allowed here: {', '.join(names)}{hint}")

    def _deeper(self, name: str) -> list[tuple[str, ...]]:
        """Where the sections inside this one have a key of that name."""
        found: list[tuple[str, ...]] = []
        for known in self.fields:
            if isinstance(known.kind, Section):
                found += [(known.name, inner.name) for inner in known.kind.fields if inner.name == name]
                found += [(known.name, *inner) for inner in known.kind._deeper(name)]
        return found

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`. A required key may stand under any one of its names."""
        properties = {known.name: self.field_schema(known) for known in self.fields}
        for alias, name in self.aliases.items():
            properties[alias] = {**properties[name], "description": f"Another name of {name}."}
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        one_of = []
        for name in (known.name for known in self.fields if known.example):
            names = [name, *(alias for alias, canonical in self.aliases.items() if canonical == name)]
            if len(names) == 1:
                schema.setdefault("required", []).append(name)
            else:
                one_of.append({"oneOf": [{"required": [other]} for other in names]})
        return {**schema, "allOf": one_of} if one_of else schema

    def field_schema(self, known: Field) -> dict[str, Any]:
        """One key with its description and, where it is a constant, its default."""
        schema = known.kind.json_schema()
        if known.nullable:
            schema = {"anyOf": [schema, {"type": "null"}]}
        schema = {"description": known.description, **schema}
        default = next(place.default for place in fields(self.into) if place.name == known.name)
        if default is not MISSING and not known.derived:
            plain = list(default) if isinstance(default, tuple) else default
            schema["default"] = "auto" if plain is None and getattr(known.kind, "auto", False) else plain
        return schema


@dataclass(frozen=True, slots=True)
class Free:
    """A mapping of anything that JSON can hold. ``refused`` says for a key why it may not be given."""

    expected: str
    refused: Mapping[str, str] = field(default_factory=dict)
    required: Mapping[str, str] = field(default_factory=dict)

    def read(self, item: Item, path: KeyPath, faults: Faults) -> Any:
        """See `Kind`; the value is made of plain dicts, lists and scalars."""
        if item.mapping is None:
            return reject(item, path, faults, self.expected)
        for name, child in item.mapping.items():
            if name in self.refused:
                faults.add(child.place, show_path((*path, name)), self.refused[name])
        for name, example in self.required.items():
            if name not in item.mapping:
                faults.add(item.place, show_path((*path, name)), f"missing; add for example {example}")
            elif not isinstance(item.mapping[name].value, str):
                reject(item.mapping[name], (*path, name), faults, f"text, for example {example}")
        return _plain(item, path, faults)

    def json_schema(self) -> dict[str, Any]:
        """See `Kind`."""
        schema: dict[str, Any] = {"type": "object"}
        if self.refused:
            schema["propertyNames"] = {"not": {"enum": list(self.refused)}}
        if self.required:
            schema["properties"] = {name: {"type": "string"} for name in self.required}
            schema["required"] = list(self.required)
        return schema


def _plain(item: Item, path: KeyPath, faults: Faults) -> Any:
    value = item.value
    if isinstance(value, dict):
        return {name: _plain(child, (*path, name), faults) for name, child in value.items()}
    if isinstance(value, list):
        return [_plain(child, (*path, i), faults) for i, child in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return reject(item, path, faults, "a finite number")
    return value

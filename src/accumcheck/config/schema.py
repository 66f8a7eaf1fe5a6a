"""The configuration's JSON Schema, derived from the loader's own table of fields.

It checks every key by itself, required keys, alternatives and aliases. What joins the values of several keys
(``n * b * k``, ``min_length <= max_length``) JSON Schema cannot say; `accumcheck.config.load` checks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.config.aliases import ALIASES, LENGTH_ALIASES, Keys, other_names
from accumcheck.config.faults import show_path
from accumcheck.config.fields import DATA_COLUMNS, DATA_SOURCES, MODEL_SOURCES, ROOT
from accumcheck.config.kinds import Whole
from accumcheck.config.model import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

Schema = dict[str, Any]


def config_schema() -> Schema:
    """The schema of a configuration, JSON Schema draft 2020-12, made of JSON types."""
    root = ROOT.json_schema()
    rules: list[Schema] = []
    required: list[str] = root.pop("required")
    for name in required:
        rules.append({"oneOf": [_present(keys) for keys in _names((name,))]})
    own_model = {"oneOf": [_given(keys) for source in MODEL_SOURCES for keys in _names(source)]}
    program = {"required": ["stack"], "properties": {"stack": {"enum": list(PROGRAMS)}}}
    rules.append({"if": program, "then": {"not": _present(("model",))}, "else": own_model})
    for key in dict.fromkeys(PROGRAMS.values()):
        owners = [stack for stack, own in PROGRAMS.items() if own == key]
        named = {"required": ["stack"], "properties": {"stack": {"enum": owners}}}
        rules += [{"if": _given((key,)), "then": named}, {"if": named, "then": _given((key,))}]
    for group in (DATA_SOURCES, DATA_COLUMNS):
        rules.append(_at_most_one(_given(keys) for keys in group))
    for target in dict.fromkeys(ALIASES.values()):
        if target not in MODEL_SOURCES and target not in [(name,) for name in required]:
            rules.append(_at_most_one(_present(keys) for keys in _names(target)))
    rules.append(_at_most_one(_present(keys) for keys in LENGTH_ALIASES))
    _add_aliases(root)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "accumcheck configuration",
        **root,
        "allOf": rules,
    }


def _names(target: Keys) -> list[Keys]:
    return [target, *other_names(target)]


def _add_aliases(root: Schema) -> None:
    for alias, target in ALIASES.items():
        meaning = _section(root, target[:-1])[target[-1]]
        _section(root, alias[:-1])[alias[-1]] = {**meaning, "description": f"Another name of {show_path(target)}."}
    for alias in LENGTH_ALIASES:
        description = "Another name of data.synthetic.max_length, or of data.max_length with jsonl or dataset."
        _section(root, alias[:-1])[alias[-1]] = {"description": description, **Whole(2).json_schema()}


def _section(root: Schema, keys: Keys) -> Schema:
    properties: Schema = root["properties"]
    for key in keys:
        properties = properties[key]["properties"]
    return properties


def _present(keys: Keys) -> Schema:
    """The key is there."""
    first, *rest = keys
    return {"required": [first], **({"properties": {first: _present(tuple(rest))}} if rest else {})}


def _given(keys: Keys) -> Schema:
    """The key is there and not null."""
    first, *rest = keys
    inner = _given(tuple(rest)) if rest else {"not": {"type": "null"}}
    return {"required": [first], "properties": {first: inner}}


def _at_most_one(conditions: Iterable[Schema]) -> Schema:
    each = list(conditions)
    return {"oneOf": [*each, {"not": {"anyOf": each}}]}

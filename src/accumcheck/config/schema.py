"""The configuration's JSON Schema: pydantic's, with descriptions, aliases, and the rules between keys.

It checks every single key, required keys, alternatives and aliases. Relations between the values of several keys
(``n * b * k``, ``min_length <= max_length``) cannot be expressed; `accumcheck.config.load` checks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.config.aliases import ALIASES, LENGTH_ALIASES, other_names
from accumcheck.config.expect import ExpectedFailure
from accumcheck.config.faults import show_path
from accumcheck.config.model import DATA_COLUMNS, DATA_SOURCES, MODEL_SOURCES, CheckConfig
from accumcheck.config.own_keys import own_keys
from accumcheck.config.reading import adapter
from accumcheck.config.tree import Keys
from accumcheck.config.values import SplitKeys
from accumcheck.declare.keys import Auto, Derived, Section, keys_of
from accumcheck.record.split import SPLIT_ALIASES
from accumcheck.record.texts import texts_below_fields
from accumcheck.stacks.protocol import ProgramSpec
from accumcheck.stacks.registry import STACKS

if TYPE_CHECKING:
    from collections.abc import Iterable

Schema = dict[str, Any]


def config_schema() -> Schema:
    """The schema of a configuration, JSON Schema draft 2020-12, in JSON types."""
    made = adapter().json_schema()
    definitions = made.pop("$defs")
    root: Schema = _described(_inlined(made, definitions), CheckConfig)
    required = [name for name in root.pop("required") if name != "model"]
    rules = [{"oneOf": [_present(keys) for keys in _names((name,))]} for name in required]
    rules += _stack_rules()
    for group in (DATA_SOURCES, DATA_COLUMNS):
        rules.append(_at_most_one(_given(keys) for keys in group))
    for target in dict.fromkeys(ALIASES.values()):
        if target not in MODEL_SOURCES and target not in [(name,) for name in required]:
            rules.append(_at_most_one(_present(keys) for keys in _names(target)))
    rules.append(_at_most_one(_present(keys) for keys in LENGTH_ALIASES))
    _add_aliases(root)
    _described(root["properties"]["expect"]["items"], ExpectedFailure)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "accumcheck configuration",
        **root,
        "allOf": rules,
    }


def _stack_rules() -> list[Schema]:
    """A program has no model, every other stack has one; each stack has its own keys."""
    own_model = {"oneOf": [_given(keys) for source in MODEL_SOURCES for keys in _names(source)]}
    program = _stack_in([stack.name for stack in STACKS if isinstance(stack, ProgramSpec)])
    rules: list[Schema] = [{"if": program, "then": {"not": _present(("model",))}, "else": own_model}]
    for name, (own, owners) in own_keys().items():
        if own.example:
            named = _stack_in(owners)
            rules += [{"if": _given((name,)), "then": named}, {"if": named, "then": _given((name,))}]
    return rules


def _stack_in(names: list[str]) -> Schema:
    return {"required": ["stack"], "properties": {"stack": {"enum": names}}}


def _inlined(schema: Any, definitions: Schema) -> Any:
    """The schema without references and titles, which pydantic makes of classes and names."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return _inlined({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    titled = isinstance(schema.get("title"), str)  # a key may have that name as well
    return {key: _inlined(value, definitions) for key, value in schema.items() if not (titled and key == "title")}


def _described(schema: Schema, section: type[Section]) -> Schema:
    """A section's schema with each key's description, and defaults as a user would write them."""
    described = meanings_of(section)
    for name, declared in keys_of(section).items():
        found = schema["properties"][name]
        default = found.pop("default", None)
        if declared.section is not None:
            for inner in [found, *found.get("anyOf", [])]:
                if "properties" in inner:
                    inner.pop("description", None)
                    _described(inner, declared.section)
        elif declared.find(Auto) and declared.default is None:
            found["default"] = "auto"
        elif default is not None and not declared.find(Derived):
            found["default"] = default
        schema["properties"][name] = {"description": described.get(name, ""), **found}
    schema.pop("description", None)
    return schema


def meanings_of(section: type[Section]) -> dict[str, str]:
    """The meaning of each key of a section in one line, including stacks' keys."""
    return {**texts_below_fields(section), **{name: own.meaning for name, (own, _) in own_keys().items()}}


def _names(target: Keys) -> list[Keys]:
    return [target, *other_names(target)]


def _add_aliases(root: Schema) -> None:
    for alias, target in ALIASES.items():
        meaning = _section(root, target[:-1])[target[-1]]
        _section(root, alias[:-1])[alias[-1]] = {**meaning, "description": f"Another name of {show_path(target)}."}
    for alias in LENGTH_ALIASES:
        description = "Another name of data.synthetic.max_length, or of data.max_length with jsonl or dataset."
        length = _section(root, ("data",))["max_length"]
        bounds = {key: length[key] for key in ("type", "minimum", "maximum")}
        _section(root, alias[:-1])[alias[-1]] = {"description": description, **bounds}
    array = next(one for one in root["properties"]["splits"]["anyOf"] if one.get("type") == "array")
    _add_split_aliases(next(one for one in array["items"]["anyOf"] if "properties" in one))


def _add_split_aliases(split: Schema) -> None:
    """A key of a split may be given under any one of its names."""
    _described(split, SplitKeys)
    for alias, name in SPLIT_ALIASES.items():
        split["properties"][alias] = {**split["properties"][name], "description": f"Another name of {name}."}
    split["allOf"] = [
        {"oneOf": [{"required": [other]} for other in (name, *_of_split(name))]} for name in split.pop("required")
    ]


def _of_split(name: str) -> list[str]:
    return [alias for alias, canonical in SPLIT_ALIASES.items() if canonical == name]


def _section(root: Schema, keys: Keys) -> Schema:
    properties: Schema = root["properties"]
    for key in keys:
        properties = properties[key]["properties"]
    return properties


def _present(keys: Keys) -> Schema:
    """The key is present."""
    first, *rest = keys
    return {"required": [first], **({"properties": {first: _present(tuple(rest))}} if rest else {})}


def _given(keys: Keys) -> Schema:
    """The key is present and not null."""
    first, *rest = keys
    inner = _given(tuple(rest)) if rest else {"not": {"type": "null"}}
    return {"required": [first], "properties": {first: inner}}


def _at_most_one(conditions: Iterable[Schema]) -> Schema:
    each = list(conditions)
    return {"oneOf": [*each, {"not": {"anyOf": each}}]}

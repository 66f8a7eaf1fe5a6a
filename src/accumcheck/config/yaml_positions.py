"""YAML to plain values that remember where they were written.

PyYAML builds the nodes; this module turns them into values, with two differences from YAML 1.1 that prevent surprises:
``1e-3`` is a number; dates, ``1:30`` and ``010`` are text. Tags other than the core ones, merge keys, duplicate keys,
and keys that are not text are errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Union

import yaml

from accumcheck.config.faults import Faults, KeyPath, Place, show_path

MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BOOLEANS = yaml.SafeLoader.bool_values


@dataclass(frozen=True, slots=True)
class Item:
    """One value and its place.

    ``text`` is a scalar as it was written; ``alias`` the name that the key was given under, where that is not the
    canonical one; ``broken`` says that an error was already noted, so that nothing more is said about the value.
    """

    value: Value
    place: Place
    text: str = ""
    alias: str = ""
    broken: bool = False

    @property
    def mapping(self) -> dict[str, Item] | None:
        """The children by key, or None where the value is no mapping."""
        return self.value if isinstance(self.value, dict) else None


Value = Union[None, bool, int, float, str, "list[Item]", "dict[str, Item]"]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars described above. Only ever used to compose, never to construct."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag.removeprefix(_TAG) not in ("int", "float", "timestamp", "value")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_TAG + "int", re.compile(f"(?:{_INT.pattern})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


def read_document(text: str, place: Place, faults: Faults) -> Item | None:
    """Read one YAML document.

    Args:
        text: the document.
        place: the file, or the ``--set``, it comes from; lines are counted in a file only.
        faults: where every error is noted.

    Returns:
        The document's value, or None where the document is empty or cannot be read (then `faults` says why).
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else _Reader(place, faults).read(node, (), place if place.on_command_line else None)
    except yaml.MarkedYAMLError as error:
        faults.add(_line(place, error.problem_mark), "", _syntax_message(error))
    except yaml.reader.ReaderError as error:
        at = Place(place.source, text.count("\n", 0, error.position) + 1) if not place.on_command_line else place
        faults.add(at, "", f"not valid YAML: the character #x{int(error.character):04x} is not allowed; remove it")
    except RecursionError:
        faults.add(place, "", "nested too deeply; write fewer levels")
    return None


def _syntax_message(error: yaml.MarkedYAMLError) -> str:
    if error.context == "expected a single document in the stream":
        return "a second YAML document begins here; a config is one document, so remove the line ---"
    column = f" (column {error.problem_mark.column + 1})" if error.problem_mark else ""
    return f"not valid YAML: {error.problem or error.context}{column}; check indentation, quotes and brackets"


def _line(place: Place, mark: yaml.Mark | None) -> Place:
    return place if place.on_command_line or mark is None else Place(place.source, mark.line + 1)


class _Reader:
    """Turns PyYAML's nodes into items, depth first."""

    def __init__(self, source: Place, faults: Faults) -> None:
        self.source = source
        self.faults = faults
        self.count = 0

    def read(self, node: yaml.Node, path: KeyPath, place: Place | None) -> Item:
        """One node. ``place`` is the line of its key; a node without one (a list's element) has its own line."""
        place = place or _line(self.source, node.start_mark)
        self.count += 1
        if self.count > MAX_VALUES:
            self.faults.raise_with(
                place, show_path(path), f"more than {MAX_VALUES} values; repeated YAML anchors multiply, write fewer"
            )
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return Item(self._mapping(node, path), place)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return Item([self.read(child, (*path, i), None) for i, child in enumerate(node.value)], place)
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_TAG) in ("null", "bool", "int", "float", "str"):
            return self._scalar(node, path, place)
        tag = "!!" + node.tag.removeprefix(_TAG) if node.tag.startswith(_TAG) else node.tag
        self.faults.add(place, show_path(path), f"found the YAML tag {tag}; tags are not allowed, write plain values")
        return Item(None, place, broken=True)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for key, child in node.value:
            place = _line(self.source, key.start_mark)
            if key.tag == _TAG + "merge":
                self.faults.add(place, show_path(path), "found the merge key <<; not supported, write the keys out")
            elif key.tag != _TAG + "str":
                shown = f"the key {key.value}" if isinstance(key, yaml.ScalarNode) else "a list or mapping as key"
                hint = f"put it in quotes: '{key.value}'" if isinstance(key, yaml.ScalarNode) else "write a name"
                self.faults.add(place, show_path(path), f"found {shown}; keys are text, {hint}")
            elif key.value in found:
                first = "" if place.on_command_line else f", first on line {found[key.value].place.line}"
                self.faults.add(place, show_path((*path, key.value)), f"the key is given twice{first}; keep one")
            else:
                found[key.value] = self.read(child, (*path, key.value), place)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath, place: Place) -> Item:
        kind = node.tag.removeprefix(_TAG)
        text: str = node.value
        value: Value = text
        try:
            if kind == "null":
                value = None
            elif kind == "bool":
                value = _BOOLEANS[text.lower()]
            elif kind == "int":
                value = int(text)
            elif kind == "float":
                value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except (KeyError, ValueError):
            self.faults.add(place, show_path(path), f"found {shorten(text)!r}, which is no !!{kind}; fix it")
            return Item(None, place, broken=True)
        return Item(value, place, text=text)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which puts text in quotes that `_Loader` would take for a number."""


_Dumper.add_implicit_resolver(_TAG + "float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


def write_document(plain: dict[str, Any]) -> str:
    """JSON-like values as YAML that `read_document` reads back the same, in lines of about 80 columns."""
    text = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=60, allow_unicode=True)
    return str(text)


def shorten(text: str) -> str:
    """At most 60 characters of the text, for a message."""
    return text if len(text) <= 60 else text[:57] + "..."

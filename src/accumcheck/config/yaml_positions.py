"""YAML to plain values that remember where they were written.

PyYAML builds the nodes; this module turns them into values, with two differences from YAML 1.1 that prevent surprises:
``1e-3`` is a number; dates, ``1:30`` and ``010`` are text. Tags other than the core ones, merge keys, duplicate keys,
and keys that are not text are errors. Size, values and levels are limited (`accumcheck.config.limits`), so that any
text is read or refused in a fraction of a second.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

import yaml

from accumcheck.config.faults import Faults, KeyPath, Place, shorten, show_path
from accumcheck.config.limits import DEPTH, FILE_BYTES, NUMBER_DIGITS, VALUES
from accumcheck.config.tree import Item, Value

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BOOLEANS = yaml.SafeLoader.bool_values


class _TooMuch(yaml.MarkedYAMLError):
    """The document has too many values or levels; `problem` says which."""


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

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count values and levels before more of the text is read."""
        self._values += 1
        self._depth += 1
        mark: yaml.Mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self._values > 2 * VALUES:  # each key is a separate node
            _refuse_values(mark)
        if self._depth > DEPTH:
            _refuse_depth(mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refuse_values(mark: yaml.Mark) -> NoReturn:
    raise _TooMuch(
        problem=f"more than {VALUES} values; each repetition of a YAML anchor counts; write fewer", problem_mark=mark
    )


def _refuse_depth(mark: yaml.Mark) -> NoReturn:
    raise _TooMuch(problem=f"nested too deeply; write at most {DEPTH} levels", problem_mark=mark)


_Loader.add_implicit_resolver(_TAG + "int", re.compile(f"(?:{_INT.pattern})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


def read_document(text: str, place: Place, faults: Faults) -> Item | None:
    """Read one YAML document.

    Args:
        text: the document.
        place: the file, or the ``--set``, it comes from; lines are counted in a file only.
        faults: where every error is noted.

    Returns:
        The document's value, or None if the document is empty or cannot be read (then `faults` says why).
    """
    if len(text) > FILE_BYTES:
        faults.add(place, "", f"longer than {FILE_BYTES} characters, which is the limit; write less")
        return None
    try:
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else _Reader(place, faults).read(node, (), place if place.on_command_line else None)
    except _TooMuch as error:
        faults.add(_line(place, error.problem_mark), "", str(error.problem))
    except yaml.MarkedYAMLError as error:
        faults.add(_line(place, error.problem_mark), "", _syntax_message(error))
    except yaml.reader.ReaderError as error:
        at = Place(place.source, text.count("\n", 0, error.position) + 1) if not place.on_command_line else place
        faults.add(at, "", f"not valid YAML: the character #x{int(error.character):04x} is not allowed; remove it")
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF", a huge %YAML number
        faults.add(place, "", f"not valid YAML: {shorten(' '.join(str(error).split()))}")
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
        """One node. ``place`` is the line of its key; a node without a key (a list's element) has its own line."""
        place = place or _line(self.source, node.start_mark)
        self.count += 1  # a second count: PyYAML counts a node that anchors repeat only once
        if self.count > VALUES:
            _refuse_values(node.start_mark)
        if len(path) >= DEPTH:
            _refuse_depth(node.start_mark)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return Item(self._mapping(node, path), place)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return Item([self.read(child, (*path, i), None) for i, child in enumerate(node.value)], place)
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_TAG) in ("null", "bool", "int", "float", "str"):
            return self._scalar(node, path, place)
        tag = shorten("!!" + node.tag.removeprefix(_TAG) if node.tag.startswith(_TAG) else node.tag)
        tag = tag if tag.isprintable() else repr(tag)
        self.faults.add(place, show_path(path), f"found the YAML tag {tag}; tags are not allowed, write plain values")
        return Item(None, place, broken=True)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for key, child in node.value:
            place = _line(self.source, key.start_mark)
            if key.tag == _TAG + "merge":
                self.faults.add(place, show_path(path), "found the merge key <<; not supported, write the keys out")
            elif key.tag != _TAG + "str":
                written = shorten(str(key.value)) if isinstance(key, yaml.ScalarNode) else ""
                shown = f"the key {written}" if written else "a list or mapping as key"
                way_out = f"put it in quotes: '{written}'" if written else "write a name"
                self.faults.add(place, show_path(path), f"found {shown}; keys are text, {way_out}")
            elif _CONTROL.search(key.value) or _HALVES.search(key.value):
                self.faults.add(place, show_path(path), f"found the key {shorten(key.value)!r}, {_NOT_TEXT}")
            elif key.value in found:
                first = "" if place.on_command_line else f", first on line {found[key.value].place.line}"
                self.faults.add(place, show_path((*path, key.value)), f"the key is given twice{first}; keep one")
            else:
                found[key.value] = self.read(child, (*path, key.value), place)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath, place: Place) -> Item:
        kind = node.tag.removeprefix(_TAG)
        text: str = node.value
        try:
            return Item(_value(kind, text), place, text=text)
        except (KeyError, ValueError):
            message = f"found {shorten(text)!r}, which is not a valid !!{kind}; fix it"
            if kind == "str":
                message = f"found {shorten(text)!r}, {_NOT_TEXT}"
            self.faults.add(place, show_path(path), message)
            return Item(None, place, broken=True)


def _value(kind: str, text: str) -> Value:
    """The value of a scalar.

    Raises:
        KeyError: the text is not a boolean.
        ValueError: it is not a number; or a control character, or half a character, was written as an escape.
    """
    if kind == "null":
        return None
    if kind == "bool":
        return bool(_BOOLEANS[text.lower()])
    if kind == "int":
        return int(text) if len(text) <= NUMBER_DIGITS else math.copysign(math.inf, -1 if text[0] == "-" else 1)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if _CONTROL.search(text):
        raise ValueError("control character")
    # two escapes, as JSON writes a character beyond 16 bits
    return text.encode("utf-16", "surrogatepass").decode("utf-16") if _HALVES.search(text) else text


_NOT_TEXT = "which has a control character or half a character; remove it"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HALVES = re.compile("[\ud800-\udfff]")


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper; it also quotes text that `_Loader` would read as a number."""


_Dumper.add_implicit_resolver(_TAG + "float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


def write_document(plain: dict[str, Any]) -> str:
    """JSON-like values as YAML that `read_document` reads back the same, in lines of about 80 columns."""
    text = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=60, allow_unicode=True)
    return str(text)

"""Flags that are the fields of dataclasses: HfArgumentParser, TrlParser, tyro, simple-parsing, draccus."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from accumcheck.source.flags.flag import Flag, constant, flag_of, keyword, name_of
from accumcheck.source.names import identifiers_in, imported_packages

_PARSERS = {"HfArgumentParser", "TrlParser", "DataclassArgumentParser", "add_arguments", "cli", "parse", "wrap"}
_MODULES = {"tyro", "simple_parsing", "draccus", "pyrallis", "jsonargparse"}


def flags_of_classes(trees: Sequence[ast.AST]) -> Iterator[Flag]:
    """The fields of every dataclass that is named in a call of such a parser."""
    parsed = {name for tree in trees for name in _parsed(tree)}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name in parsed and _is_dataclass(node):
                yield from filter(None, map(_field, node.body))


def _parsed(tree: ast.AST) -> Iterator[str]:
    modules = set(imported_packages(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) in _PARSERS:
            if name_of(node.func) in ("cli", "parse", "wrap", "add_arguments") and not modules & _MODULES:
                continue
            for one in (*node.args, *(key.value for key in node.keywords)):
                yield from identifiers_in(one)


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(name_of(one.func if isinstance(one, ast.Call) else one) == "dataclass" for one in node.decorator_list)


def _field(node: ast.stmt) -> Flag | None:
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return None
    default, is_given = node.value, node.value is not None
    if isinstance(default, ast.Call) and name_of(default.func) in ("field", "Field", "HfArg", "list_field"):
        is_given = any(one.arg in ("default", "default_factory") for one in default.keywords)
        default = keyword(default, "default")
    is_switch = isinstance(node.annotation, ast.Name) and node.annotation.id == "bool"
    return flag_of([f"--{node.target.id}"], default=constant(default), required=not is_given, takes_value=not is_switch)

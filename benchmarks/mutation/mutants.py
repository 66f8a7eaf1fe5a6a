"""The mutants of the installed packages, and how to apply one to a running process."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from mutation.operators import changes, is_skipped
from mutation.targets import TARGETS, Target

Path_ = tuple[tuple[str, int | None], ...]
"""The path from a function to a node in it: names of fields, and positions in lists."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function. ``id`` only depends on the release."""

    id: str
    suite: str
    module: str
    function: str
    line: int
    operator: str
    before: str
    after: str


@cache
def source_of(module: str) -> tuple[str, str] | None:
    """The source and the file of a module, without importing it; None if it is not installed."""
    found = Path(*module.split("."))
    spec = importlib.util.find_spec(found.parts[0])
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*found.parts[1:]).with_suffix(".py")
    return path.read_text(encoding="utf-8"), str(path)


def every(suites: tuple[str, ...] = ("trainer", "accelerate", "sft")) -> list[Mutant]:
    """All mutants of these suites, in the order of the source."""
    return [mutant for target in TARGETS if target.suite in suites for mutant, _, _ in _of(target)]


def apply(id_: str) -> None:
    """Apply a mutant to this process: the code of its function is replaced, but no file is changed.

    Raises:
        StopIteration: there is no such mutant.
    """
    target = next(one for one in TARGETS if id_.startswith(f"{one.module}:"))
    mutant, path, instead = next(found for found in _of(target) if found[0].id == id_)
    source = source_of(mutant.module)
    assert source is not None
    tree, (*classes, name) = ast.parse(source[0]), mutant.function.split(".")
    function = _find(tree, [*classes, name])
    _replace(function, path, instead)
    function.decorator_list = []
    whole: Any = function
    for outer in reversed(classes):  # super() and private names need the class, but nothing else of it
        inner, whole = whole, ast.parse(f"class {outer}: ...").body[0]
        whole.body = [inner]
    module = ast.fix_missing_locations(ast.Module([whole], []))
    code = _code_of(compile(module, source[1], "exec"), [*classes, name])
    function_of(mutant.module, mutant.function).__code__ = code


def function_of(module: str, name: str) -> Any:
    """The plain function of a method, property, decorated function or context manager."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = found.__dict__[part]
    found = found.fget if isinstance(found, property) else found
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found


def _of(target: Target) -> Iterator[tuple[Mutant, Path_, ast.AST]]:
    """Each mutant of a target, with the path to the changed node and the new node."""
    source = source_of(target.module)
    if source is None:
        return
    tree = ast.parse(source[0])
    for name in target.functions:
        counts: dict[str, int] = {}
        for path, node in _nodes(_find(tree, name.split("."))):
            for operator, changed in changes(node):
                instead = ast.fix_missing_locations(ast.copy_location(changed, node))
                key = f"{target.module}:{name}:{node.lineno}:{operator.replace(' ', '-')}"
                counts[key] = counts.get(key, 0) + 1
                before, after = (ast.unparse(one).split("\n")[0] for one in (node, instead))
                id_ = f"{key}:{counts[key]}"
                yield (
                    Mutant(id_, target.suite, target.module, name, node.lineno, operator, before, after),
                    path,
                    instead,
                )


def _nodes(node: ast.AST, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every node below with its path, without decorators and the nodes of `is_skipped`."""
    for name, value in ast.iter_fields(node):
        if name in ("decorator_list", "returns", "annotation"):
            continue
        for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not is_skipped(child):
                here = (*path, (name, at))
                if hasattr(child, "lineno"):
                    yield here, child
                yield from _nodes(child, here)


def _replace(node: Any, path: Path_, instead: ast.AST) -> None:
    *above, (name, at) = path
    for field, position in above:
        value = getattr(node, field)
        node = value if position is None else value[position]
    old = getattr(node, name) if at is None else getattr(node, name)[at]
    ast.copy_location(instead, old)
    if at is None:
        setattr(node, name, instead)
    else:
        getattr(node, name)[at] = instead


def _find(node: Any, names: list[str]) -> Any:
    for name in names:
        # for a property with a setter, the getter comes first
        node = next(child for child in node.body if getattr(child, "name", None) == name)
    return node


def _code_of(code: CodeType, names: list[str]) -> CodeType:
    for name in names:
        code = next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)
    return code

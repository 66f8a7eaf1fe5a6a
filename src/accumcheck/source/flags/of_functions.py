"""Flags that are the parameters of a function: typer, fire, tyro, plac."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from accumcheck.source.flags.flag import Flag, constant, flag_of, keyword, name_of

_RUNNERS = {("typer", "run"), ("fire", "Fire"), ("tyro", "cli"), ("plac", "call"), ("defopt", "run")}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def flags_of_functions(trees: Sequence[ast.AST]) -> Iterator[Flag]:
    """The parameters of every function that is a command of typer, or is passed to one of the other libraries."""
    for tree in trees:
        has_typer = any(isinstance(node, ast.Name) and node.id in ("typer", "Typer") for node in ast.walk(tree))
        passed = set(_passed_functions(tree))
        for node in ast.walk(tree):
            if isinstance(node, Function):
                is_command = has_typer and any(_is_command(one) for one in node.decorator_list)
                dashes = is_command or ("typer", node.name) in passed
                if is_command or any(name == node.name for _, name in passed):
                    yield from _parameters(node, dashes=dashes)


def _passed_functions(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            module = name_of(node.func.value)
            if (module, node.func.attr) in _RUNNERS and isinstance(node.args[0], ast.Name):
                yield module, node.args[0].id


def _is_command(node: ast.expr) -> bool:
    node = node.func if isinstance(node, ast.Call) else node
    return isinstance(node, ast.Attribute) and node.attr in ("command", "callback")


def _parameters(function: Function, *, dashes: bool) -> Iterator[Flag]:
    """The flags of a function. With ``dashes``, an underscore becomes a dash, as in typer."""
    given = function.args
    places = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(places) - len(given.defaults))
    defaults = [*missing, *given.defaults]
    for one, default in [*zip(places, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]:
        if one.arg not in ("self", "cls"):
            yield _parameter(one, default, dashes=dashes)


def _parameter(one: ast.arg, default: ast.expr | None, *, dashes: bool) -> Flag:
    marks = [node for node in ast.walk(one.annotation or ast.Pass()) if isinstance(node, ast.Call)]
    marks += [default] if isinstance(default, ast.Call) else []
    mark = next((node for node in marks if name_of(node.func) in ("Option", "Argument")), None)
    names = [f"--{one.arg.replace('_', '-') if dashes else one.arg}"]
    is_given = default is not None
    if mark is not None and mark is default:  # typer.Option(8, "--batch")
        first = mark.args[0] if mark.args else keyword(mark, "default")
        is_given = first is not None and constant(first) is not ...
        default = first if is_given else None
    if mark is not None:
        named = [node.value for node in mark.args if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        names = [name.partition("/")[0] for name in named if name.startswith("-")] or names
        if name_of(mark.func) == "Argument":
            names = []
    elif not is_given and dashes:
        names = []
    is_switch = isinstance(one.annotation, ast.Name) and one.annotation.id == "bool" and dashes
    return flag_of(names, one.arg, default=constant(default), required=not is_given, takes_value=not is_switch)

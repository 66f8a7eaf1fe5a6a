"""Flags that are global variables of the script, which executes a file that sets them from ``--name=value``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from accumcheck.source.files import SourceFile, text_of
from accumcheck.source.flags.flag import Flag, constant, flag_of, name_of


def flags_of_globals(script: SourceFile) -> Iterator[Flag]:
    """The global constants of a script, if it executes a file that sets globals from ``sys.argv``."""
    if script.tree is None or not any(_sets_globals(script, name) for name in _executed(script.tree)):
        return
    for node in script.tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = constant(node.value)
            if isinstance(value, (bool, int, float, str)):
                yield flag_of([f"--{node.targets[0].id}"], default=value, joined=True)


def _executed(tree: ast.AST) -> Iterator[str]:
    """The names of files in calls of ``exec``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) == "exec":
            for one in ast.walk(node):
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value.endswith(".py"):
                    yield one.value


def _sets_globals(script: SourceFile, name: str) -> bool:
    text = text_of(script.path.parent / name)
    return ("globals()" in text and "sys.argv" in text) or ("globals()" in text and "from sys import argv" in text)

"""The text below each field of a class: its meaning. It is not an attribute, so it is read from the source."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from typing import Any


def texts_below_fields(kind: type[Any]) -> dict[str, str]:
    """The texts by the names of the fields, each on one line; none if the class's source is missing."""
    body = _classes(kind.__module__).get(kind.__name__, [])
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


@cache
def _classes(module: str) -> dict[str, list[ast.stmt]]:
    """The statements in each class of a module."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # a console, or a module that is not written in Python
        return {}
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}

"""Whether a model class computes a loss from its labels, read from the source of its forward.

Some classes take labels only to refuse them ("training is not implemented yet"), or never use them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any


def computes_loss(cls: Any, labels: Iterable[str]) -> bool:
    """Whether forward uses its labels and does not refuse them.

    Labels are refused if a test that they are given is followed by nothing but an error. They are used if forward has a
    name with ``loss`` in it, or gives them to another call under their own name.

    Args:
        cls: the class.
        labels: the parameters of its forward that hold labels.

    Returns:
        True if it does, or if there is no source to read.
    """
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(cls.forward)))
        body = ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return True
    names = frozenset(labels)
    if any(_is_refusal(node, names) for node in ast.walk(body)):
        return False
    return any("loss" in name.lower() for name in _names(body)) or any(
        _is_handed_on(node, names) for node in ast.walk(body)
    )


def _is_refusal(node: ast.AST, labels: frozenset[str]) -> bool:
    """``if labels is not None: raise ...``."""
    if not isinstance(node, ast.If) or not isinstance(node.body[0], ast.Raise):
        return False
    match node.test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return name in labels
    return False


def _is_handed_on(node: ast.AST, labels: frozenset[str]) -> bool:
    """``self.model(labels=labels)``, or all arguments to the base class."""
    return isinstance(node, ast.keyword) and node.arg in labels


def _names(body: ast.AST) -> Iterator[str]:
    for node in ast.walk(body):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name

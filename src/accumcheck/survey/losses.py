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
    name with ``loss`` in it, or gives them to another call under their own name and does not drop that call's loss.

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
    if any("loss" in name.lower() for name in _names(body)):
        return True
    handed_on = [node for node in ast.walk(body) if isinstance(node, ast.Call) and _has_keyword(node, names)]
    return bool(handed_on) and not _leaves_out(body, handed_on)


def _is_refusal(node: ast.AST, labels: frozenset[str]) -> bool:
    """``if labels is not None: raise ...``."""
    if not isinstance(node, ast.If) or not isinstance(node.body[0], ast.Raise):
        return False
    match node.test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return name in labels
    return False


def _has_keyword(call: ast.Call, names: frozenset[str]) -> bool:
    """``self.model(labels=labels)``, or all arguments to the base class."""
    return any(keyword.arg in names for keyword in call.keywords)


def _leaves_out(body: ast.AST, handed_on: list[ast.Call]) -> bool:
    """Whether everything that is returned is made anew by a call with named fields, as ``Output(logits=logits)``.

    No field is a loss then, because no name in forward is one; ``**fields`` may have one.
    """
    returned = [node.value for node in ast.walk(body) if isinstance(node, ast.Return) and node.value is not None]
    return bool(returned) and all(
        isinstance(value, ast.Call)
        and value not in handed_on
        and not value.args
        and bool(value.keywords)
        and all(keyword.arg is not None for keyword in value.keywords)
        for value in returned
    )


def _names(body: ast.AST) -> Iterator[str]:
    for node in ast.walk(body):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name

"""One flag of a program's command line."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag.

    Attributes:
        names: with their dashes; the first is written on new command lines. Empty for a positional argument.
        key: the name of its value in the program, in lower case, with underscores.
        default: the default, if it is a constant.
        required: whether the program refuses to start without it.
        takes_value: whether a value follows; otherwise it is a switch.
        joined: whether the program accepts only ``--name=value``, as one word.
    """

    names: tuple[str, ...]
    key: str
    default: object = None
    required: bool = False
    takes_value: bool = True
    joined: bool = False

    @property
    def name(self) -> str:
        """The flag in messages: ``--batch_size``, or the name of a positional argument."""
        return self.names[0] if self.names else self.key

    def has_name(self, word: str) -> bool:
        """Whether a word on a command line is this flag. Dashes and underscores are equal, as in most parsers."""
        return word.startswith("-") and word.replace("_", "-") in {name.replace("_", "-") for name in self.names}


def flag_of(names: Sequence[str], key: str = "", **more: object) -> Flag:
    """A flag with these names. The key is the longest name unless it is given."""
    longest = max(names, key=len) if names else key
    return Flag(tuple(_long_first(names)), (key or longest).lstrip("-").replace("-", "_").lower(), **more)  # type: ignore[arg-type]


def constant(node: ast.AST | None) -> object:
    """The value of a literal, of a negative literal or of a product of literals; None for anything else."""
    if node is None:
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = constant(node.left), constant(node.right)
        both = isinstance(left, (int, float)) and isinstance(right, (int, float))
        return left * right if both else None  # type: ignore[operator]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def name_of(node: ast.AST) -> str:
    """The last part of a name: ``typer.Option`` gives Option; empty if the node is not a name."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def _long_first(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: not name.startswith("--"))

"""Flags that are declared by calls: argparse and its relatives, absl, click's decorators."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from accumcheck.source.flags.flag import Flag, constant, flag_of, keyword, name_of

_SWITCHES = ("store_true", "store_false", "store_const", "count", "help", "version")
_CLICK = ("option", "argument")


def flags_of_calls(tree: ast.AST) -> Iterator[Flag]:
    """The flags of ``add_argument(...)``, ``DEFINE_integer(...)`` and ``@click.option(...)``."""
    has_click = any(isinstance(node, ast.Name) and node.id == "click" for node in ast.walk(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = name_of(node.func)
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if not texts:
            continue
        if called in ("add_argument", "add_arg") or (has_click and called in _CLICK):
            yield _declared(node, texts, is_click=called in _CLICK)
        elif called.startswith("DEFINE_"):
            yield flag_of([f"--{texts[0]}"], default=constant(node.args[1]) if len(node.args) > 1 else None)


def _declared(call: ast.Call, texts: list[str], *, is_click: bool) -> Flag:
    names = [text for one in texts for text in (one.split("/")[:1] if is_click else [one]) if text.startswith("-")]
    others = [text for text in texts if not text.startswith("-")]
    action, dest = keyword(call, "action"), constant(keyword(call, "dest"))
    is_switch = constant(action) in _SWITCHES or (action is not None and name_of(action) == "BooleanOptionalAction")
    is_switch |= constant(keyword(call, "is_flag")) is True or (is_click and any("/" in text for text in texts))
    default = constant(keyword(call, "default"))
    nargs = constant(keyword(call, "nargs"))
    key = dest if isinstance(dest, str) else others[0] if others else ""
    required = constant(keyword(call, "required")) is True
    if not names:  # a positional argument
        required = nargs not in ("?", "*") and keyword(call, "default") is None
    return flag_of(names, key, default=default, required=required, takes_value=not is_switch)

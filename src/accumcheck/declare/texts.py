"""Types of keys that several stacks share: command-line words, files, modules, functions, models."""

from __future__ import annotations

from typing import Annotated

from accumcheck.declare.keys import Checked, Text, refuse
from accumcheck.declare.placeholders import unknown


def _with_placeholders(word: str) -> str:
    """The word, after checking its placeholders."""
    if message := unknown(word):
        raise refuse(message)
    return word


_WORD = Checked(after=_with_placeholders, json=lambda _: {"type": ["string", "number", "boolean"]})
Words = tuple[Annotated[str, _WORD], ...]
"""Command-line words, perhaps with placeholders; numbers and booleans are kept as they are written."""

MODULE = Text("a module, for example trl.scripts.sft", r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
FUNCTION = Text(
    "module:function, for example my_package.train:build_trainer, or file.py:function",
    r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*|.*[^/]\.py):[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$",
    located="function",
)
MODEL = Text("a hub id, or a local directory that begins with ./, ../, / or ~", located="directory")

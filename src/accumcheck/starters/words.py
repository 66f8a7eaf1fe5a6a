"""Parts of a configuration's text: comments, lists, command lines."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Sequence

_WIDTH = 110
_PLAIN = re.compile(r"--?[A-Za-z][\w-]*|\.{0,2}/?[A-Za-z_][\w./-]*")
_SPECIAL = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def comment(text: str) -> str:
    """The text on one line, so that it cannot end a comment."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def listed(texts: Iterable[str]) -> list[str]:
    """Comment lines, one item each, wrapped."""
    lines = []
    for text in texts:
        lines += textwrap.wrap(
            comment(text),
            _WIDTH,
            initial_indent="#   ",
            subsequent_indent="#     ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def yaml_words(words: Sequence[str], indent: str) -> str:
    """A command line in YAML: on one line if it is short, else a flag and its value on each line."""
    if not words:
        return " []"
    one_line = f" [{', '.join(map(_word, words))}]"
    if len(one_line) <= _WIDTH - 40:
        return one_line
    groups: list[list[str]] = []
    for word in words:
        if groups and len(groups[-1]) == 1 and groups[-1][0].startswith("-") and not word.startswith("-"):
            groups[-1].append(word)
        else:
            groups.append([word])
    rows = [f"{indent}{', '.join(map(_word, group))},\n" for group in groups]
    return f"\n{indent[:-2]}  [\n  {'  '.join(rows)}{indent}]"


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word) and word.lower() not in _SPECIAL:
        return word
    return json.dumps(word)

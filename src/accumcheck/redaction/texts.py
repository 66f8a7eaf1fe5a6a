"""Secrets in running text: messages, logs, tracebacks, printed configurations."""

from __future__ import annotations

import re

from accumcheck.redaction.names import HIDDEN, is_secret_name, is_secret_value
from accumcheck.redaction.shapes import without_shapes
from accumcheck.redaction.variables import secret_values

_NAME = r"(?P<name>[A-Za-z_](?:[\w.-]|\[\d+\])*)"
_START = r"(?<![\w.-])(?<!\d\])"
_QUOTED = r"""(?P<quote>\\*["'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\\n]))*)"""
_WORD = r"""(?P<word>(?!\(hidden\))[^\s,;&"'<>()\[\]{}=][^\s,;&"'<>)\]}]*?)(?=:?(?:[\s,;&"'<>)\]}]|\Z))"""
_BEFORE_VALUE = (
    # key=value, --key=value, key = "value"
    rf"{_START}-{{0,2}}{_NAME}[ ]?=[ ]?(?:[bru]?{_QUOTED}|{_WORD})",
    # "key": "value", as JSON and Python write a mapping
    rf"""(?P<open>(?<!\\)\\*["'])-{{0,2}}{_NAME}(?P=open)\s*:\s*[bru]?{_QUOTED}""",
    # {key: value}, as YAML writes a mapping on one line
    rf"[{{,]\s*{_NAME}:[ ]+(?:{_QUOTED}|(?P<word>[^\s,{{}}\"'][^,{{}}\n]*))(?=\\*[\"']?\s*[,}}])",
    # key: value, on a line of its own
    rf"(?m)^[ ]*(?:-[ ]+)?{_NAME}:[ ]+(?:{_QUOTED}[\"']|(?P<word>[^\s\"']\S*))[ ]*$",
    # key: found 'value'; expected ..., as a message about a configuration quotes what it found
    rf"{_START}{_NAME}(?:[ ]\([\w.\[\]-]+\))?: found {_QUOTED}",
    # --flag value, on a command line, in a list of its words or as lines of YAML
    rf"(?<![\w-])--?{_NAME}(?:[ ]+|\\*[\"'],\s*(?=\\*[\"'])|[ ]*\n[ ]*-[ ]+)(?!--)(?:{_QUOTED}|{_WORD})",
)
_PATTERNS = tuple(map(re.compile, _BEFORE_VALUE))


def redacted_text(text: str) -> str:
    """The text with its secrets replaced by `HIDDEN`; what is hidden already is unchanged."""
    return without_named(without_shapes(without_values(text, secret_values())))


def without_values(text: str, values: re.Pattern[str] | None) -> str:
    """The text without these values."""
    return text if values is None else values.sub(HIDDEN, text)


def without_named(text: str) -> str:
    """The text without values under a secret's name, or after its flag."""
    for pattern in _PATTERNS:
        text = pattern.sub(_hide, text)
    return text


def _hide(found: re.Match[str]) -> str:
    part = "value" if found["value"] is not None else "word"
    if not is_secret_name(found["name"]) or not is_secret_value(found["name"], found[part]):
        return found[0]
    start, end = (at - found.start() for at in found.span(part))
    return found[0][:start] + HIDDEN + found[0][end:]

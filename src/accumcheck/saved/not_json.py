"""What a file is that was given as a report but is not JSON: a page, a configuration, a damaged report."""

from __future__ import annotations

import json
import re

_MARKUP = (
    (r"<!doctype html|<html", "an HTML page"),
    (r"<\?xml|<testsuite", "XML, such as a JUnit report"),
    (r"<", "markup"),
)
_YAML_KEY = re.compile(r"^([A-Za-z_]\w*):(?:\s|$)", re.MULTILINE)
_OF_CONFIGURATION = {"global_batch_size", "splits", "model", "stack", "script", "training_arguments"}
CONFIGURATION = "a configuration (YAML)"
CUT_OFF = "JSON that ends in the middle"
_HALF = re.compile(r"[\w.+\\-]*")
"""The beginning of a number, of ``true``, ``false`` or ``null``, or of an escape in a text."""
_FAR = 20_000
"""Characters of a text that are looked at."""


def what_it_is(text: str, error: json.JSONDecodeError) -> str:
    """A text that is not JSON, in a few words that follow "found".

    Args:
        text: the whole text.
        error: why it is not JSON.
    """
    start = text.lstrip()[:_FAR]
    if not start:
        return "an empty file"
    for pattern, name in _MARKUP:
        if re.match(pattern, start, re.IGNORECASE):
            return name
    if start[0] in "{[":
        return _damaged(text, error)
    keys = set(_YAML_KEY.findall(start))
    if keys & _OF_CONFIGURATION:
        return CONFIGURATION
    return "YAML" if keys else "a text that is not JSON"


def _damaged(text: str, error: json.JSONDecodeError) -> str:
    """JSON with an error in it."""
    if error.msg == "Extra data":
        return f"more than one JSON value (the second begins in line {error.lineno})"
    if _HALF.fullmatch(text[error.pos :].rstrip()) or error.msg.startswith("Unterminated string"):
        return f"{CUT_OFF} (line {text.rstrip().count(chr(10)) + 1})"
    return f"JSON with an error in line {error.lineno}, column {error.colno} ({error.msg})"

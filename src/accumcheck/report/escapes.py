"""Texts from logs, models and other people's files, made safe to show."""

from __future__ import annotations

import re

# https://www.w3.org/TR/xml/#charsets: the characters that XML documents must not contain, not even as a reference.
_ILLEGAL = re.compile("[^\\t\\n\\r -\\ud7ff\\ue000-\\ufffd\U00010000-\U0010ffff]")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Without terminal escapes and control characters: a log or a model's name must not move the cursor."""
    return _ESCAPES.sub("", text).replace("\t", " ")


def legal(text: str) -> str:
    """The text with characters that XML and HTML do not allow written as Python escapes."""
    return _ILLEGAL.sub(lambda found: ascii(found[0])[1:-1], text)

"""Names of secrets, in every spelling: ``hub_token``, ``hub-token``, ``hubToken``, ``HUB_TOKEN``."""

from __future__ import annotations

import re
from functools import lru_cache

HIDDEN = "(hidden)"
"""Replaces a secret."""

_ALWAYS = frozenset({"password", "passwd", "passphrase", "secret", "credential", "authorization", "cookie"})
"""The last word of a secret's name."""
_KEYS = frozenset(
    {"access", "account", "api", "auth", "deploy", "encryption", "license", "master", "private", "secret", "service"}
    | {"signing", "ssh", "storage"}
)
"""Words that make a key a secret; ``sort_key`` is not one."""
_GLUED = re.compile(
    r"(?:password|passwd|passphrase|secret|(?:api|private|access|secret|auth|signing|encryption)key"
    r"|(?:access|api|auth|bearer|hf|hub|refresh|session)token)s?$"
)
"""The end of a secret's name that is written as one word."""
_VOCABULARY = frozenset(
    {"eos", "bos", "pad", "padding", "unk", "unknown", "sep", "separator", "cls", "mask", "special", "added"}
    | {"image", "img", "video", "audio", "vision", "speech", "boi", "eoi", "boa", "eoa", "bov", "eov", "patch", "frame"}
    | {"start", "begin", "end", "stop", "first", "last", "next", "previous", "new", "newline", "space", "placeholder"}
    | {"row", "column", "word", "text", "chat", "role", "assistant", "system", "tool", "prompt", "response", "query"}
    | {"think", "thinking", "reasoning", "answer", "summary", "class", "classification", "distillation", "register"}
    | {"language", "lang", "source", "target", "decoder", "encoder", "timestamp", "context", "per"}
)
"""Words that make a token one of a tokenizer's; ``pad_token`` is not a secret."""
_LOGINS = frozenset(
    {"access", "api", "auth", "bearer", "bot", "gh", "github", "gitlab", "hf", "hub", "personal", "refresh", "secret"}
    | {"session", "service", "wandb"}
)
"""Words that make several tokens secrets: ``hub_tokens``, unlike ``max_tokens``."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NEUTRAL = frozenset({"value", "base", "b"})

_OPEN_WORDS = frozenset({"", "true", "false", "none", "null", "yes", "no", "on", "off", "auto", HIDDEN})
_REFERENCE = re.compile(r"\$\{?\w+\}?|\$\{\{[^{}]*\}\}|\{\w*\}|%\w+%|\*+|\.\.\.")
"""A variable or a placeholder, which is filled in elsewhere; or a value that is hidden already."""
_SPECIAL_TOKEN = re.compile(r"<[^<>]*>|\[[^\[\]]+\]|[^\w\s]+|[0-9]+")
"""A tokenizer's special token: ``</s>``, ``<|im_end|>``, ``[PAD]``; or its number."""
_EXPRESSION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
"""An attribute in a line of code: ``args.hub_token``."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a key, a flag or a variable of this name holds a secret; for a dotted path its last part decides."""
    words = _words(name)
    while len(words) > 1 and (words[-1] in _NEUTRAL or words[-1].isdigit()):
        words.pop()
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _ALWAYS or last.removesuffix("s") in _ALWAYS or _GLUED.search("".join(words)):
        return True
    if last == "pwd":  # alone it is the working directory
        return bool(before)
    if last in ("key", "keys"):
        return before in _KEYS
    if last == "token":
        return before not in _VOCABULARY
    return last == "tokens" and before in _LOGINS


def is_secret_value(name: str, value: str) -> bool:
    """Whether the value under a secret's name is a secret: a placeholder, a line of code or a special token is not."""
    value = value.strip()
    if value.lower() in _OPEN_WORDS or _REFERENCE.fullmatch(value) or value.lower() == name.lower().replace("-", "_"):
        return False
    if _EXPRESSION.fullmatch(value) and is_secret_name(value):
        return False
    words = _words(name)
    return not (words and words[-1] in ("token", "tokens") and _SPECIAL_TOKEN.fullmatch(value))


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name.rpartition(".")[2])]

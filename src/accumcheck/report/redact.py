"""Reports are shared: what opens a door is not written into them."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "(hidden)"
_SECRET = re.compile(r"(?:^|_)(?:token|password|passwd|secret|api_?key|access_?key|credentials)$", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")


def without_secrets(config: dict[str, Any]) -> dict[str, Any]:
    """The resolved configuration with tokens and passwords hidden, and the user's part of addresses.

    Only text is hidden, and nothing of the model's own configuration: its tokens (``eos_token``) are words.
    """
    hidden: dict[str, Any] = _hide(config)
    if isinstance(model := config.get("model"), dict) and "config" in model:
        hidden["model"]["config"] = model["config"]
    return hidden


def _hide(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _hide(item, str(name)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide(item, key) for item in value]
    if isinstance(value, str):
        return HIDDEN if value and _SECRET.search(key) else _USER_IN_URL.sub(f"{HIDDEN}@", value)
    return value

"""What a stack's script has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Feeds = Literal["tensors", "texts"]
"""What its rows are: the inputs of a model, or texts that the stack's trainer tokenizes itself."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One stack's part of a script.

    Attributes:
        stack: its name.
        feeds: what its rows are.
        imports: its lines of imports; ``{model_class}`` stands for the model's class.
        loop: the lines that train, to the reported ``loss``; ``{more}`` stands for a case's own arguments.
        parts: of a script with texts, its other lines by name; see `accumcheck.reproduce.scripts.texts`.
    """

    stack: str
    feeds: Feeds
    imports: str
    loop: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)

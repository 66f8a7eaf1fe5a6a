"""The part of a script that belongs to one stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Feeds = Literal["tensors", "texts"]
"""What the rows are: inputs of a model, or texts that the stack's trainer tokenizes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One stack's part of a script.

    Attributes:
        stack: the name of the stack.
        feeds: what the rows are.
        imports: the import lines; ``{model_class}`` is replaced by the model's class.
        loop: the lines that train and set the reported ``loss``; ``{more}`` is replaced by the case's arguments.
        parts: the other lines of a script with texts, by name; see `accumcheck.reproduce.scripts.texts`.
    """

    stack: str
    feeds: Feeds
    imports: str
    loop: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)

"""What is wrong, and the matching published faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from accumcheck.record.in_json import LATER, Keys, SplitLabel
from accumcheck.record.split import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, in words an ML engineer understands."""

    id: str
    severity: Severity | Literal["error"]
    splits: tuple[SplitLabel, ...]
    """Empty: the run as a whole."""
    loss_rule: str | None = field(default=None, kw_only=True)
    """The weighting rule of the reported loss, if this is about one."""
    gradient_rule: str | None = field(default=None, kw_only=True)
    """The weighting rule of the gradient, if this is about one."""
    summary: str
    """What is wrong and how much, in one sentence."""
    explanation: str = ""
    """What the stack does, and why, if that was seen."""
    consequence: str = field(default="", metadata=LATER)
    """What this does to training; may be empty."""
    advice: str = field(default="", metadata=LATER)
    """What to do; may be empty."""
    expected: str = field(default="", metadata=LATER)
    """Why this failure is expected, as the configuration says; empty: it is not."""
    source: str | None = None
    """The line of code that computes it, file:line."""
    known: tuple[
        Annotated[
            dict[str, Any],
            Keys(
                "KnownFault",
                {
                    "title": "",
                    "url": "",
                    "affected": "Packages and their releases, as PEP 440 specifiers.",
                    "fixed": "The release that fixes it, or the last release known not to.",
                    "workaround": "",
                },
            ),
        ],
        ...,
    ] = ()
    """Matching published faults: release, rule and architecture fit."""

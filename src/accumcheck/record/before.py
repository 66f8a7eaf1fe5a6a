"""What a run with a hot-fix came to without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accumcheck.record.in_json import OneOf, SplitLabel
from accumcheck.record.reference import Divergence
from accumcheck.record.split import Verdict


@dataclass(frozen=True, slots=True)
class SplitBefore:
    """One split without the hot-fix."""

    split: SplitLabel
    verdict: Verdict
    loss_rule: str | None
    """How reported losses were weighted."""
    gradient_rule: str | None
    """How gradients were weighted."""
    worst: Divergence
    """From the reference: the largest differences of all steps."""


@dataclass(frozen=True, slots=True)
class Before:
    """What the run came to without the hot-fix; the rest of the report is of the run with it."""

    hotfix: str
    """Its name."""
    price: str
    """What the hot-fix costs."""
    verdict: Verdict
    exit_code: Annotated[int, OneOf((0, 1, 3))]
    loss_rule: str | None
    """How reported losses were weighted."""
    gradient_rule: str | None
    """How gradients were weighted."""
    splits: tuple[SplitBefore, ...]

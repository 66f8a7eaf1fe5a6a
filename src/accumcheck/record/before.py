"""The result of a hot-fix's run when it is repeated without the hot-fix."""

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
    """Differences from the reference, the largest of all steps."""


@dataclass(frozen=True, slots=True)
class Before:
    """The result without the hot-fix; the rest of the report is about the run with it."""

    hotfix: str
    """Its name."""
    price: str
    """The cost of the hot-fix."""
    verdict: Verdict
    exit_code: Annotated[int, OneOf((0, 1, 3))]
    loss_rule: str | None
    """How reported losses were weighted."""
    gradient_rule: str | None
    """How gradients were weighted."""
    splits: tuple[SplitBefore, ...]

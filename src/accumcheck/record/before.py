"""What a run with a hot-fix came to without it."""

from __future__ import annotations

from dataclasses import dataclass

from accumcheck.record.reference import Divergence
from accumcheck.record.split import Verdict


@dataclass(frozen=True, slots=True)
class SplitBefore:
    """One split without the hot-fix; ``worst``: its largest differences from the reference, of all steps."""

    split: str
    verdict: Verdict
    loss_rule: str | None
    gradient_rule: str | None
    worst: Divergence


@dataclass(frozen=True, slots=True)
class Before:
    """The run without it. ``hotfix``: its name; ``price``: what it costs, in words."""

    hotfix: str
    price: str
    verdict: Verdict
    exit_code: int
    loss_rule: str | None
    gradient_rule: str | None
    splits: tuple[SplitBefore, ...]

"""What a detector looks at, and what it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from accumcheck.judge.evidence import Evidence
from accumcheck.judge.explanation import Explanation
from accumcheck.record import Finding, Split, SplitResult
from accumcheck.record.rule import Rule


@dataclass(frozen=True)
class Detected:
    """One finding, and what it means for splits.

    ``condemned``: those that fail because of it, with the rule that they are given: none is fitted to them, and no more
    is said of how they diverge; ``failed``: those that fail because of it, though their gradients may be right;
    ``accounts_for``: more splits of whose divergence no more is said.
    """

    finding: Finding
    condemned: Mapping[Split, Rule] = field(default_factory=dict)
    failed: frozenset[Split] = frozenset()
    accounts_for: frozenset[Split] = frozenset()


@dataclass(frozen=True)
class Judged:
    """A run whose rules and verdicts are known: ``results`` are of every requested split.

    ``accounted``: splits of whose divergence a finding has said enough.
    """

    seen: Evidence
    explanation: Explanation
    results: tuple[SplitResult, ...]
    accounted: frozenset[Split]


Structural = Callable[[Evidence], Iterator[Detected]]
"""A detector of faults that have no formula; it runs before rules are fitted."""

Consequent = Callable[[Judged], Iterator[Detected]]
"""A detector that needs rules and verdicts."""

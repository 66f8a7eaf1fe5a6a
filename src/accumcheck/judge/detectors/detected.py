"""The input and the output of detectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from accumcheck.judge.evidence import Evidence
from accumcheck.judge.explanation import Explanation
from accumcheck.record import Finding, Split, SplitResult
from accumcheck.record.rule import Rule


@dataclass(frozen=True)
class Detected:
    """One finding, and its effect on splits.

    ``condemned``: splits that fail because of it, with their rule: no rule is fitted to them, and their divergence is
    not reported again; ``failed``: splits that fail because of it, though their gradients may be right;
    ``accounts_for``: more splits whose divergence is not reported again.
    """

    finding: Finding
    condemned: Mapping[Split, Rule] = field(default_factory=dict)
    failed: frozenset[Split] = frozenset()
    accounts_for: frozenset[Split] = frozenset()


@dataclass(frozen=True)
class Judged:
    """A run with its rules and verdicts; ``results``: of every requested split.

    ``accounted``: splits whose divergence a finding has explained already.
    """

    seen: Evidence
    explanation: Explanation
    results: tuple[SplitResult, ...]
    accounted: frozenset[Split]


Structural = Callable[[Evidence], Iterator[Detected]]
"""A detector of faults without a formula; it runs before rules are fitted."""

Consequent = Callable[[Judged], Iterator[Detected]]
"""A detector that needs rules and verdicts."""

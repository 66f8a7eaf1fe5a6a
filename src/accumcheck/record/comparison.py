"""The dataclasses of two reports of one check beside each other: under two releases, or at two times.

``old`` is what there was, ``new`` what is to take its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from accumcheck.record.finding import Finding
from accumcheck.record.in_json import written_as
from accumcheck.record.reference import Divergence
from accumcheck.record.reported import Report
from accumcheck.record.split import Verdict

Value = TypeVar("Value")


@dataclass(frozen=True)
class Change(Generic[Value]):
    """One thing in both reports."""

    old: Value = field(metadata=written_as("from"))
    new: Value = field(metadata=written_as("to"))

    @property
    def changed(self) -> bool:
        """Whether it is not the same in both."""
        return self.old != self.new


@dataclass(frozen=True, slots=True)
class SplitChange:
    """One split that both reports have; ``worst``: its largest differences from the reference, of all steps."""

    split: str
    verdict: Change[Verdict]
    loss_rule: Change[str | None]
    gradient_rule: Change[str | None]
    worst: Change[Divergence]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the reference itself moved: the same weights and data, computed by the code of two releases.

    ``loss`` and ``grad_norm``: relative differences, the largest of all steps; ``allowed_loss`` and
    ``allowed_grad_norm``: what rounding may make of them. ``step`` is the one that moved most, beside what is allowed,
    ``losses`` and ``grad_norms`` what it came to; ``tokens``: of the first step in which the model predicts another
    number of tokens, None where there is none. ``beyond``: more than rounding.
    """

    loss: float
    grad_norm: float
    allowed_loss: float
    allowed_grad_norm: float
    step: int
    losses: Change[float]
    grad_norms: Change[float]
    tokens: Change[int] | None
    beyond: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed between two reports of one check.

    ``splits``: those that both have; ``only_old`` and ``only_new``: those that one has; ``missing``: those without a
    result in new, which are in old alone, or ran in old and were skipped in new. ``findings_gone``,
    ``findings_new`` and ``findings_kept``: by what they are about and the rules that they name. ``drift``: None where a
    reference is missing; ``no_drift_because``: why, or why the drift that there is counts for nothing. ``notes``: what
    makes the comparison a weaker one. ``worse``: why a split is worse in new, by its label; ``broken``: some split is,
    or new fails as a whole where old did not; ``undecided``: one of them could not be decided.
    """

    verdict: Change[Verdict]
    loss_rule: Change[str | None]
    gradient_rule: Change[str | None]
    worst: Change[Divergence]
    splits: tuple[SplitChange, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    missing: tuple[str, ...]
    findings_gone: tuple[Finding, ...]
    findings_new: tuple[Finding, ...]
    findings_kept: tuple[Finding, ...]
    drift: Drift | None
    no_drift_because: str
    notes: tuple[str, ...]
    worse: Mapping[str, str]
    broken: bool
    undecided: bool

    @property
    def drifts(self) -> bool:
        """Whether the reference moved by more than rounding, and nothing else explains that."""
        return self.drift is not None and self.drift.beyond and not self.no_drift_because


@dataclass(frozen=True, slots=True)
class Pair:
    """One check in both: ``config`` is its file, as the user named it; ``exit_code``: what it alone comes to."""

    config: str
    old: Report
    new: Report
    changes: Changes
    exit_code: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs of one command; ``old`` and ``new`` name the two sides in the columns' heads, ``title`` in a heading.

    ``allow_drift``: a reference that moved is told, and changes no exit code; ``allow_missing``: so does a split
    without a result in new. ``gate``: the sides are environments; otherwise they are saved reports. ``strict``: new
    must pass; otherwise it must only be no worse. ``package``: the one in whose releases the sides differ, which
    ``old`` and ``new`` are then; empty where they differ in several.
    """

    title: str
    old: str
    new: str
    pairs: tuple[Pair, ...]
    exit_code: int
    allow_drift: bool
    gate: bool
    allow_missing: bool = False
    strict: bool = False
    package: str = "transformers"

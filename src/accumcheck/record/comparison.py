"""The dataclasses for comparing two reports of one check: under two releases, or at two times.

``old`` is the present state, ``new`` the one that would replace it.
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
        """Whether it differs between both."""
        return self.old != self.new


@dataclass(frozen=True, slots=True)
class SplitChange:
    """One split in both reports; ``worst``: its largest differences from the reference over all steps."""

    split: str
    verdict: Change[Verdict]
    loss_rule: Change[str | None]
    gradient_rule: Change[str | None]
    worst: Change[Divergence]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the reference itself moved: the same weights and data, computed by the code of two releases.

    ``loss`` and ``grad_norm``: relative differences, the largest of all steps; ``allowed_loss`` and
    ``allowed_grad_norm``: the limits for rounding. ``step`` is the one that moved most relative to what is allowed,
    ``losses`` and ``grad_norms`` its values; ``tokens``: of the first step in which the model predicts another
    number of tokens, None if there is none. ``beyond``: more than rounding.
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

    ``splits``: those in both; ``only_old`` and ``only_new``: those in one of them; ``missing``: those without a
    result in new: only in old, or run in old and skipped in new. ``findings_gone``,
    ``findings_new`` and ``findings_kept``: matched by subject and the rules that they name. ``drift``: None if a
    reference is missing; ``no_drift_because``: why, or why the drift is ignored. ``notes``: what
    weakens the comparison. ``worse``: why a split is worse in new, by its label; ``broken``: some split is worse,
    or new fails as a whole but old did not; ``undecided``: one of them could not be decided.
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
    """One check in both: ``config`` is its file, as the user named it; ``exit_code``: of this check alone."""

    config: str
    old: Report
    new: Report
    changes: Changes
    exit_code: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs of one command; ``old`` and ``new`` name the two sides in column heads, ``title`` in a heading.

    ``allow_drift``: a reference that moved is reported but does not change the exit code; ``allow_missing``: the same
    for a split without a result in new. ``gate``: the sides are environments; otherwise they are saved reports.
    ``strict``: new must pass; otherwise it must only be no worse. ``package``: the package whose releases ``old`` and
    ``new`` are; empty if the sides differ in several packages.
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

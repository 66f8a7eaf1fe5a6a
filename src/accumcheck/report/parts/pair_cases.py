"""Two reports of one check as test cases: one for each split of the new one, and one for its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.document import Case
from accumcheck.report.parts.cases import OUTCOMES, class_of
from accumcheck.report.parts.pair import arrow, conclusion, facts, notes, reference, where

if TYPE_CHECKING:
    from accumcheck.record.comparison import Comparison, Pair, SplitChange
    from accumcheck.report.document import Outcome


def pair_cases(pair: Pair, comparison: Comparison) -> list[Case]:
    """The cases of one check. Unless the pair's exit code is 0, one of them does not pass."""
    stem = class_of(pair.config)
    details = "\n".join(
        [
            *(f"{label}: {text}" for label, text in facts(pair, comparison)),
            *("\n".join([note.headline, *note.paragraphs]) for note in notes(pair, comparison)),
        ]
    )
    cases = [_of_split(split, stem, details, pair, comparison) for split in pair.changes.splits]
    changes = pair.changes
    outcome: Outcome = "passed"
    if changes.drifts and not comparison.allow_drift:
        outcome = "failure"
    elif changes.drift is None:
        outcome = "error"
    cases.append(Case(f"{stem} reference", outcome, reference(pair, comparison), details, kind="drift"))
    if pair.exit_code and all(case.outcome in ("passed", "skipped") for case in cases):
        outcome = "failure" if pair.exit_code == 1 else "error"
        cases.append(Case(f"{stem} run", outcome, str(conclusion(pair, comparison)), details))
    return cases


def _of_split(split: SplitChange, stem: str, details: str, pair: Pair, comparison: Comparison) -> Case:
    rules = ", ".join(
        f"{what} {arrow(rule.old or 'no rule', rule.new or 'no rule')}"
        for what, rule in (("loss", split.loss_rule), ("gradient", split.gradient_rule))
    )
    message = f"{arrow(split.verdict.old, split.verdict.new)}; {rules} ({where(comparison, comparison.new)})"
    outcome = OUTCOMES.get(split.verdict.new, "passed")
    why = pair.changes.worse.get(split.split, "")
    if outcome == "failure" and not why and not comparison.strict:
        outcome, message = "passed", f"{message}; fails in both, not a regression"
    elif why and why != "fails":
        message = f"{message}; worse: {why}"
    seconds = next(one.duration_seconds for one in pair.new.splits if str(one.split) == split.split)
    kind = split.gradient_rule.new or split.loss_rule.new or split.verdict.new
    return Case(f"{stem} {split.split}", outcome, message, details, kind=kind, seconds=seconds)

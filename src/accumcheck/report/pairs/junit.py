"""Two reports beside each other as JUnit XML: for each check one case per split of the new one, and its reference."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from accumcheck.report.junit_xml import Case, Outcome, Suite, document
from accumcheck.report.layout import clean
from accumcheck.report.pairs.words import arrow, conclusion, facts, notes, reference, where

if TYPE_CHECKING:
    from accumcheck.record.comparison import Comparison, Pair, SplitChange

_OUTCOMES: dict[str, Outcome] = {"fail": "failure", "error": "error", "skipped": "skipped"}


def text(comparison: Comparison) -> str:
    """The whole file."""
    pairs = comparison.pairs
    return document(
        Suite(
            name=comparison.title,
            classname="accumcheck",
            cases=[case for pair in pairs for case in _cases(pair, comparison)],
            seconds=sum(pair.old.duration_seconds + pair.new.duration_seconds for pair in pairs),
            started_at=min(pair.old.started_at for pair in pairs),
            properties={"from": comparison.old, "to": comparison.new, "exit code": str(comparison.exit_code)},
        )
    )


def _cases(pair: Pair, comparison: Comparison) -> list[Case]:
    stem = PurePath(pair.config).stem.replace(".", "_")
    told = "\n".join(
        [
            *(f"{label}: {said}" for label, said in facts(pair, comparison)),
            *("\n".join([note.headline, *note.paragraphs]) for note in notes(pair, comparison)),
        ]
    )
    cases = [_of_split(split, stem, told, pair, comparison) for split in pair.changes.splits]
    changes, said = pair.changes, reference(pair, comparison)
    outcome: Outcome = "passed"
    if changes.drifts and not comparison.allow_drift:
        outcome = "failure"
    elif changes.drift is None:
        outcome = "error"
    cases.append(Case(f"{stem} reference", outcome, clean(said), clean(told), kind="drift"))
    if pair.exit_code and all(case.outcome in ("passed", "skipped") for case in cases):
        outcome = "failure" if pair.exit_code == 1 else "error"
        cases.append(Case(f"{stem} run", outcome, clean(str(conclusion(pair, comparison))), clean(told)))
    return cases


def _of_split(split: SplitChange, stem: str, told: str, pair: Pair, comparison: Comparison) -> Case:
    rules = ", ".join(
        f"{what} {arrow(rule.old or 'no rule', rule.new or 'no rule')}"
        for what, rule in (("loss", split.loss_rule), ("gradient", split.gradient_rule))
    )
    message = f"{arrow(split.verdict.old, split.verdict.new)}; {rules} ({where(comparison, comparison.new)})"
    outcome = _OUTCOMES.get(split.verdict.new, "passed")
    if outcome == "failure" and not comparison.gate and split.verdict.old == "fail":
        outcome, message = "passed", f"{message}; fails in both: not a regression"
    seconds = next(one.duration_seconds for one in pair.new.splits if str(one.split) == split.split)
    kind = split.gradient_rule.new or split.loss_rule.new or split.verdict.new
    return Case(f"{stem} {split.split}", outcome, clean(message), clean(told), kind=kind, seconds=seconds)

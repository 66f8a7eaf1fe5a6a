"""Two reports of one check as tables: one row per split, and one row per check where there are several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report import numbers
from accumcheck.report.blocks import WORDS, Cell, Column, Table
from accumcheck.report.parts.metrics import versus_reference
from accumcheck.report.parts.pair import arrow, conclusion

if TYPE_CHECKING:
    from accumcheck.record import Report, SplitResult
    from accumcheck.record.comparison import Comparison, Pair

LEGEND = (
    "split: processes x per-device batch x accumulation steps. loss, gradient error: against the reference of the same "
    "side, the largest difference of all steps."
)


def split_table(pair: Pair, comparison: Comparison) -> Table:
    """One row per split."""
    return Table(split_columns(comparison), split_rows(pair), caption="Every split on both sides", legend=LEGEND)


def check_table(comparison: Comparison) -> Table:
    """One row per check."""
    return Table(check_columns(comparison), check_rows(comparison), caption="Every configuration on both sides")


def split_columns(comparison: Comparison) -> tuple[Column, ...]:
    """The columns of `split_rows`."""
    of_sides = (
        column
        for name in (comparison.old, comparison.new)
        for column in (
            Column((name, "loss"), gap=2, title=f"{name} loss"),
            Column(("gradient", "error"), gap=2, title=f"{name} gradient error"),
            Column(("", "verdict"), "left", gap=2, title=f"{name} verdict"),
        )
    )
    return (Column(("", "split"), "left", gap=0), *of_sides)


def split_rows(pair: Pair) -> list[list[Cell]]:
    """Every split of either report, in the order of the old one."""
    old, new = ({str(split.split): split for split in report.splits} for report in (pair.old, pair.new))
    return [
        [Cell(label, "label"), *_cells(old.get(label), pair.old), *_cells(new.get(label), pair.new)]
        for label in dict.fromkeys([*old, *new])
    ]


def _cells(split: SplitResult | None, report: Report) -> tuple[Cell, Cell, Cell]:
    if split is None:
        return Cell(numbers.MISSING, "quiet"), Cell(numbers.MISSING, "quiet"), Cell("missing", "quiet")
    if split.status != "ran":
        return Cell(numbers.MISSING, "quiet"), Cell(numbers.MISSING, "quiet"), Cell(WORDS[split.verdict], split.verdict)
    loss, gradient = (versus_reference(split, report.reference, name).text for name in ("loss", "gradient"))
    return Cell(loss), Cell(gradient), Cell(WORDS[split.verdict], split.verdict)


def check_columns(comparison: Comparison) -> tuple[Column, ...]:
    """The columns of `check_rows`."""
    return (
        Column(("", "configuration"), "left", gap=0, wraps=True),
        *(Column(("", name), "left", gap=2) for name in (comparison.old, comparison.new)),
        Column(("", "weighting"), "left", gap=2, leave_out=2, wraps=True),
        Column(("", "reference"), "left", gap=2, leave_out=1),
        Column(("", "result"), "left", gap=2),
    )


def check_rows(comparison: Comparison) -> list[list[Cell]]:
    """One row for each check: both verdicts, the rules, whether the reference drifts, and the result."""
    rows = []
    for pair in comparison.pairs:
        changes, result = pair.changes, conclusion(pair, comparison)
        rules = [arrow(rule.old or "none", rule.new or "none") for rule in (changes.loss_rule, changes.gradient_rule)]
        words = {"pass": "pass", "fail": "FAIL", "error": "undecided", "warn": result.word}
        drift = "-" if changes.drift is None else "drifts" if changes.drifts else "same"
        rows.append(
            [
                Cell(pair.config, "label"),
                *(Cell(WORDS[verdict], verdict) for verdict in (changes.verdict.old, changes.verdict.new)),
                Cell(", ".join(dict.fromkeys(rules))),
                Cell(drift, "bad" if changes.drifts and not comparison.allow_drift else ""),
                Cell(words[result.tone], result.tone),
            ]
        )
    return rows

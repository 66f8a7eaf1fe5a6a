"""A comparison as a comment on a pull request: one number, one row per check, the rest folded."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from accumcheck.record.bisection import RulePair
from accumcheck.report import numbers
from accumcheck.report.blocks import WORDS, Cell, Column, Details, Fact, Facts, Notes, Sentence, Table
from accumcheck.report.parts.pair import conclusion, environment_words, facts, notes, outcome
from accumcheck.report.parts.pair_rows import split_table
from accumcheck.report.parts.phrases import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.record import Report
    from accumcheck.record.comparison import Comparison, Pair
    from accumcheck.report.blocks import Block

_HEADLINES = {
    "worse": ("got worse", "got worse"),
    "fails": ("fails", "fail"),
    "drift": ("has another reference", "have another reference"),
    "undecided": ("could not be decided", "could not be decided"),
}
"""What deserves the first line, in the order in which it counts: of one check, and of several."""
_RESULTS = {
    "worse": "worse",
    "fails": "fails",
    "drift": "reference drifts",
    "undecided": "undecided",
    "as before": "fails as before",
    "passes": "no worse",
}
BAND = Column(("noise", "band"))
"""What rounding may make of a gradient error, here and in this dtype: the tolerance."""
LEGEND = "Verdict, weighting rule if it is wrong, largest gradient error. Noise band: the error that rounding allows."


def headline(comparison: Comparison) -> str:
    """How many checks got worse; where none did, how many have another problem."""
    of = Counter(outcome(pair, comparison) for pair in comparison.pairs)
    total = plural(len(comparison.pairs), "check")
    told = [
        f"{of[kind]} {one if of[kind] == 1 else several}" for kind, (one, several) in _HEADLINES.items() if of[kind]
    ]
    first, *others = told or [f"0 {_HEADLINES['worse'][1]}"]
    count, words = first.split(" ", 1)
    return ", ".join([f"{count} of {total} {words}", *others])


def shown(comparison: Comparison) -> Iterator[Block]:
    """One row per check, and in what the two environments differ."""
    columns = (
        Column(("", "check"), "left"),
        Column(("before", comparison.old), "left", title=f"before ({comparison.old})"),
        Column(("now", comparison.new), "left", title=f"now ({comparison.new})"),
        BAND,
        Column(("", "result"), "left"),
    )
    yield Table(columns, [_row(pair, comparison) for pair in comparison.pairs], legend=LEGEND)
    differ = [words for pair in comparison.pairs if (words := environment_words(pair))]
    yield from (Sentence(f"{words[:1].upper()}{words[1:]}.") for words in dict.fromkeys(differ))


def folded(comparison: Comparison) -> Iterator[Details]:
    """Each check that does not simply pass on both sides: its splits, facts and findings."""
    for pair in comparison.pairs:
        if pair.exit_code or pair.new.verdict != "pass" or pair.old.verdict != "pass":
            told = Facts(tuple(Fact(label, text) for label, text in facts(pair, comparison)))
            found: list[Block] = [split_table(pair, comparison), told]
            if about := notes(pair, comparison):
                found.append(Notes(tuple(replace(note, logs=()) for note in about)))
            yield Details(f"{pair.config}: {conclusion(pair, comparison).text}", tuple(found))


def _row(pair: Pair, comparison: Comparison) -> list[Cell]:
    kind = outcome(pair, comparison)
    fixed = kind == "passes" and pair.old.exit_code == 1
    return [
        Cell(pair.config, "label"),
        side_cell(pair.old, pair.changes.worst.old.gradient),
        side_cell(pair.new, pair.changes.worst.new.gradient),
        band_cell(pair.new),
        Cell(_RESULTS[kind] if not fixed else "better", "bad" if pair.exit_code else ""),
    ]


def side_cell(report: Report, error: float | None) -> Cell:
    """A verdict with its rule, where that is wrong, and the largest gradient error."""
    rules = RulePair.of(report)
    named = f" {rules}" if report.verdict in ("fail", "warn") and (rules.loss or rules.gradient) else ""
    at = f", {numbers.difference(error)}" if error is not None else ""
    return Cell(f"{WORDS[report.verdict]}{named}{at}", report.verdict)


def band_cell(report: Report) -> Cell:
    """What rounding may make of the gradient."""
    return Cell(numbers.difference(report.tolerances.gradient) if report.tolerances is not None else numbers.MISSING)

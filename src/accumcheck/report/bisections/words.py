"""What is said of a search over releases, in words; every format takes its texts from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from accumcheck.report import numbers
from accumcheck.report.layout import Cell, Column
from accumcheck.report.words import WORDS, Conclusion, Note, header, note_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.record import Report
    from accumcheck.record.bisection import Bisection, Find, Tried

RELEASE_NOTES = "https://github.com/huggingface/transformers/releases/tag/v{}"
Rules = tuple["str | None", "str | None"]
State = Literal["good", "bad", "other", "skipped"]

STEP_COLUMNS = (
    Column(("", "release"), "left", gap=0),
    Column(("", "state"), "left", gap=2),
    Column(("", "verdict"), "left", gap=2),
    Column(("", "weighting"), "left", gap=2, wraps=True),
    Column(("", "took"), "left", gap=2),
)
"""The columns of `step_rows`."""


def rules_of(report: Report) -> Rules:
    """The rules of the reported loss and of the gradient."""
    return report.loss_rule, report.gradient_rule


def described(rules: Rules) -> str:
    """Two rules in a few words."""
    loss, gradient = (rule or "no rule" for rule in rules)
    return loss if loss == gradient else f"loss {loss}, gradient {gradient}"


def state(one: Tried, bad: bool | None) -> State:
    """``good``, ``bad``, ``skipped``, or ``other``: it fails, but not in the way that is looked for."""
    if bad is None:
        return "skipped"
    return "bad" if bad else "other" if one.report is not None and one.report.exit_code == 1 else "good"


def found_under(one: Tried) -> str:
    """The rules that the check follows under a release; why there are none, where it could not be decided."""
    return one.reason if one.report is None or one.reason else described(rules_of(one.report))


def spent(one: Tried) -> str:
    """What a release took."""
    return "kept from an earlier run" if one.kept else numbers.seconds(one.seconds)


def means(meaning: str) -> str:
    """What is looked for."""
    return f"bad means: {meaning}"


def what(find: Find) -> str:
    """``first bad release``, or ``first fixed release``."""
    return f"first {'bad' if find == 'broken' else 'fixed'} release"


def conclusion(bisection: Bisection) -> Conclusion:
    """Where the search ended."""
    name = what(bisection.find)
    if bisection.found is None:
        said = f"{name}: one of {', '.join(bisection.candidates)}; the others could not be tried"
        return Conclusion("error", "not found", said, "exit code 3: undecided")
    broken = bisection.find == "broken"
    said = f"{name}; {'since' if broken else 'until'} then {bisection.meaning}"
    return Conclusion("fail" if broken else "pass", bisection.found, said, "exit code 0")


def step_rows(bisection: Bisection) -> list[list[Cell]]:
    """One row for each release that was tried, in the order of the search."""
    tones = {"bad": "bad", "other": "bad", "skipped": "skipped", "good": ""}
    rows = []
    for step in bisection.steps:
        one = step.tried
        verdict = Cell("-", "quiet") if one.report is None else Cell(WORDS[one.report.verdict], one.report.verdict)
        is_ = state(one, step.bad)
        rows.append(
            [Cell(one.release, "label"), Cell(is_, tones[is_]), verdict, Cell(found_under(one)), Cell(spent(one))]
        )
    return rows


def facts(bisection: Bisection) -> list[tuple[str, str]]:
    """Labels and texts: what bad meant, and the releases on both sides of the change."""
    first, last = bisection.before, bisection.after
    return [
        *((f"until {release}", f"bad meant: {meaning}") for meaning, release in bisection.earlier),
        ("bad means", bisection.meaning),
        ("before", _side(first, bisection.find == "fixed")),
        *(("skipped", f"{one.release}: {one.reason}") for one in bisection.skipped),
        ("after", _side(last, bisection.find == "broken")),
    ]


def _side(one: Tried, bad: bool) -> str:
    verdict = "-" if one.report is None else WORDS[one.report.verdict]
    return f"transformers {one.release} is {state(one, bad)}: {verdict}, {found_under(one)}"


def told_side(bisection: Bisection) -> Tried:
    """The release under which the fault is there."""
    return bisection.after if bisection.find == "broken" else bisection.before


def notes(bisection: Bisection) -> Iterator[Note]:
    """What is wrong under the release on the bad side."""
    report = told_side(bisection).report
    if report is not None:
        yield from (note_of(one, report) for one in report.findings if one.severity in ("fail", "warn"))


def subject(bisection: Bisection) -> str:
    """What was checked."""
    report = told_side(bisection).report
    return header(report).model if report is not None else bisection.config


def release_notes(bisection: Bisection) -> list[str]:
    """Where the releases that may be the one looked for tell what they changed."""
    return [RELEASE_NOTES.format(release) for release in bisection.candidates]

"""The outcomes in every format that reports have."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from accumcheck.report import github, html, markdown
from accumcheck.report.junit_xml import Case, Suite, document
from accumcheck.report.junit_xml import Outcome as JUnitOutcome
from accumcheck.report.layout import Cell, Column
from accumcheck.selftest.run import Outcome

_WIDTHS = (32, 8, 34, 5)
_COLUMNS = tuple(Column(("", name), "left") for name in ("planted", "verdict", "named", "holds"))


def title() -> str:
    """The head of the table, at most 80 columns wide."""
    return f"{_laid_out([column.name for column in _COLUMNS])}\n{'-' * 80}"


def line(outcome: Outcome) -> str:
    """One case as a line of the table: what came out, and whether that is what must."""
    return _laid_out([cell.text for cell in _cells(outcome)])


def summary(outcomes: Sequence[Outcome]) -> str:
    """The foot of the table: the three counts that matter, and what did not hold."""
    lines = ["-" * 80, counts(outcomes)]
    for name, (first, *rest) in _broken(outcomes):
        lines += [f"NO  {name}: {first}", *(f"    {more}" for more in rest)]
    return "\n".join(lines)


def counts(outcomes: Sequence[Outcome]) -> str:
    """``caught 15 of 15, named 15 of 15, false alarms 0 of 7``."""
    faulty = [outcome for outcome in outcomes if not outcome.case.clean]
    clean = [outcome for outcome in outcomes if outcome.case.clean]
    caught, named = sum(outcome.caught for outcome in faulty), sum(outcome.named for outcome in faulty)
    alarms = sum(outcome.caught for outcome in clean)
    return f"caught {caught} of {len(faulty)}, named {named} of {len(faulty)}, false alarms {alarms} of {len(clean)}"


def as_table(outcomes: Sequence[Outcome]) -> str:
    """The whole table as text."""
    return "\n".join([title(), *map(line, outcomes), summary(outcomes)]) + "\n"


def as_json(outcomes: Sequence[Outcome]) -> str:
    """A list with one object per case."""
    return json.dumps([outcome.as_dict() for outcome in outcomes], indent=2) + "\n"


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """A heading, the counts, the table and what did not hold."""
    broken = [
        f"- **{markdown.inline(name)}**: {'; '.join(map(markdown.inline, lines))}" for name, lines in _broken(outcomes)
    ]
    blocks = [
        "## accumcheck selftest",
        f"**{counts(outcomes)}**",
        markdown.table(_COLUMNS, list(map(_cells, outcomes))),
    ]
    return "\n\n".join([*blocks, *(["### What did not hold", "\n".join(broken)] if broken else [])]) + "\n"


def as_junit(outcomes: Sequence[Outcome]) -> str:
    """A test case per case: a failure where it did not hold, an error where it was not decided."""
    told = dict(_broken(outcomes))
    cases = []
    for outcome in outcomes:
        name, seconds = _name(outcome), outcome.report.duration_seconds
        ended: JUnitOutcome = "passed" if outcome.held else "failure" if outcome.wrong else "error"
        message, *details = told.get(name, [""])
        cases.append(Case(name, ended, message, "\n".join([message, *details]), seconds=seconds))
    started = min((outcome.report.started_at for outcome in outcomes), default=datetime.now(timezone.utc).isoformat())
    took = sum(outcome.report.duration_seconds for outcome in outcomes)
    return document(Suite("accumcheck selftest", "accumcheck.selftest", cases, took, started, {}))


def as_github(outcomes: Sequence[Outcome]) -> str:
    """An annotation per case that did not hold, and the counts."""
    found = [
        github.annotation("error", "\n".join(lines), title=f"accumcheck selftest: {name}")
        for name, lines in _broken(outcomes)
    ]
    return "\n".join([*found, counts(outcomes)]) + "\n"


def as_html(outcomes: Sequence[Outcome]) -> str:
    """The table as one page that needs nothing else."""
    return html.page(
        "selftest.html.j2",
        tone="pass" if all(outcome.held for outcome in outcomes) else "fail",
        counts=counts(outcomes),
        columns=_COLUMNS,
        rows=list(map(_cells, outcomes)),
        broken=_broken(outcomes),
    )


FORMATS: dict[str, Callable[[Sequence[Outcome]], str]] = {
    "table": as_table,
    "json": as_json,
    "markdown": as_markdown,
    "junit": as_junit,
    "github": as_github,
    "html": as_html,
}
"""By the names of `accumcheck.report.FORMATS` and `accumcheck.report.FILE_FORMATS`."""


def _laid_out(texts: Sequence[str]) -> str:
    return "".join(f"{text:<{width}}" for text, width in zip(texts, _WIDTHS, strict=True)).rstrip()


def _name(outcome: Outcome) -> str:
    return f"nothing: {outcome.case.name}" if outcome.case.clean else outcome.case.name


def _cells(outcome: Outcome) -> list[Cell]:
    report = outcome.report
    rules = ", ".join(dict.fromkeys(rule for rule in (report.loss_rule, report.gradient_rule) if rule))
    if outcome.named and (outcome.case.loss_rule is None or not rules):  # named by what was seen, not by a formula
        rules = outcome.case.finding
    held = Cell("yes") if outcome.held else Cell("NO", "bad")
    return [Cell(_name(outcome), "label"), Cell(report.verdict), Cell(rules), held]


def _broken(outcomes: Sequence[Outcome]) -> list[tuple[str, list[str]]]:
    """What did not hold: the case's name, what was wanted and came, and why splits did not run."""
    found = []
    for outcome in outcomes:
        if not outcome.held:
            case, report = outcome.case, outcome.report
            wanted = "pass" if case.clean else f"{case.loss_rule or 'any loss'}, {case.gradient_rule or 'any gradient'}"
            got = f"{report.verdict}, {report.loss_rule}, {report.gradient_rule}"
            reasons = [f"{split.split}: {split.reason}" for split in report.splits if split.reason]
            found.append((_name(outcome), [f"wanted {wanted}; got {got}", *reasons]))
    return found

"""The planted faults and clean runs of ``accumcheck selftest``, and whether each had the expected result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from accumcheck.report.blocks import Cell, Column, Conclusion, Note, Notes, Section, Table
from accumcheck.report.document import Annotation, Case, Document, Suite

if TYPE_CHECKING:
    from accumcheck.report.blocks import Block
    from accumcheck.selftest.run import Outcome

_WIDTHS = (27, 8, 34, 8, 3)
_COLUMNS = tuple(Column(("", name), "left") for name in ("planted", "verdict", "named", "accused", "ok"))
_RULE = "-" * 80
_MEANING = "A planted fault must be caught and named, exactly its splits accused, and a clean run must pass."


class SelftestDocument(Document):
    """The outcomes of all cases."""

    record: Sequence[Outcome]
    title = "accumcheck selftest"

    def __init__(self, outcomes: Sequence[Outcome], exit_code: int) -> None:
        super().__init__(outcomes)
        self._exit_code = exit_code
        self._broken = [(outcome, _why(outcome)) for outcome in self.record if not outcome.is_as_expected]

    def data(self) -> list[dict[str, Any]]:
        """One object per case."""
        return [outcome.as_dict() for outcome in self.record]

    @property
    def exit_code(self) -> int:
        """The command's."""
        return self._exit_code

    def conclusion(self) -> Conclusion:
        """The three counts that matter."""
        tone, word = {0: ("pass", "pass"), 3: ("error", "could not be decided")}.get(self.exit_code, ("fail", "fail"))
        return Conclusion(tone, word, counts(self.record), f"exit code {self.exit_code}")

    def blocks(self) -> list[Block]:
        """The table, and the cases that failed."""
        rows = list(map(_cells, self.record))
        table = Table(_COLUMNS, rows, caption="What was planted, and the result")
        notes = tuple(
            Note("fail" if outcome.is_wrong else "error", _name(outcome), first, tuple(rest))
            for outcome, (first, *rest) in self._broken
        )
        found: list[Block] = [Section("Planted faults and clean runs", (table,), role="whole")]
        return [*found, Section("Failed cases", (Notes(notes),) if notes else ())]

    def transcript(self) -> list[str]:
        """A line per case in the order they ended, and the counts."""
        return [*title().splitlines(), *map(line, self.record), *summary(self.record).splitlines()]

    def suite(self) -> Suite:
        """A failure for a case with a wrong result, an error for one that was not decided."""
        reports = [outcome.report for outcome in self.record]
        started = min((report.started_at for report in reports), default=datetime.now(timezone.utc).isoformat())
        took = sum(report.duration_seconds for report in reports)
        return Suite(self.title, "accumcheck.selftest", list(map(_case, self.record)), took, started)

    def annotations(self) -> list[Annotation]:
        """One per case with a wrong result."""
        return [self._annotation(_name(outcome), why) for outcome, why in self._broken]

    def _annotation(self, name: str, why: list[str]) -> Annotation:
        message = "\n".join([f"{name}: {why[0]}", *why[1:]])
        return Annotation("error", "selftest", f"{self.title}: {name}", message, meaning=_MEANING)


def title() -> str:
    """The head of the table, at most 80 columns wide."""
    return f"{_laid_out([column.name for column in _COLUMNS])}\n{_RULE}"


def line(outcome: Outcome) -> str:
    """One case as a line of the table: the result, and whether it is right."""
    return _laid_out([cell.text for cell in _cells(outcome)])


def summary(outcomes: Sequence[Outcome]) -> str:
    """The foot of the table: the three counts that matter, and the cases that failed."""
    lines = [_RULE, counts(outcomes)]
    for outcome in outcomes:
        if not outcome.is_as_expected:
            first, *rest = _why(outcome)
            lines += [f"NO  {_name(outcome)}: {first}", *(f"    {more}" for more in rest)]
    return "\n".join(lines)


def counts(outcomes: Sequence[Outcome]) -> str:
    """``caught 15 of 15, named 15 of 15, accused 15 of 15, false alarms 0 of 7``."""
    faulty = [outcome for outcome in outcomes if not outcome.case.is_clean]
    clean = [outcome for outcome in outcomes if outcome.case.is_clean]
    caught, named = sum(outcome.caught for outcome in faulty), sum(outcome.named for outcome in faulty)
    accused = sum(outcome.accused for outcome in faulty)
    alarms = sum(outcome.caught for outcome in clean)
    found = f"caught {caught} of {len(faulty)}, named {named} of {len(faulty)}, accused {accused} of {len(faulty)}"
    return f"{found}, false alarms {alarms} of {len(clean)}"


def _laid_out(texts: Sequence[str]) -> str:
    return "".join(f"{text:<{width}}" for text, width in zip(texts, _WIDTHS, strict=True)).rstrip()


def _name(outcome: Outcome) -> str:
    return f"nothing: {outcome.case.name}" if outcome.case.is_clean else outcome.case.name


def _cells(outcome: Outcome) -> list[Cell]:
    report = outcome.report
    rules = ", ".join(dict.fromkeys(rule for rule in (report.loss_rule, report.gradient_rule) if rule))
    if outcome.named:  # by a finding, or by the rule of the wrong splits if the run has none
        rules = outcome.case.finding.replace(",", ", ")
    accused = "" if outcome.case.is_clean else "yes" if outcome.accused else "no"
    held = Cell("yes") if outcome.is_as_expected else Cell("NO", "bad")
    return [Cell(_name(outcome), "label"), Cell(report.verdict), Cell(rules), Cell(accused), held]


def _case(outcome: Outcome) -> Case:
    name, seconds = _name(outcome), outcome.report.duration_seconds
    if outcome.is_as_expected:
        return Case(name, seconds=seconds)
    message, *_ = why = _why(outcome)
    return Case(name, "failure" if outcome.is_wrong else "error", message, "\n".join(why), seconds=seconds)


def _why(outcome: Outcome) -> list[str]:
    """Why a case failed: what was wanted, what was got, and why splits did not run."""
    case, report = outcome.case, outcome.report
    wanted = "pass" if case.is_clean else f"{case.loss_rule or 'any loss'}, {case.gradient_rule or 'any gradient'}"
    got = f"{report.verdict}, {report.loss_rule}, {report.gradient_rule}"
    reasons = [f"{split.split}: {split.reason}" for split in report.splits if split.reason]
    said = [f"{finding.id} ({', '.join(finding.splits)}): {finding.summary}" for finding in report.findings]
    return [f"wanted {wanted}; got {got}", *_who(outcome), *said, *reasons]


def _who(outcome: Outcome) -> list[str]:
    """The splits that it should have accused but did not."""
    case = outcome.case
    if case.is_clean or outcome.accused:
        return []
    about = f", and a finding {case.finding} that mentions {case.says!r}" if case.says else ""
    return [f"wanted accused: {', '.join(case.accused)}{about}"]

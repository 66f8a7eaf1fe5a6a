"""The planted faults and clean runs of ``accumcheck selftest``, and whether each had the expected result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from accumcheck.record.selftest import SelftestCase, exit_code_of
from accumcheck.report.blocks import Cell, Column, Conclusion, Note, Notes, Section, Table
from accumcheck.report.document import Annotation, Case, Document, Suite

if TYPE_CHECKING:
    from accumcheck.report.blocks import Block

_WIDTHS = (27, 8, 34, 8, 3)
_COLUMNS = tuple(Column(("", name), "left") for name in ("planted", "verdict", "named", "accused", "ok"))
_RULE = "-" * 80
_LEGEND = """\
planted: the fault, or nothing. named: the finding, or the rules of loss and
gradient. accused: were the faulty splits found wrong, and no others? ok: all of
it is as it must be."""
_MEANING = "A planted fault must be caught and named, exactly its splits accused, and a clean run must pass."


class SelftestDocument(Document):
    """The outcomes of all cases."""

    record: Sequence[SelftestCase]
    title = "accumcheck selftest"

    def __init__(self, cases: Sequence[SelftestCase]) -> None:
        super().__init__(cases)
        self._broken = [(one, _why(one)) for one in self.record if not one.held]

    @property
    def exit_code(self) -> int:
        """The command's."""
        return exit_code_of(self.record)

    def conclusion(self) -> Conclusion:
        """The three counts that matter."""
        tone, word = {0: ("pass", "pass"), 3: ("error", "could not be decided")}.get(self.exit_code, ("fail", "fail"))
        return Conclusion(tone, word, counts(self.record), f"exit code {self.exit_code}")

    def blocks(self) -> list[Block]:
        """The table, and the cases that failed."""
        rows = list(map(_cells, self.record))
        table = Table(_COLUMNS, rows, caption="What was planted, and the result")
        notes = tuple(
            Note("fail" if one.is_wrong else "error", _name(one), first, tuple(rest))
            for one, (first, *rest) in self._broken
        )
        found: list[Block] = [Section("Planted faults and clean runs", (table,), role="whole")]
        return [*found, Section("Failed cases", (Notes(notes),) if notes else ())]

    def transcript(self) -> list[str]:
        """A line per case in the order they ended, and the counts."""
        return [*title().splitlines(), *map(line, self.record), *summary(self.record).splitlines()]

    def suite(self) -> Suite:
        """A failure for a case with a wrong result, an error for one that was not decided."""
        starts = [one.started_at for one in self.record if one.started_at]
        started = min(starts, default=datetime.now(timezone.utc).isoformat())
        took = sum(one.duration_seconds for one in self.record)
        return Suite(self.title, "accumcheck.selftest", list(map(_case, self.record)), took, started)

    def annotations(self) -> list[Annotation]:
        """One per case with a wrong result."""
        return [self._annotation(_name(one), why) for one, why in self._broken]

    def _annotation(self, name: str, why: list[str]) -> Annotation:
        message = "\n".join([f"{name}: {why[0]}", *why[1:]])
        return Annotation("error", "selftest", f"{self.title}: {name}", message, meaning=_MEANING)


def title() -> str:
    """What the columns mean, and the head of the table, at most 80 columns wide."""
    return f"{_LEGEND}\n\n{_laid_out([column.name for column in _COLUMNS])}\n{_RULE}"


def line(one: SelftestCase) -> str:
    """One case as a line of the table: the result, and whether it is right."""
    return _laid_out([cell.text for cell in _cells(one)])


def summary(cases: Sequence[SelftestCase]) -> str:
    """The foot of the table: the three counts that matter, and the cases that failed."""
    lines = [_RULE, counts(cases)]
    for one in cases:
        if not one.held:
            first, *rest = _why(one)
            lines += [f"NO  {_name(one)}: {first}", *(f"    {more}" for more in rest)]
    return "\n".join(lines)


def counts(cases: Sequence[SelftestCase]) -> str:
    """``caught 15 of 15, named 15 of 15, accused 15 of 15, false alarms 0 of 7``."""
    faulty = [one for one in cases if not one.clean]
    clean = [one for one in cases if one.clean]
    caught, named = sum(one.caught for one in faulty), sum(one.named for one in faulty)
    accused = sum(one.accused for one in faulty)
    alarms = sum(one.caught for one in clean)
    found = f"caught {caught} of {len(faulty)}, named {named} of {len(faulty)}, accused {accused} of {len(faulty)}"
    return f"{found}, false alarms {alarms} of {len(clean)}"


def _laid_out(texts: Sequence[str]) -> str:
    return "".join(f"{text:<{width}}" for text, width in zip(texts, _WIDTHS, strict=True)).rstrip()


def _name(one: SelftestCase) -> str:
    return f"nothing: {one.case}" if one.clean else one.case


def _cells(one: SelftestCase) -> list[Cell]:
    rules = ", ".join(dict.fromkeys(rule for rule in (one.loss_rule, one.gradient_rule) if rule))
    if one.named:  # by a finding, or by the rule of the wrong splits if the run has none
        rules = one.expected_finding.replace(",", ", ")
    accused = "" if one.clean else "yes" if one.accused else "no"
    held = Cell("yes") if one.held else Cell("NO", "bad")
    return [Cell(_name(one), "label"), Cell(one.verdict), Cell(rules), Cell(accused), held]


def _case(one: SelftestCase) -> Case:
    name, seconds = _name(one), one.duration_seconds
    if one.held:
        return Case(name, seconds=seconds)
    message, *_ = why = _why(one)
    return Case(name, "failure" if one.is_wrong else "error", message, "\n".join(why), seconds=seconds)


def _why(one: SelftestCase) -> list[str]:
    """Why a case failed; a file of an older version does not say."""
    return list(one.why) or [f"found {one.verdict}, loss {one.loss_rule}, gradient {one.gradient_rule}"]

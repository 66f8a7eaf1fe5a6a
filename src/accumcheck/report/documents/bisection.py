"""A search over releases: what ``accumcheck bisect`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.blocks import WORDS, Cell, Column, Conclusion, Fact, Facts, Head, Notes, Section, Table
from accumcheck.report.document import Annotation, Case, Document, Suite
from accumcheck.report.parts.head import head
from accumcheck.report.parts.notes import note_of
from accumcheck.report.parts.places import place
from accumcheck.report.parts.search_lines import ending, faulty_side, found_under, means, spent, step_line, what

if TYPE_CHECKING:
    from accumcheck.record.bisection import Bisection, Step, Tried
    from accumcheck.report.blocks import Block, Note
    from accumcheck.report.document import Level

_COLUMNS = (
    Column(("", "release"), "left", gap=0),
    Column(("", "state"), "left"),
    Column(("", "verdict"), "left"),
    Column(("", "weighting"), "left", wraps=True),
    Column(("", "time"), "left"),
)
_TONES = {"bad": "bad", "other": "bad", "skipped": "skipped", "good": ""}
_MEANING = "The result of this check changes with a release of a package, or with a commit."


class BisectionDocument(Document):
    """A search that has ended."""

    record: Bisection

    def __init__(self, bisection: Bisection) -> None:
        super().__init__(bisection)
        self.title = f"accumcheck bisect {self.record.config}"

    @property
    def exit_code(self) -> int:
        """0 where the release was found."""
        return self.record.exit_code

    def conclusion(self) -> Conclusion:
        """Where the search ended."""
        bisection = self.record
        name, broken = what(bisection.find), bisection.find == "broken"
        if bisection.found is None:
            text = f"{name}: one of {', '.join(bisection.candidates)}; the others could not be tried"
            return Conclusion("error", "not found", text, "exit code 3: undecided")
        text = f"{name}; {'since' if broken else 'until'} then {bisection.meaning}"
        return Conclusion("fail" if broken else "pass", bisection.found, text, "exit code 0")

    def blocks(self) -> list[Block]:
        """Every release that was tried, and what is wrong on the bad side."""
        bisection, side = self.record, faulty_side(self.record)
        model = head(side.report).model if side.report is not None else bisection.config
        rows = [_row(step) for step in bisection.steps]
        caption = "Every release that was tried, in the order of the search"
        steps = (Head(model), Table(_COLUMNS, rows, caption=caption), Facts(tuple(_facts(bisection))))
        found: list[Block] = [Section("Releases tried", steps, role="whole")]
        if notes := _notes(side):
            found.append(Section(f"Under {bisection.named(side.release)}", (Notes(notes),)))
        return found

    def transcript(self) -> list[str]:
        """A line for each step, and how the search ended; the last line names the release."""
        lines: list[str] = []
        meaning = None
        for step in self.record.steps:
            if step.meaning != meaning:
                meaning = step.meaning
                lines.append(means(meaning))
            lines.append(step_line(step))
        return [*lines, "", *ending(self.record)]

    def suite(self) -> Suite:
        """One case for each release that was tried, and one for the search, which alone can go wrong."""
        bisection = self.record
        name, text = what(bisection.find), str(self.conclusion())
        found = Case(name, output=text) if not self.exit_code else Case(name, "error", text, text, "undecided")
        tried = [*(step.tried for step in bisection.steps), bisection.before, bisection.after]
        started = [one.short.started_at for one in tried if one.short is not None]
        return Suite(
            name=self.title,
            classname="accumcheck.bisect",
            cases=[*(_case(step, bisection) for step in bisection.steps), found],
            seconds=sum(step.tried.seconds for step in bisection.steps),
            started_at=min(filter(None, started)),
            properties={"bad means": bisection.meaning, "exit code": str(self.exit_code)},
        )

    def annotations(self) -> list[Annotation]:
        """Where the search ended, at the configuration that it was for."""
        report, conclusion = faulty_side(self.record).report, self.conclusion()
        file, line = place(report) if report is not None else ("", 0)
        level: Level = "error" if self.exit_code else "warning" if conclusion.tone == "fail" else "note"
        rule = what(self.record.find).replace(" ", "-")
        return [Annotation(level, rule, self.title, str(conclusion), file or self.record.config, line, _MEANING)]


def _row(step: Step) -> list[Cell]:
    one, state = step.tried, step.state
    verdict = Cell("-", "quiet") if one.short is None else Cell(WORDS[one.short.verdict], one.short.verdict)
    return [Cell(one.release, "label"), Cell(state, _TONES[state]), verdict, Cell(found_under(one)), Cell(spent(one))]


def _case(step: Step, bisection: Bisection) -> Case:
    one = step.tried
    name, text = bisection.named(one.release), f"{step.state}: {found_under(one)}"
    if step.bad is None:
        return Case(name, "skipped", text, seconds=one.seconds)
    return Case(name, output=text, seconds=one.seconds)


def _facts(bisection: Bisection) -> list[Fact]:
    """What bad meant, and the releases on both sides of the change."""
    return [
        *(Fact(f"until {release}", f"bad meant: {meaning}") for meaning, release in bisection.earlier),
        Fact("bad means", bisection.meaning),
        Fact("before", _side(bisection, bisection.before, bisection.find == "fixed")),
        *(Fact("skipped", f"{one.release}: {one.reason}") for one in bisection.skipped),
        Fact("after", _side(bisection, bisection.after, bisection.find == "broken")),
        *(Fact("release notes", address, is_address=True) for address in bisection.pages),
    ]


def _side(bisection: Bisection, one: Tried, bad: bool) -> str:
    verdict = "-" if one.short is None else WORDS[one.short.verdict]
    about = f", {one.about}" if one.about else ""
    return f"{bisection.named(one.release)}: {one.state(bad)} ({verdict}, {found_under(one)}){about}"


def _notes(side: Tried) -> tuple[Note, ...]:
    """What is wrong under the release on the bad side."""
    report = side.report
    if report is None:
        return ()
    return tuple(note_of(one, report) for one in report.findings if one.severity in ("fail", "warn"))

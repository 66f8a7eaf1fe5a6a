"""The head classes of a release, each with a verdict and a rule: what ``accumcheck survey`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.record.survey import NOT_CHECKED
from accumcheck.report import numbers
from accumcheck.report.blocks import WORDS, Cell, Column, Conclusion, Head, Note, Notes, Section, Table
from accumcheck.report.document import Annotation, Case, Document, Suite
from accumcheck.report.parts.phrases import plural
from accumcheck.report.parts.survey_lines import class_line, classes_counted, counts_of, said_of, summary_lines

if TYPE_CHECKING:
    from accumcheck.record import Environment
    from accumcheck.record.survey import Survey, SurveyedClass
    from accumcheck.report.blocks import Block
    from accumcheck.report.document import Outcome

_TONES = {NOT_CHECKED: "skipped"}
_CLASSES = (
    Column(("", "class"), "left", gap=0),
    Column(("", "task"), "left"),
    Column(("", "verdict"), "left"),
    Column(("", "rule, or why not checked"), "left", wraps=True),
)
_TASKS = tuple(
    Column(("", name), "left" if name == "task" else "right")
    for name in ("task", "classes", "checked", "pass", "warn", "fail", "not checked")
)
_OUTCOMES: dict[str, Outcome] = {"pass": "passed", "warn": "passed", "fail": "failure", NOT_CHECKED: "skipped"}
_MEANING = "A head class of the installed transformers whose loss or gradient depends on how a batch is accumulated."


class SurveyDocument(Document):
    """A survey that has ended."""

    record: Survey

    def __init__(self, survey: Survey) -> None:
        super().__init__(survey)
        self.title = "accumcheck survey"
        self.subtitle = f"transformers {self.record.environment.transformers}"

    @property
    def exit_code(self) -> int:
        """See `Survey`."""
        return self.record.exit_code

    def conclusion(self) -> Conclusion:
        """How many classes came to what."""
        code = self.exit_code
        tone, word = {0: ("pass", "pass"), 3: ("error", "not all checked")}.get(code, ("fail", "fail"))
        meaning = {0: "passed", 1: "divergence", 3: "undecided"}[code]
        counts = counts_of(self.record)
        if code == 0 and self.record.compared is not None:  # classes that fail have failed before
            counts = f"no class got worse; {counts}"
        return Conclusion(tone, word, counts, f"exit code {code}: {meaning}", wraps=True)

    def blocks(self) -> list[Block]:
        """The summaries, what changed, what fails, and every class."""
        survey = self.record
        summary = survey.summary
        found: list[Block] = [
            _head(survey.environment, survey),
            Section("By task", (Table(_TASKS, _task_rows(survey), caption="Classes by task"),)),
            Section("By rule", (_counted("rule", summary.by_rule),) if summary.by_rule else ()),
            Section("Not checked", (_counted("kind of reason", summary.by_reason),) if summary.by_reason else ()),
            Section("Changes", self._changes()),
            Section("Findings", self._notes()),
            Section(
                "Classes",
                (
                    Table(
                        _CLASSES,
                        list(map(_cells, survey.classes)),
                        caption="Every class",
                        searched="class, task or rule",
                    ),
                ),
            ),
        ]
        return found

    def _changes(self) -> tuple[Block, ...]:
        compared = self.record.compared
        if compared is None:
            return ()
        columns = tuple(Column(("", name), "left", wraps=True) for name in ("class", "change", "before", "after"))
        rows = [
            [Cell(one.name, "label"), Cell(one.change), Cell(one.before), Cell(one.after)] for one in compared.changes
        ]
        caption = f"Since {compared.file} (transformers {compared.transformers}): {plural(len(rows), 'change')}"
        return (Table(columns, rows, caption=caption),)

    def _notes(self) -> tuple[Block, ...]:
        """The same finding of several classes is one note."""
        groups: dict[tuple[str, str, str], list[str]] = {}
        for one in self.record.classes:
            for finding in one.findings:
                if finding.severity in ("fail", "warn"):
                    groups.setdefault((finding.id, finding.severity, one.rule), []).append(one.name)
        notes = (
            Note(severity, classes_counted(len(names)), f"{id_} ({rule})", (", ".join(names),), id=id_)
            for (id_, severity, rule), names in groups.items()
        )
        return (Notes(tuple(notes)),) if groups else ()

    def transcript(self) -> list[str]:
        """A line for each class, and the summary."""
        return [*map(class_line, self.record.classes), *summary_lines(self.record), "", str(self.conclusion())]

    def suite(self) -> Suite:
        """One case for each class; a class that was not checked is skipped, and the survey itself is then an error."""
        survey = self.record
        cases = list(map(_case, survey.classes))
        if self.exit_code:
            text = str(self.conclusion())
            cases.append(Case("survey", "failure" if self.exit_code == 1 else "error", text, text, "survey"))
        else:
            cases.append(Case("survey", output=str(self.conclusion())))
        return Suite(
            name=f"{self.title} {self.subtitle}",
            classname="accumcheck.survey",
            cases=cases,
            seconds=survey.duration_seconds,
            started_at=survey.started_at,
            properties={"transformers": survey.environment.transformers, "exit code": str(self.exit_code)},
        )

    def annotations(self) -> list[Annotation]:
        """One for each class that fails, one for all that were not checked."""
        survey = self.record
        found = [
            Annotation("error", "survey", f"{one.name}: {one.rule}", f"{one.name}: {said_of(one)}", meaning=_MEANING)
            for one in survey.classes
            if one.verdict == "fail"
        ]
        if self.exit_code and not (self.exit_code == 1 and found):
            found.append(Annotation("error", "survey", self.title, str(self.conclusion()), meaning=_MEANING))
        return found


def _head(environment: Environment, survey: Survey) -> Head:
    versions = {
        "transformers": environment.transformers,
        "accelerate": environment.accelerate,
        "torch": environment.torch,
        "accumcheck": survey.accumcheck_version,
    }
    shown = tuple(f"{name} {version}" for name, version in versions.items() if version)
    splits = ", ".join(map(str, survey.splits))
    plan = (f"splits {splits}", "one optimizer step each", numbers.seconds(survey.duration_seconds))
    return Head(counts_of(survey), (shown, plan))


def _task_rows(survey: Survey) -> list[list[Cell]]:
    return [
        [
            Cell(task, "label"),
            *(Cell(str(count)) for count in (one.total, one.checked, one.passed, one.warned)),
            Cell(str(one.failed), "fail" if one.failed else ""),
            Cell(str(one.not_checked)),
        ]
        for task, one in survey.summary.by_task.items()
    ]


def _counted(what: str, found: dict[str, int]) -> Table:
    columns = (Column(("", what), "left", gap=0, wraps=True), Column(("", "classes")))
    return Table(columns, [[Cell(name), Cell(str(number))] for name, number in found.items()], caption=f"By {what}")


def _cells(one: SurveyedClass) -> list[Cell]:
    verdict = Cell(WORDS.get(one.verdict, one.verdict), _TONES.get(one.verdict, one.verdict))
    return [Cell(one.name, "label"), Cell(one.task), verdict, Cell(said_of(one))]


def _case(one: SurveyedClass) -> Case:
    text = said_of(one)
    details = "\n".join([text, *(finding.summary for finding in one.findings)])
    if one.verdict in ("pass", "warn"):
        return Case(one.name, seconds=one.duration_seconds, output=text)
    kind = one.reason_kind or "divergence"
    return Case(one.name, _OUTCOMES[one.verdict], text, details, kind, seconds=one.duration_seconds)

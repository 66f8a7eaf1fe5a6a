"""One check: what ``accumcheck run`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.config.yaml_positions import write_document
from accumcheck.report import numbers
from accumcheck.report.blocks import Charts, Code, Details, Fact, Facts, Notes, Section, Strips
from accumcheck.report.document import Comment, Document
from accumcheck.report.parts.before import before_table
from accumcheck.report.parts.cases import suite
from accumcheck.report.parts.check_comment import folded, shown
from accumcheck.report.parts.curves import step_charts, trajectory_charts, update_charts
from accumcheck.report.parts.drift import drift_table
from accumcheck.report.parts.head import head
from accumcheck.report.parts.in_short import in_short
from accumcheck.report.parts.measures import measures
from accumcheck.report.parts.messages import messages
from accumcheck.report.parts.notes import findings, not_run
from accumcheck.report.parts.packages import installed
from accumcheck.report.parts.parameter_rows import parameter_tables
from accumcheck.report.parts.split_rows import split_table
from accumcheck.report.parts.tolerances import passages
from accumcheck.report.parts.updates import update_lines
from accumcheck.report.parts.verdict import verdict
from accumcheck.report.parts.weights_picture import weights_picture
from accumcheck.saved.reports import report_to_dict

if TYPE_CHECKING:
    from accumcheck.record import Report
    from accumcheck.report.blocks import Block, Conclusion, Note
    from accumcheck.report.document import Annotation, Suite

_CURVES = (
    "Every step starts from the same weights, so all curves must coincide. The reference is dotted; a diamond marks a "
    "split that fails, a triangle one with a warning, ✕ a value that is not a number."
)
_UPDATES = "The steps are the user's own, and were taken back: every step starts from the same weights."
_DOTS = (
    "Each dot is a sample of the first step (the first one at the top), placed by its weight in the gradient; the "
    "numbers are of all steps."
)
_BARS = "Each bar spans the smallest to the largest sample weight in the gradient; the tick is their common scale."


class CheckDocument(Document):
    """A report.

    Args:
        report: the report.
        explain_tolerances: say where the tolerances come from. HTML and JSON always do.
    """

    record: Report

    def __init__(self, report: Report, *, explain_tolerances: bool = False) -> None:
        super().__init__(report)
        self._explain = explain_tolerances
        self.subtitle = self.record.config_file.path if self.record.config_file else ""

    @property
    def exit_code(self) -> int:
        """The report's."""
        return self.record.exit_code

    def conclusion(self) -> Conclusion:
        """The verdict on the run."""
        return verdict(self.record)

    def suite(self) -> Suite:
        """A case per split and metric."""
        return suite(self.record)

    def annotations(self) -> list[Annotation]:
        """The findings at the lines of their splits."""
        return messages(self.record)

    def comment(self) -> Comment:
        """One row for the check; its splits and findings, folded."""
        report = self.record
        return Comment(self.conclusion().text, tuple(shown(report)), tuple(folded(report)))

    def blocks(self) -> list[Block]:
        """The table, the findings, and all details."""
        report = self.record
        found: list[Block] = [head(report), self._in_short()]
        if report.splits:
            lines = update_lines(report)
            below = (Facts(lines),) if lines else ()
            found.append(Section("Splits", (split_table(report), *below), role="whole"))
        found.append(Section("Findings", _notes(report)))
        if before := before_table(report):
            found.append(Section("Hot-fix", (before,)))
        parameters = Section("Parameters", tuple(parameter_tables(report)), background=True)
        return [*found, *_pictures(report), parameters, self._weighting(), _environment(report)]

    def _in_short(self) -> Section:
        report = self.record
        notes = [*not_run(report), *findings(report)]
        return in_short(notes, since="", otherwise=self._what_to_do)

    def _what_to_do(self, note: Note) -> str:
        """A bug report where a script can show the finding: it has a weighting rule, and no hot-fix was applied."""
        report = self.record
        same = (one for one in report.findings if (one.id, one.splits) == (note.id, note.splits))
        if any(one.loss_rule or one.gradient_rule for one in same) and not report.config.get("hotfix"):
            return "accumcheck reproduce REPORT.json --issue writes the bug report"
        return "see the finding below"

    def _weighting(self) -> Section:
        facts = tuple(Fact(label, text) for label, text in measures(self.record))
        found: list[Block] = [Facts(facts)] if facts else []
        if self._explain:
            found += passages(self.record)
        elif self.record.tolerances is not None:
            found.append(Details("Where the tolerances come from", tuple(passages(self.record))))
        return Section("Weighting and tolerances", tuple(found))


def _notes(report: Report) -> tuple[Block, ...]:
    kinds = (Notes(tuple(not_run(report)), together=True), Notes(tuple(findings(report))))
    return tuple(notes for notes in kinds if notes.notes)


def _pictures(report: Report) -> list[Block]:
    found: list[Block] = []
    if charts := step_charts(report):
        found.append(Section("Loss and gradient norm", (Charts(tuple(charts), _CURVES),)))
    if charts := update_charts(report):
        found.append(Section("Updates", (Charts(tuple(charts), _UPDATES),)))
    if picture := weights_picture(report):
        legend = f"{_DOTS if picture.single else _BARS} 1 is correct; the axis is logarithmic."
        found.append(Section("Sample weights", (Strips(picture, legend),)))
    if table := drift_table(report):
        drawn = Charts(
            tuple(trajectory_charts(report)), f"{table.lead} For plots only; it does not affect the verdict."
        )
        found.append(Section("Trajectory", (drawn, table)))
    return found


def _environment(report: Report) -> Section:
    environment = report.environment
    found = {
        "accumcheck": report.accumcheck_version,
        "transformers": environment.transformers,
        "accelerate": environment.accelerate,
        "torch": environment.torch,
        "Python": environment.python,
        "stack": f"{report.config.get('stack', '')} {environment.stack_version}".strip(),
        "device": f"{environment.device_count or ''} {environment.device_name or environment.device}".strip(),
        "backend": environment.backend,
        "platform": environment.platform,
        "started": report.started_at.replace("T", " "),
        "duration": numbers.seconds(report.duration_seconds),
    }
    facts = tuple(Fact(name, value) for name, value in found.items() if value)
    config = Code(write_document(report_to_dict(report)["config"]), "Resolved configuration")
    packages = installed(environment.packages)
    more = (Details("Installed packages", (packages,)),) if packages.rows else ()
    return Section("Environment", (Facts(facts), *more, Details("Resolved configuration", (config,))), background=True)

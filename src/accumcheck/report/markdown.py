"""The report in GitHub's Markdown, for step summaries, comments and issues."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from accumcheck.report.before import BEFORE_COLUMNS, before_rows, before_title
from accumcheck.report.drift import DRIFT_COLUMNS, drift, drift_title
from accumcheck.report.layout import clean
from accumcheck.report.rows import COLUMNS, legend, reference_row, rows
from accumcheck.report.words import WORDS, findings, header, measures, not_run, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.record import Report
    from accumcheck.report.layout import Cell, Column
    from accumcheck.report.words import Known, Note

_INLINE = re.compile(r"[\\`*_\[\]<>|~&$]")
_BLOCK = re.compile(r"^(?:([#+\-=])|(\d+)([.)])(?!\S))")


def text(report: Report) -> str:
    """The whole report: a heading, what was checked, the table, and what is wrong."""
    head, said = header(report), verdict(report)
    blocks = [
        f"## accumcheck: {said.word}",
        f"**{escape(said.text)}** ({escape(said.exit)})",
        "  \n".join([escape(head.model), escape(", ".join(head.versions)), escape(", ".join(head.plan))]),
    ]
    if report.splits:
        foot = reference_row(report)
        blocks += [table(COLUMNS, [*rows(report), *([foot] if foot else [])]), f"<sub>{escape(legend(report))}</sub>"]
    if notes := [*not_run(report), *findings(report)]:
        blocks += ["### Findings", *map(note_item, notes)]
    if title := before_title(report):
        blocks += ["### Hot-fix", escape(title), table(BEFORE_COLUMNS, before_rows(report))]
    if title := drift_title(report):
        blocks += ["### Trajectory", escape(title), table(DRIFT_COLUMNS, drift(report))]
    if pairs := measures(report):
        blocks += ["### Measures", "\n".join(f"- **{label}:** {inline(value)}" for label, value in pairs)]
    return "\n\n".join(blocks) + "\n"


def escape(said: str) -> str:
    """`inline` text that may begin a block: no heading, list or rule either."""
    return _BLOCK.sub(lambda found: f"{found[2] or ''}\\{found[1] or found[3]}", inline(said))


def inline(said: str) -> str:
    """Text that renders as it is inside a line: no markup, no HTML, no mathematics; line breaks become spaces."""
    return _INLINE.sub(r"\\\g<0>", _one_line(said))


def _one_line(said: str) -> str:
    return " ".join(clean(said).split())


def code(said: str) -> str:
    """Text in a code span, whatever it holds."""
    one_line = _one_line(said)
    fence = "`" * (max((len(run) for run in re.findall("`+", one_line)), default=0) + 1)
    padding = " " if one_line.startswith("`") or one_line.endswith("`") else ""
    return f"{fence}{padding}{one_line}{padding}{fence}"


def table(columns: Sequence[Column], body: Sequence[Sequence[Cell]]) -> str:
    """A table of cells; the first column and what is not plain stand out in bold."""
    lines = [
        _row([inline(column.name) for column in columns]),
        _row(["---" if column.align == "left" else "---:" for column in columns]),
        *(_row([_cell(cell) for cell in row]) for row in body),
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    if not cell.text:
        return ""
    strong = cell.tone in ("label", "warn", "fail", "error", "bad")
    return f"**{inline(cell.text)}**" if strong else inline(cell.text)


def note_item(note: Note) -> str:
    """One finding as an item of a list, its paragraphs below each other."""
    known = [part for fault in note.known for part in _known(fault)]
    parts = [
        f"- **{WORDS[note.tone]}** {inline(note.headline)}",
        *(escape(paragraph) for paragraph in note.paragraphs),
        *([f"**Advice:** {inline(note.advice)}"] if note.advice else []),
        *([f"Source: {code(note.source)}"] if note.source else []),
        *(f"Log: {code(log)}" for log in note.logs),
        *known,
    ]
    return "\n\n  ".join(parts)


def _known(fault: Known) -> list[str]:
    link = fault.url or fault.title
    title = inline(fault.title)
    if link.startswith(("https://", "http://")):
        title = f"[{title}](<{quote(link, safe=':/?#@!$&()*+,;=%~._-')}>)"
    facts = "; ".join(f"{name}: {inline(said)}" for name, said in fault.facts)
    return [f"Known: {title}{f' ({facts})' if facts else ''}"]

"""The table: what an engineer reads in a terminal, a pipe or a CI log."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from accumcheck.report.before import BEFORE_COLUMNS, before_rows, before_title
from accumcheck.report.drift import CURVE_COLUMN, DRIFT_COLUMNS, drift, drift_title
from accumcheck.report.layout import STYLES, clean, columns, prose
from accumcheck.report.rows import COLUMNS, legend, reference_row, rows
from accumcheck.report.tolerances import explained
from accumcheck.report.words import WORDS, findings, header, measures, not_run, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from accumcheck.record import Report
    from accumcheck.report.words import Note

PLAIN_WIDTH = 80
"""Where there is no terminal to ask, prose wraps here."""
PLAIN_TABLE_WIDTH = 100
"""Where there is no terminal to ask, the columns may take this much, if they must."""
READABLE_WIDTH = 100
"""Prose wraps here even in a wider terminal."""
_LABEL = 13  # the column in which the texts after "tolerance" and its like begin
_INDENT = 8  # past the longest word in front


def text(report: Report) -> str:
    """The table as plain text: no colour, no box drawing, 80 columns wherever the numbers allow it."""
    stream = io.StringIO()
    render(report, Console(file=stream, force_terminal=False, color_system=None))
    return stream.getvalue()


def render(report: Report, console: Console, explain: bool = False) -> None:
    """Print the table on ``console``: as wide as it must be, in colour only where the console has it.

    With ``NO_COLOR`` set, nothing but text is printed: no escape codes at all. ``explain``: say as well where the
    tolerances come from.
    """
    if console.is_terminal:
        graphic = console.encoding.startswith("utf")
        lines = _lines(report, min(console.width, READABLE_WIDTH), console.width, console.width, graphic, explain)
    else:
        lines = _lines(report, PLAIN_WIDTH, PLAIN_WIDTH, PLAIN_TABLE_WIDTH, graphic=False, explain=explain)
    for line in lines:
        line.plain = line.plain.encode(console.encoding, "replace").decode(console.encoding)
        line.rstrip()
        console.print(Text(line.plain) if console.no_color else line, soft_wrap=True, highlight=False)


def _lines(report: Report, width: int, comfortable: int, limit: int, graphic: bool, explain: bool) -> Iterator[Text]:
    rule = "─" if graphic else "-"
    body, foot = rows(report), reference_row(report)
    blocks: Iterable[list[Text]] = (
        columns(COLUMNS, [*body, *([None, foot] if foot else [])], comfortable, limit, rule) if body else [],
        prose(legend(report), width, style="dim") if body else [],
        [line for note in not_run(report) for line in note_lines(note, width)],
        *(note_lines(note, width) for note in findings(report)),
        _before(report, width, comfortable, limit, rule),
        _drift(report, width, rule, graphic),
        [line for label, said in measures(report) for line in _labelled(label, said, width)],
        *(explained(report, width, comfortable, limit, rule) if explain else ()),
        _verdict(report),
    )
    head = header(report)
    yield from prose(head.model, width, style="bold")
    yield from _listed(head.versions, width)
    yield from _listed(head.plan, width)
    for block in blocks:
        if block:
            yield Text()
            yield from block


def note_lines(note: Note, width: int) -> list[Text]:
    """A block: what is wrong and how much, why, and what is known about it."""
    first = Text(WORDS[note.tone].ljust(_INDENT), STYLES[note.tone])
    lines = prose(note.headline, width, first=first, indent=_INDENT)
    for paragraph in note.paragraphs:
        lines += prose(paragraph, width, indent=_INDENT)
    if note.advice:
        lines += prose(f"advice: {note.advice}", width, indent=_INDENT)
    lines += [Text(f"{' ' * _INDENT}log: {clean(log).replace(chr(10), ' ')}", "dim") for log in note.logs]
    if note.source:
        lines += prose(f"source: {note.source}", width, indent=_INDENT, style="dim")
    for known in note.known:
        lines += prose(f"known: {known.title}", width, indent=_INDENT)
        facts = [f"{name}: {said}" for name, said in known.facts]
        for line in [known.url, *facts] if known.url else facts:
            lines += prose(line, width, indent=_INDENT + 2, style="dim")
    return lines


def _before(report: Report, width: int, comfortable: int, limit: int, rule: str) -> list[Text]:
    if not (title := before_title(report)):
        return []
    return [*prose(title, width, style="dim"), *columns(BEFORE_COLUMNS, before_rows(report), comfortable, limit, rule)]


def _drift(report: Report, width: int, rule: str, graphic: bool) -> list[Text]:
    if not (title := drift_title(report)):
        return []
    specs = (*DRIFT_COLUMNS, CURVE_COLUMN) if graphic else DRIFT_COLUMNS
    return [*prose(title, width, style="dim"), *columns(specs, drift(report, graphic), width, width, rule)]


def _verdict(report: Report) -> list[Text]:
    said = verdict(report)
    return [Text(f"{said.word}:", STYLES[said.tone]) + Text(f" {said.text} ({said.exit})")]


def _listed(parts: Sequence[str], width: int) -> list[Text]:
    """Parts with commas between them; lines break between parts, not within."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return prose(",\n".join(lines), width)


def _labelled(label: str, said: str, width: int) -> list[Text]:
    return prose(said, width, first=Text(label.ljust(_LABEL), "dim"), indent=_LABEL)

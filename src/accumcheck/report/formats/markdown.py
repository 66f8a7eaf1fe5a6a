"""The report in GitHub's Markdown, for step summaries, comments and issues."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from accumcheck.report.blocks import WORDS, Facts, Head, Notes, Section, Sentence, Table
from accumcheck.report.escapes import clean
from accumcheck.report.format import Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from accumcheck.report.blocks import Block, Cell, Fact, Known, Note
    from accumcheck.report.document import Document

_INLINE = re.compile(r"[\\`*_\[\]<>|~&$]")
_BLOCK = re.compile(r"^(?:([#+\-=])|(\d+)([.)])(?!\S))")


def text(document: Document) -> str:
    """The whole document: a heading with the verdict, and the blocks."""
    conclusion = document.conclusion()
    found = [
        f"## {inline(document.title)}: {inline(conclusion.word)}",
        f"**{escape(conclusion.text)}** ({escape(conclusion.exit)})",
        *paragraphs(document.blocks(), depth=3),
    ]
    return "\n\n".join(found) + "\n"


def paragraphs(blocks: Iterable[Block], depth: int) -> Iterator[str]:
    """Each block that Markdown can show; ``depth``: the level of a section's heading."""
    for block in blocks:
        if isinstance(block, Section):
            yield from _section(block, depth)
        elif isinstance(block, Head):
            yield "  \n".join(map(escape, [block.model, *map(", ".join, block.lines)]))
        elif isinstance(block, Sentence):
            yield escape(block.text)
        elif isinstance(block, Table):
            yield from table(block.without_drawings())
        elif isinstance(block, Facts):
            yield "\n".join(map(_fact, block.facts))
        elif isinstance(block, Notes):
            yield from map(_note, block.notes)


def _section(section: Section, depth: int) -> Iterator[str]:
    found = [] if section.background else list(paragraphs(section.blocks, depth + 1))
    if found and section.role != "whole":
        yield f"{'#' * depth} {inline(section.title)}"
    if found and section.conclusion is not None:
        yield f"**{escape(section.conclusion.text)}**"
    yield from found


def escape(raw: str) -> str:
    """`inline` text at the start of a block: no heading, list or rule either."""
    return _BLOCK.sub(lambda found: f"{found[2] or ''}\\{found[1] or found[3]}", inline(raw))


def inline(raw: str) -> str:
    """Text that renders unchanged inside a line: no markup, no HTML, no mathematics; line breaks become spaces."""
    return _INLINE.sub(r"\\\g<0>", one_line(raw))


def one_line(raw: str) -> str:
    """Text without line breaks and control characters."""
    return " ".join(clean(raw).split())


def code(raw: str) -> str:
    """Any text in a code span."""
    line = one_line(raw)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def table(shown: Table) -> Iterator[str]:
    """The cells; the first column and cells that need attention are bold."""
    if shown.lead:
        yield escape(shown.lead)
    rows = [*shown.rows, *([shown.foot] if shown.foot else [])]
    lines = [
        _row([inline(column.name) for column in shown.columns]),
        _row(["---" if column.align == "left" else "---:" for column in shown.columns]),
        *(_row([_cell(cell) for cell in row]) for row in rows),
    ]
    yield "\n".join(lines)
    if shown.legend:
        yield f"<sub>{escape(shown.legend)}</sub>"


def _fact(fact: Fact) -> str:
    return f"- **{inline(fact.label)}:** {f'<{fact.text}>' if fact.is_address else inline(fact.text)}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    if not cell.text:
        return ""
    strong = cell.tone in ("label", "warn", "fail", "error", "bad")
    return f"**{inline(cell.text)}**" if strong else inline(cell.text)


def _note(note: Note) -> str:
    """One finding as an item of a list, with its paragraphs below."""
    known = [part for fault in note.known for part in _known(fault)]
    parts = [
        f"- **{WORDS[note.tone]}** {inline(note.headline)}",
        *(escape(paragraph) for paragraph in note.paragraphs),
        *([f"**Advice:** {inline(note.advice)}"] if note.advice else []),
        *([f"Source: {code(note.source)}"] if note.source else []),
        *([_fenced(note.excerpt)] if note.excerpt else []),
        *(f"Log: {code(log)}" for log in note.logs),
        *known,
    ]
    return "\n\n  ".join(parts)


def _fenced(lines: Sequence[str]) -> str:
    """Preformatted lines, inside an item of a list."""
    shown = [clean(line).replace("\n", " ") for line in lines]
    fence = "`" * max(3, 1 + max((len(run) for line in shown for run in re.findall("`+", line)), default=0))
    return "\n  ".join([f"{fence}text", *shown, fence])


def _known(fault: Known) -> list[str]:
    link = fault.url or fault.title
    title = inline(fault.title)
    if link.startswith(("https://", "http://")):
        title = f"[{title}](<{quote(link, safe=':/?#@!$&()*+,;=%~._-')}>)"
    facts = "; ".join(f"{name}: {inline(value)}" for name, value in fault.facts)
    return [f"Known: {title}{f' ({facts})' if facts else ''}"]


FORMAT = Format("markdown", text, extension=".md")

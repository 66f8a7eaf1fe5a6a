"""A document as lines of plain text: what a terminal, a pipe or a CI log shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from accumcheck.report.blocks import WORDS, Facts, Head, Notes, Section, Sentence, Table
from accumcheck.report.escapes import clean
from accumcheck.report.layout import STYLES, columns, prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from accumcheck.report.blocks import Block, Conclusion, Note
    from accumcheck.report.document import Document

_LABEL = 13  # the column in which the texts after "tolerance" and its like begin
_INDENT = 8  # past the longest word in front
_UNWRAPPED = 100_000


@dataclass(frozen=True, slots=True)
class Space:
    """The available width.

    Attributes:
        prose: columns within which sentences wrap.
        comfortable: columns that a table may take with full spacing.
        limit: columns that a table may take at most.
        graphic: whether lines and curves can be drawn.
    """

    prose: int
    comfortable: int
    limit: int
    graphic: bool


def lines(document: Document, space: Space) -> Iterator[Text]:
    """The whole document: its blocks with a blank line between them, and the conclusion last."""
    if (printed := document.transcript()) is not None:
        yield from map(Text, printed)
        return
    title = [prose(document.title, space.prose, style="bold")] if document.text_has_title else []
    chunks = (*title, *_chunks(document.blocks(), space), _conclusion(document.conclusion(), space))
    for index, chunk in enumerate(chunks):
        if index:
            yield Text()
        yield from chunk


def _chunks(blocks: Iterable[Block], space: Space) -> Iterator[list[Text]]:
    """The lines between two blank lines; none for a block that only HTML can show."""
    for block in blocks:
        if isinstance(block, Section):
            yield from _section(block, space)
        elif isinstance(block, Table):
            yield from _table(block, space)
        elif isinstance(block, Head):
            listed = [line for parts in block.lines for line in _listed(parts, space.prose)]
            yield [*prose(block.model, space.prose, style="bold"), *listed]
        elif isinstance(block, Sentence):
            yield prose(block.text, space.prose)
        elif isinstance(block, Facts):
            yield [
                line
                for fact in block.facts
                for line in prose(fact.text, space.prose, first=Text(fact.label.ljust(_LABEL), "dim"), indent=_LABEL)
            ]
        elif isinstance(block, Notes):
            found = [_note(note, space.prose) for note in block.notes]
            yield from [[line for note in found for line in note]] if block.together and found else found


def _section(section: Section, space: Space) -> Iterator[list[Text]]:
    if section.background:
        return
    heading = [Text(section.title, "bold")] if section.role == "part" else []
    for chunk in _chunks(section.blocks, space):
        yield [*heading, *chunk]
        heading = []
    if section.conclusion is not None:
        yield _conclusion(section.conclusion, space)


def _table(table: Table, space: Space) -> Iterator[list[Text]]:
    rule = "─" if space.graphic else "-"
    shown = table if space.graphic else table.without_drawings()
    rows = [*shown.rows, *([None, shown.foot] if shown.foot else [])]
    lead = prose(shown.lead, space.prose, style="dim") if shown.lead else []
    yield [*lead, *columns(shown.columns, rows, space.comfortable, space.limit, rule)]
    if shown.legend:
        yield prose(shown.legend, space.prose, style="dim")


def _note(note: Note, width: int) -> list[Text]:
    """The lines of one note."""
    first = Text(WORDS[note.tone].ljust(_INDENT), STYLES[note.tone])
    found = prose(note.headline, width, first=first, indent=_INDENT)
    for paragraph in note.paragraphs:
        found += prose(paragraph, width, indent=_INDENT)
    if note.advice:
        found += prose(f"advice: {note.advice}", width, indent=_INDENT)
    found += [Text(f"{' ' * _INDENT}| {clean(line).replace(chr(10), ' ')}", "dim") for line in note.excerpt]
    found += [Text(f"{' ' * _INDENT}log: {clean(log).replace(chr(10), ' ')}", "dim") for log in note.logs]
    if note.source:
        found += prose(f"source: {note.source}", width, indent=_INDENT, style="dim")
    for known in note.known:
        found += prose(f"known: {known.title}", width, indent=_INDENT)
        facts = [f"{name}: {text}" for name, text in known.facts]
        for line in [known.url, *facts] if known.url else facts:
            found += prose(line, width, indent=_INDENT + 2, style="dim")
    return found


def _conclusion(conclusion: Conclusion, space: Space) -> list[Text]:
    width = space.prose if conclusion.wraps else _UNWRAPPED
    text = f"{conclusion.text} ({conclusion.exit})"
    return prose(text, width, first=Text(f"{conclusion.word}: ", STYLES[conclusion.tone]))


def _listed(parts: Sequence[str], width: int) -> list[Text]:
    """Parts with commas between them; lines break between parts, not within."""
    found: list[str] = []
    for part in parts:
        if found and len(found[-1]) + len(part) + 3 <= width:
            found[-1] += f", {part}"
        else:
            found.append(part)
    return prose(",\n".join(found), width)

"""Two reports beside each other as a table, for a terminal, a pipe or a CI log."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from accumcheck.report.layout import STYLES, columns, prose
from accumcheck.report.pairs.rows import LEGEND, check_columns, check_rows, split_columns, split_rows
from accumcheck.report.pairs.words import conclusion, facts, notes, overall, subject, to_tell
from accumcheck.report.table import PLAIN_TABLE_WIDTH, PLAIN_WIDTH, READABLE_WIDTH, note_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.record.comparison import Comparison, Pair
    from accumcheck.report.words import Conclusion

_LABEL = 13  # where texts begin after a label


def text(comparison: Comparison) -> str:
    """The table as plain text, 80 columns wherever the numbers allow it."""
    stream = io.StringIO()
    render(comparison, Console(file=stream, force_terminal=False, color_system=None))
    return stream.getvalue()


def render(comparison: Comparison, console: Console) -> None:
    """Print the table on ``console``; see `accumcheck.report.table.render`."""
    if console.is_terminal:
        rule = "─" if console.encoding.startswith("utf") else "-"
        lines = _lines(comparison, min(console.width, READABLE_WIDTH), console.width, console.width, rule)
    else:
        lines = _lines(comparison, PLAIN_WIDTH, PLAIN_WIDTH, PLAIN_TABLE_WIDTH, "-")
    for line in lines:
        line.plain = line.plain.encode(console.encoding, "replace").decode(console.encoding)
        line.rstrip()
        console.print(Text(line.plain) if console.no_color else line, soft_wrap=True, highlight=False)


def _lines(comparison: Comparison, width: int, comfortable: int, limit: int, rule: str) -> Iterator[Text]:
    yield from prose(comparison.title, width, style="bold")
    if len(comparison.pairs) > 1:
        yield Text()
        lines = columns(check_columns(comparison), check_rows(comparison), comfortable, limit, rule)
        yield from (line for line in lines if line.plain)  # the headers have one line here
    for pair in to_tell(comparison):
        yield Text()
        if len(comparison.pairs) > 1:
            yield Text(pair.config, "bold")
        for block in _blocks(pair, comparison, width, comfortable, limit, rule):
            if block:
                yield from block
                yield Text()
        yield from _verdict(conclusion(pair, comparison), width)
    if len(comparison.pairs) > 1:
        yield Text()
        yield from _verdict(overall(comparison), width)


def _blocks(
    pair: Pair, comparison: Comparison, width: int, comfortable: int, limit: int, rule: str
) -> Iterator[list[Text]]:
    yield [line for said in subject(pair) for line in prose(said, width)]
    yield columns(split_columns(comparison), split_rows(pair), comfortable, limit, rule)
    yield prose(LEGEND, width, style="dim")
    yield [
        line
        for label, said in facts(pair, comparison)
        for line in prose(said, width, first=Text(label.ljust(_LABEL), "dim"), indent=_LABEL)
    ]
    for note in notes(pair, comparison):
        yield note_lines(note, width)


def _verdict(said: Conclusion, width: int) -> list[Text]:
    return prose(f"{said.text} ({said.exit})", width, first=Text(f"{said.word}: ", STYLES[said.tone]))

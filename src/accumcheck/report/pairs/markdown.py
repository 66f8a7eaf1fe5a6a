"""Two reports beside each other in GitHub's Markdown, for step summaries, comments and pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.markdown import escape, inline, note_item, table
from accumcheck.report.pairs.rows import LEGEND, check_columns, check_rows, split_columns, split_rows
from accumcheck.report.pairs.words import conclusion, facts, notes, overall, subject, to_tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.record.comparison import Comparison, Pair


def text(comparison: Comparison) -> str:
    """The whole comparison: a heading, one row per check where there are several, and each that is told in full."""
    said = overall(comparison)
    blocks = [
        f"## {inline(comparison.title)}: {inline(said.word)}",
        f"**{escape(said.text)}** ({escape(said.exit)})",
    ]
    if len(comparison.pairs) > 1:
        blocks.append(table(check_columns(comparison), check_rows(comparison)))
    for pair in to_tell(comparison):
        if len(comparison.pairs) > 1:
            blocks += [f"### {inline(pair.config)}", f"**{escape(conclusion(pair, comparison).text)}**"]
        blocks += _pair(pair, comparison)
    return "\n\n".join(blocks) + "\n"


def _pair(pair: Pair, comparison: Comparison) -> Iterator[str]:
    yield "  \n".join(map(escape, subject(pair)))
    yield table(split_columns(comparison), split_rows(pair))
    yield f"<sub>{escape(LEGEND)}</sub>"
    yield "\n".join(f"- **{label}:** {inline(said)}" for label, said in facts(pair, comparison))
    if found := notes(pair, comparison):
        yield "#### Findings"
        yield from map(note_item, found)

"""A search over releases in GitHub's Markdown, for comments and issues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.bisections.words import (
    STEP_COLUMNS,
    conclusion,
    facts,
    notes,
    release_notes,
    step_rows,
    subject,
    told_side,
)
from accumcheck.report.markdown import escape, inline, note_item, table

if TYPE_CHECKING:
    from accumcheck.record.bisection import Bisection


def text(bisection: Bisection) -> str:
    """The whole search: where it ended, its steps, and what is wrong on the bad side."""
    said = conclusion(bisection)
    blocks = [
        f"## accumcheck bisect {inline(bisection.config)}: {inline(said.word)}",
        f"**{escape(said.text)}** ({escape(said.exit)})",
        escape(subject(bisection)),
        table(STEP_COLUMNS, step_rows(bisection)),
        "\n".join(
            [
                *(f"- **{inline(label)}:** {inline(told)}" for label, told in facts(bisection)),
                *(f"- **release notes:** <{address}>" for address in release_notes(bisection)),
            ]
        ),
    ]
    if found := [note_item(note) for note in notes(bisection)]:
        blocks += [f"### Under transformers {inline(told_side(bisection).release)}", *found]
    return "\n\n".join(blocks) + "\n"

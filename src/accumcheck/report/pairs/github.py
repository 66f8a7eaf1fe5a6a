"""Two reports beside each other for GitHub Actions: one annotation for each check that did not come out well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.github import annotation, place
from accumcheck.report.layout import clean
from accumcheck.report.pairs.words import conclusion, facts, notes, overall

if TYPE_CHECKING:
    from accumcheck.record.comparison import Comparison, Pair


def text(comparison: Comparison) -> str:
    """The annotations, errors first, and what all comes to on a line of its own."""
    found = [_annotation(pair, comparison) for pair in comparison.pairs if pair.exit_code or pair.new.verdict == "warn"]
    found.sort(key=lambda one: not one.startswith("::error"))
    return "\n".join([*found, clean(str(overall(comparison)))]) + "\n"


def _annotation(pair: Pair, comparison: Comparison) -> str:
    lines = [
        str(conclusion(pair, comparison)),
        *(f"{label}: {said}" for label, said in facts(pair, comparison)),
        *(note.headline for note in notes(pair, comparison)),
    ]
    file, line = place(pair.new)
    return annotation(
        "error" if pair.exit_code else "warning", "\n".join(lines), file, line, f"accumcheck {pair.config}"
    )

"""Two reports beside each other as one HTML page that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.html import page
from accumcheck.report.pairs.rows import LEGEND, check_columns, check_rows, split_columns, split_rows
from accumcheck.report.pairs.words import conclusion, facts, notes, overall, subject, to_tell

if TYPE_CHECKING:
    from accumcheck.record.comparison import Comparison, Pair


def text(comparison: Comparison) -> str:
    """The whole page."""
    return page(
        "comparison.html.j2",
        title=comparison.title,
        said=overall(comparison),
        check_columns=check_columns(comparison),
        checks=check_rows(comparison) if len(comparison.pairs) > 1 else [],
        split_columns=split_columns(comparison),
        legend=LEGEND,
        pairs=[_pair(pair, comparison) for pair in to_tell(comparison)],
    )


def _pair(pair: Pair, comparison: Comparison) -> dict[str, object]:
    model, versions = subject(pair)
    return {
        "config": pair.config,
        "said": conclusion(pair, comparison),
        "model": model,
        "versions": versions,
        "rows": split_rows(pair),
        "facts": facts(pair, comparison),
        "notes": notes(pair, comparison),
    }

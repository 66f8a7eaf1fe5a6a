"""A search over releases as one HTML page that needs nothing else."""

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
from accumcheck.report.html import page

if TYPE_CHECKING:
    from accumcheck.record.bisection import Bisection


def text(bisection: Bisection) -> str:
    """The whole page."""
    return page(
        "bisection.html.j2",
        title=f"accumcheck bisect {bisection.config}",
        said=conclusion(bisection),
        model=subject(bisection),
        columns=STEP_COLUMNS,
        rows=step_rows(bisection),
        facts=facts(bisection),
        release_notes=release_notes(bisection),
        release=told_side(bisection).release,
        notes=list(notes(bisection)),
    )

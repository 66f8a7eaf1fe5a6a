"""What one case of the self-test gave: a planted fault, or a clean run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from accumcheck.record.in_json import LATER, Always
from accumcheck.record.reported import SCHEMA_VERSION
from accumcheck.record.split import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestCase:
    """One case. What accumcheck selftest writes is a list of these."""

    case: str
    """Its name."""
    clean: bool
    """Nothing is planted."""
    verdict: Verdict
    loss_rule: str | None
    gradient_rule: str | None
    findings: tuple[str, ...]
    """By their ids."""
    caught: bool
    """The run did not pass."""
    named: bool
    """As the case expects."""
    accused: bool
    """The splits that were found wrong are those in which the fault was planted."""
    held: bool
    """The case came out as it must."""
    duration_seconds: float
    expected_finding: str = field(default="", metadata=LATER)
    """The id of the finding that must be there; empty for a clean run."""
    why: tuple[str, ...] = field(default=(), metadata=LATER)
    """Of a case that did not come out as it must: what was wanted, what was found."""
    started_at: str = field(default="", metadata=LATER)
    """ISO 8601, with the offset from UTC."""
    schema_version: Annotated[str, Always(SCHEMA_VERSION)] = field(default=SCHEMA_VERSION, metadata=LATER)

    @property
    def wrong(self) -> bool:
        """Whether the run was decided, and not as it must be."""
        return not self.held and self.verdict not in ("error", "skipped")


def exit_code_of(cases: Sequence[SelftestCase]) -> int:
    """0 if every case came out as it must, 1 if one did not, 3 if one was not decided, or there is none."""
    if cases and all(one.held for one in cases):
        return 0
    return 1 if any(one.wrong for one in cases) else 3

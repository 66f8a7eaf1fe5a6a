"""The result of one case of the self-test: a planted fault, or a clean run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from accumcheck.record.in_json import LATER, Always
from accumcheck.record.reported import SCHEMA_VERSION
from accumcheck.record.split import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestCase:
    """One case. accumcheck selftest writes a list of these."""

    case: str
    """The name of the case."""
    clean: bool
    """No fault is planted."""
    verdict: Verdict
    loss_rule: str | None
    gradient_rule: str | None
    findings: tuple[str, ...]
    """The ids of the findings."""
    caught: bool
    """The run did not pass."""
    named: bool
    """The finding and the rules are the expected ones."""
    accused: bool
    """Exactly the splits with the planted fault were found wrong."""
    held: bool
    """The result is the expected one."""
    duration_seconds: float
    expected_finding: str = field(default="", metadata=LATER)
    """The id of the expected finding; empty for a clean run."""
    why: tuple[str, ...] = field(default=(), metadata=LATER)
    """If the result is not the expected one: what was expected, and what was found."""
    started_at: str = field(default="", metadata=LATER)
    """ISO 8601, with the offset from UTC."""
    schema_version: Annotated[str, Always(SCHEMA_VERSION)] = field(default=SCHEMA_VERSION, metadata=LATER)

    @property
    def is_wrong(self) -> bool:
        """Whether the run was decided, but not with the expected result."""
        return not self.held and self.verdict not in ("error", "skipped")


def exit_code_of(cases: Sequence[SelftestCase]) -> int:
    """0 if every case has the expected result; 1 if one has not; 3 if one was not decided, or if there is no case."""
    if cases and all(one.held for one in cases):
        return 0
    return 1 if any(one.is_wrong for one in cases) else 3

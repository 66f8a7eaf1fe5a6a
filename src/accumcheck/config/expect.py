"""Known failures: what a configuration expects to fail, why, and until which release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accumcheck.config.limits import SPLITS
from accumcheck.config.values import SHORT_SPLIT, RuleName
from accumcheck.declare.keys import Checked, Contradiction, Expected, Required, Section, Text, expect, refuse
from accumcheck.record.split import Split

EXPECTATIONS = 256
"""Known failures in one configuration."""

_UNTIL = r"^\s*[A-Za-z0-9][A-Za-z0-9._-]*\s+v?[0-9]+(\.[0-9]+)*\s*$"
_FINDING = r"^\s*[^\s,]+(,[^\s,]+)*\s*$"
_SPLITS = "a list of splits, for example [1x1x32]"
_MANY = f"a list of at most {EXPECTATIONS} known failures, for example [{{rule: microbatch-mean*k, reason: why}}]"


def _read_splits(value: object) -> object:
    if not isinstance(value, list) or not 1 <= len(value) <= SPLITS:
        raise expect(_SPLITS)
    return value


def _read_split(text: str) -> str:
    try:
        return str(Split.parse(text))
    except ValueError:
        raise refuse("not a split; write n x b x k, for example 1x1x32") from None


def _read_many(value: object) -> object:
    if not isinstance(value, list) or len(value) > EXPECTATIONS:
        raise expect(_MANY)
    return value


_ShortSplit = Annotated[str, Checked(after=_read_split, json=lambda _: {"type": "string", "pattern": SHORT_SPLIT})]


@dataclass(frozen=True, slots=True)
class ExpectedFailure(Section):
    """One known failure. It is still run and shown, and does not fail the run; that it is gone is reported."""

    reason: Annotated[str, Text("text, for example an issue's address"), Required("reason: transformers#47688")]
    """Why the failure is expected: an issue, a ticket, a sentence."""
    rule: RuleName | None = None
    """Weighting rule that the loss or the gradient follows; a split that also breaks another rule still fails."""
    finding: Annotated[str, Text("a finding's id, as in the JSON report", _FINDING)] | None = None
    """Id of a finding, for faults without a weighting rule."""
    splits: (
        Annotated[
            tuple[_ShortSplit, ...],
            Checked(before=_read_splits, json=lambda own: {**own, "minItems": 1, "maxItems": SPLITS}),
            Expected(_SPLITS),
        ]
        | None
    ) = None
    """Splits in which it is expected; default: every split."""
    until: Annotated[str, Text("a package and a release, for example transformers 5.30", _UNTIL)] | None = None
    """Package and release from which on the failure is no longer expected, and counts again."""

    def contradictions(self) -> list[Contradiction]:
        """One of rule and finding says what is expected."""
        if self.rule is None and self.finding is None:
            return [((), "missing rule or finding; add for example rule: microbatch-mean*k")]
        return []


ExpectedFailures = Annotated[
    tuple[Annotated[ExpectedFailure, Checked(ExpectedFailure)], ...],
    Checked(before=_read_many, json=lambda own: {**own, "maxItems": EXPECTATIONS}),
    Expected(_MANY),
]

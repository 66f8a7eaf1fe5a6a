"""A run without a reference."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.detectors.detected import Judged
from accumcheck.judge.detectors.no_reference import no_reference
from accumcheck.judge.explanation import Explanation
from tests.judge.detectors.seen import evidence


def test_why_there_is_none_is_said_once() -> None:
    seen = replace(evidence(), reference=None, no_reference="it ran out of memory")
    (detected,) = no_reference(Judged(seen, Explanation(), (), frozenset()))
    assert (detected.finding.id, detected.finding.severity) == ("no-reference", "error")
    assert detected.finding.summary == "the reference could not be computed: it ran out of memory"


def test_where_there_is_one_nothing_is_said() -> None:
    assert list(no_reference(Judged(evidence(), Explanation(), (), frozenset()))) == []


def test_where_nothing_ran_no_reference_was_due() -> None:
    seen = replace(evidence(), reference=None, ran=())
    assert list(no_reference(Judged(seen, Explanation(), (), frozenset()))) == []

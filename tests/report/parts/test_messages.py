"""Messages at lines: what each kind of reason means."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from accumcheck.record import ReasonKind
from accumcheck.report.parts.messages import messages
from tests.report import examples


@pytest.mark.parametrize("kind", get_args(ReasonKind))
def test_every_kind_of_reason_has_a_meaning_of_its_own(kind: ReasonKind) -> None:
    report = examples.undecided()
    crashed = replace(report.splits[2], reason_kind=kind)
    message, *_ = messages(replace(report, splits=(*report.splits[:2], crashed)))
    assert message.rule == kind
    assert message.meaning.endswith(".")
    assert message.meaning not in message.message


@pytest.mark.parametrize("strict", [False, True])
def test_an_expected_failure_is_a_note_with_its_reason(strict: bool) -> None:
    found = messages(replace(examples.expected(), strict=strict))
    assert {one.level for one in found} == {"note"}
    assert "expected (transformers#34191): " in found[0].message


def test_a_report_without_kinds_names_what_became_of_the_split() -> None:
    report = examples.undecided()
    crashed = replace(report.splits[2], reason_kind=None)
    message, *_ = messages(replace(report, splits=(*report.splits[:2], crashed)))
    assert (message.rule, message.meaning) == ("error", "")

"""From the report of a check to a line of the survey."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accumcheck.record import Finding, Reason
from accumcheck.survey.asked import Asked, Head, check_of, config_of, on_text_alone
from accumcheck.survey.result import class_of, class_without
from tests.report import examples

HEAD = Head("LlavaForConditionalGeneration", "models.llava.modeling_llava", "llava", "image-text-to-text")
CHECK = check_of(HEAD, Asked().splits, 60.0)


def test_a_verdict_and_its_rules_are_the_checks() -> None:
    for report in (examples.clean(), examples.llava_449()):
        found = class_of(HEAD, report, CHECK, 1.5)
        assert (found.verdict, found.loss_rule, found.gradient_rule) == (
            report.verdict,
            report.loss_rule,
            report.gradient_rule,
        )
        assert (found.reason_kind, found.reason, found.findings) == (None, "", report.findings)
        assert found.config == config_of(CHECK)


def test_what_was_not_decided_has_no_verdict_and_no_rule() -> None:
    found = class_of(HEAD, examples.undecided(), CHECK, 1.5)
    assert (found.verdict, found.loss_rule, found.gradient_rule) == ("not checked", None, None)
    # the first split that did not run says why
    assert (found.reason_kind, found.reason) == (
        "out-of-memory",
        "process 2 ended with exit code 1: OutOfMemoryError: CUDA out of memory",
    )


def test_a_check_that_ran_but_proves_nothing_is_not_supported() -> None:
    finding = Finding("random-forward", "error", (), summary="Dropout draws again")
    report = replace(examples.clean(), verdict="error", exit_code=3, findings=(finding,))
    found = class_of(HEAD, report, CHECK, 1.5)
    assert (found.verdict, found.reason_kind, found.reason) == ("not checked", "unsupported", "Dropout draws again")


@pytest.mark.parametrize(("kind", "expected"), [("hung", "hung"), ("refused", "unsupported"), ("crashed", "crashed")])
def test_a_class_whose_processes_ended_early(kind: Any, expected: str) -> None:
    found = class_without(HEAD, Reason(kind, "ended"), CHECK, 120.0)
    assert (found.verdict, found.reason_kind, found.reason) == ("not checked", expected, "ended")


def test_a_check_on_text_alone_says_so() -> None:
    found = class_of(HEAD, examples.clean(), on_text_alone(CHECK), 1.5)
    assert found.note == "checked on text only: no synthetic images or sounds can be made for it"
    assert found.config["data"]["synthetic"]["images_per_sample"] == 0
    assert class_of(HEAD, examples.clean(), CHECK, 1.5).note == ""

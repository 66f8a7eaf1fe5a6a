"""Known failures: what they excuse, what they do not, and what is said when they are gone or their release has come."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.config.expect import ExpectedFailure
from accumcheck.judge.expected import ENDED, GONE
from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import Split
from tests.judge.runs import SPLITS, Stack, check, observe, reference, right, sum_of_means

CONTROL = Split.parse("1x8x1")
KNOWN = ExpectedFailure("transformers#47688", rule="microbatch-mean*k")
HERE = {"transformers": "5.24.0", "my-package": "1.0.dev0 (abc1234567)"}


def judged(stack: Stack, *expect: ExpectedFailure, **changes: Any) -> Judgement:
    """A run under a stack, with these known failures."""
    loss, strict = changes.pop("loss_stack", None), changes.pop("strict", False)
    observations = [observe(Split.parse(split), stack, loss) for split in SPLITS]
    asked = check(SPLITS, expect=expect, **changes)
    return judge(asked, observations, CONTROL, reference(), strict=strict, packages=HERE)


def failing(found: Judgement) -> set[str]:
    return {str(one.split) for one in found.splits if one.verdict == "fail"}


FAULTY = failing(judged(sum_of_means))
"""The splits in which the fault of the seed shows: all but those with one micro-batch."""


def test_without_an_expectation_the_fault_fails() -> None:
    found = judged(sum_of_means)
    assert len(FAULTY) > 1
    assert (found.verdict, found.exit_code) == ("fail", 1)
    assert all(not one.expected for one in found.splits)


@pytest.mark.parametrize("strict", [False, True])
def test_an_expected_failure_is_shown_and_does_not_fail_the_run(strict: bool) -> None:
    found = judged(sum_of_means, KNOWN, strict=strict)
    assert (found.verdict, found.exit_code) == ("warn", 0)
    assert {str(one.split) for one in found.splits if one.expected} == FAULTY
    assert {one.expected for one in found.splits if one.expected} == {"transformers#47688"}
    assert {one.verdict for one in found.splits if one.expected} == {"warn"}
    (finding,) = [one for one in found.findings if one.gradient_rule == "microbatch-mean*k"]
    assert (finding.severity, finding.expected) == ("warn", "transformers#47688")
    assert found.gradient_rule == "microbatch-mean*k"  # what is wrong is still named


def test_only_the_listed_splits_are_excused() -> None:
    one, *others = sorted(FAULTY)
    found = judged(sum_of_means, ExpectedFailure("known", rule="microbatch-mean*k", splits=(one,)))
    assert (found.exit_code, failing(found)) == (1, set(others))


def test_another_rule_than_the_expected_one_fails() -> None:
    found = judged(sum_of_means, ExpectedFailure("known", rule="microbatch-mean"))
    assert (found.exit_code, failing(found)) == (1, FAULTY)


def test_a_split_with_a_second_fault_is_not_excused() -> None:
    def twice(split: Split, fed: Any) -> Any:
        return right(split, fed) * 2

    found = judged(sum_of_means, KNOWN, loss_stack=twice)
    assert found.exit_code == 1
    assert failing(found) >= FAULTY


def test_a_finding_is_named_by_its_id() -> None:
    (finding,) = [one for one in judged(sum_of_means).findings if one.severity == "fail"]
    found = judged(sum_of_means, ExpectedFailure("known", finding=finding.id))
    assert (found.verdict, found.exit_code) == ("warn", 0)


@pytest.mark.parametrize(("strict", "ends"), [(False, ("warn", 0)), (True, ("fail", 1))])
def test_a_failure_that_is_gone_is_reported(strict: bool, ends: tuple[str, int]) -> None:
    found = judged(right, KNOWN, strict=strict)
    assert (found.verdict, found.exit_code) == ends
    (finding,) = [one for one in found.findings if one.id == GONE]
    assert finding.severity == "warn"
    assert finding.summary.startswith("microbatch-mean*k was expected of ")
    assert finding.summary.endswith("(transformers#47688) and is gone")


def test_a_failure_that_is_gone_in_one_of_the_listed_splits_is_reported() -> None:
    expected = ExpectedFailure("known", rule="microbatch-mean*k", splits=(*sorted(FAULTY), "1x8x1"))
    found = judged(sum_of_means, expected)
    assert found.exit_code == 0
    (finding,) = [one for one in found.findings if one.id == GONE]
    assert "was expected of 1x8x1 (known)" in finding.summary


@pytest.mark.parametrize(
    ("until", "holds"),
    [
        ("transformers 5.25", True),
        ("transformers 5.24.1", True),
        ("transformers 5.24", False),
        ("transformers 4.9", False),
        ("My_Package 1.0", False),  # a development version of the release has its fixes
        ("my-package 1.1", True),
        ("absent 1.0", True),
    ],
)
def test_it_holds_until_its_release(until: str, holds: bool) -> None:
    found = judged(sum_of_means, ExpectedFailure("known", rule="microbatch-mean*k", until=until))
    assert found.exit_code == (0 if holds else 1)
    ended = [one for one in found.findings if one.id == ENDED]
    assert bool(ended) is not holds
    if holds:
        assert f"known (until {until})" in {one.expected for one in found.splits}


def test_where_nothing_is_expected_nothing_is_said() -> None:
    found = judged(right)
    assert (found.verdict, found.exit_code, found.findings) == ("pass", 0, ())

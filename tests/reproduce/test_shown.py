"""A script that shows another fault than the finding's does not reproduce it."""

from __future__ import annotations

import pytest

from accumcheck.record import Split
from accumcheck.record.rule import Rule
from accumcheck.reproduce.shown import Expected


def printed(ratio: float, off: float) -> str:
    return f"loss 1.0, right 1.0 (x {ratio:.3f}); gradient norm 1.0, right 1.0; off by {off:.2g}"


@pytest.mark.parametrize(
    ("loss", "gradient", "split", "ratio", "off"),
    [
        ("token-mean*k", "token-mean*k", "1x1x4", 4.0, 3.0),
        ("token-mean*k*n", "token-mean*k*n", "2x1x2", 3.998, 3.0),
        ("token-mean", "token-mean/k", "1x1x4", 1.0, 0.75),
        ("token-mean*k", "token-mean", "1x1x2", 2.0, 1e-7),
        ("microbatch-mean", "microbatch-mean", "1x1x2", 0.98, 0.21),
        ("microbatch-mean*k*n", "microbatch-mean*k*n", "1x1x2", 1.991, 1.4),
        (None, "token-mean*k", "1x1x2", 0.4, 1.0),
    ],
)
def test_numbers_of_the_rule(loss: str | None, gradient: str, split: str, ratio: float, off: float) -> None:
    expected = Expected(Rule.parse(loss) if loss else None, Rule.parse(gradient))
    assert expected.mismatch(printed(ratio, off), Split.parse(split)) == ""


@pytest.mark.parametrize(
    ("loss", "gradient", "split", "ratio", "off", "words"),
    [
        ("token-mean*k", "token-mean*k", "1x1x4", 1.02, 0.2, "the loss should be 4 times the right one"),
        ("token-mean", "token-mean*k", "1x1x4", 1.0, 0.21, "the gradient should be off by 3"),
        ("token-mean*k", "token-mean", "1x1x2", 2.0, 1.0, "the gradient should be off by 0"),
        ("microbatch-mean", "microbatch-mean", "1x1x2", 1.02, 1e-7, "the gradient should be wrong"),
        # without the argument that a fault needs, another one may be left: here labels counted before the shift
        (
            "microbatch-mean*k*n",
            "microbatch-mean*k*n",
            "1x1x2",
            0.8,
            0.2,
            "the loss should be about 2 times the right one",
        ),
    ],
)
def test_numbers_of_another_fault(loss: str, gradient: str, split: str, ratio: float, off: float, words: str) -> None:
    expected = Expected(Rule.parse(loss), Rule.parse(gradient))
    assert expected.mismatch(printed(ratio, off), Split.parse(split)) == f"another fault: {words}"


def test_a_finding_without_rules_and_a_value_that_is_no_number_are_left_alone() -> None:
    assert Expected(None, None).mismatch(printed(9.0, 9.0), Split(1, 1, 2)) == ""
    assert Expected(Rule.parse("microbatch-mean"), None).mismatch("no numbers", Split(1, 1, 2)) == ""

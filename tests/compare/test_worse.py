"""What makes a split worse than it was, of splits made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from accumcheck.compare.worse import why_worse
from accumcheck.record import Divergence, Finding, Report, SplitResult
from tests.report import examples


def failing(loss: float, gradient: float) -> SplitResult:
    """A split that fails with these errors in every step; 2e-6 is allowed of the loss, 1e-5 of the gradient."""
    made = examples.split("4x16x2", verdict="fail")
    error = Divergence(loss, 0.0, gradient)
    return replace(made, steps=tuple(replace(one, vs_reference=error) for one in made.steps))


def worse(before: SplitResult, after: SplitResult, old: Report | None = None, new: Report | None = None) -> str:
    return why_worse(before, after, old or examples.clean(), new or examples.clean())


@pytest.mark.parametrize("verdict", ["pass", "warn", "error", "skipped"])
def test_a_split_that_fails_now_and_did_not_is_worse(verdict: str) -> None:
    before = replace(failing(1.0, 1.0), verdict=verdict)  # type: ignore[arg-type]
    assert worse(before, failing(1.0, 1.0)) == "fails"
    assert worse(failing(1.0, 1.0), before) == ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((1.0, 1.0), (1.0, 1.0), ""),
        ((1.0, 1.0), (1.005, 1.005), ""),  # half a percent is how another release rounds a fault
        ((1.0, 1.0), (0.1, 0.1), ""),
        ((1.0, 1.0), (1.02, 1.0), "the error of its loss grows from 1 to 1.02"),
        ((1.0, 3.0), (1.0, 7.0), "the error of its gradient grows from 3 to 7"),
        ((1.0, 1e-7), (1.0, 1e-3), "its gradient is wrong too"),
        ((1e-7, 1.0), (0.5, 1.0), "its loss is wrong too"),
        ((1.0, 1.0), (math.nan, 1.0), "the error of its loss grows from 1 to inf"),
        ((1.0, 2e-6), (1.0, 9e-6), ""),  # both within the tolerance
    ],
)
def test_a_fault_is_worse_where_it_is_larger_or_came_in_another_measure(
    before: tuple[float, float], after: tuple[float, float], said: str
) -> None:
    assert worse(failing(*before), failing(*after)) == said


def test_a_new_fault_without_a_rule_is_worse_and_another_rule_alone_is_not() -> None:
    split = failing(1.0, 1.0)
    old = replace(
        examples.clean(), findings=(Finding("token-mean*k", "fail", ("4x16x2",), "x", loss_rule="token-mean*k"),)
    )
    other = replace(old, findings=(Finding("device-mean", "fail", ("4x16x2",), "y", loss_rule="device-mean"),))
    leaked = replace(old, findings=(*old.findings, Finding("leaked-gradients", "fail", ("4x16x2",), "z")))
    assert worse(split, split, old, other) == ""
    assert worse(split, split, old, leaked) == "a new fault: leaked-gradients"
    assert worse(split, split, leaked, leaked) == ""

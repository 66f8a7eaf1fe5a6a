"""What counts as a release's known outcome."""

from __future__ import annotations

from typing import Any

import pytest
from check_releases import EXPECTED, Row, assess, table

RULES = {"4.49.0": "microbatch-mean*k", "4.48.3": "microbatch-mean", "5.23.0": "token-mean"}


def a_report(release: str, losses: dict[str, Any], norms: dict[str, Any]) -> dict[str, Any]:
    """A report of the control 1x32x1 (loss 6, norm 1.5) and of these splits."""
    splits = [("1x32x1", 1, 6.0, 1.5)] + [(name, int(name.split("x")[2]), losses[name], norms[name]) for name in losses]
    return {
        "environment": {"transformers": release},
        "tolerances": {"grad_norm": 1e-5},
        "loss_rule": RULES[release],
        "gradient_rule": RULES[release],
        "splits": [
            {
                "split": name,
                "is_control": name == "1x32x1",
                "gradient_accumulation_steps": k,
                "status": "ran",
                "reason": "",
                "steps": [{"loss": loss, "grad_norm": norm}],
            }
            for name, k, loss, norm in splits
        ],
    }


def test_a_clean_release_agrees_with_the_control() -> None:
    row = assess("5.23.0", 0, a_report("5.23.0", {"4x4x2": 6.0, "4x1x8": 6.000001}, {"4x4x2": 1.5, "4x1x8": 1.5}))
    assert row.problems == ()
    assert row.grad_norm_ratios == (1.0, 1.0)


def test_the_loss_of_4_49_0_is_multiplied_by_the_accumulation_steps() -> None:
    row = assess("4.49.0", 1, a_report("4.49.0", {"4x4x2": 12.1, "4x1x8": 47.5}, {"4x4x2": 3.1, "4x1x8": 13.0}))
    assert row.problems == ()
    assert row.loss_ratios == (12.1 / 6, 47.5 / 6)


def test_a_loss_that_is_not_multiplied_is_a_problem_there() -> None:
    row = assess("4.49.0", 1, a_report("4.49.0", {"4x4x2": 6.0}, {"4x4x2": 3.1}))
    assert row.problems == ("4x4x2: loss 1 times the control's, expected 2",)


def test_4_48_3_must_be_caught_by_its_gradient() -> None:
    row = assess("4.48.3", 0, a_report("4.48.3", {"4x1x8": 5.99}, {"4x1x8": 1.5}))
    assert row.problems == (
        "exit code 0, expected 1",
        "4x1x8: gradient norm 1 times the control's, which is unexpected",
    )


@pytest.mark.parametrize("loss", ["NaN", None])
def test_no_number_is_a_problem(loss: str | None) -> None:
    row = assess("5.23.0", 0, a_report("5.23.0", {"4x1x8": loss}, {"4x1x8": 1.5}))
    assert row.problems == ("4x1x8: loss nan times the control's, expected 1",)


def test_another_rule_and_another_release_are_problems() -> None:
    report = a_report("5.23.0", {"4x1x8": 6.0}, {"4x1x8": 1.5})
    report["environment"]["transformers"] = "5.22.0"
    report["gradient_rule"] = "unexplained"
    assert assess("5.23.0", 0, report).problems == (
        "ran transformers 5.22.0",
        "gradient_rule unexplained, expected token-mean",
    )


def test_a_run_without_a_report_is_a_problem() -> None:
    assert assess("5.23.0", 3, None).problems == ("exit code 3, expected 0", "no report")


def test_every_release_that_the_seed_names_has_an_expectation() -> None:
    assert set(EXPECTED) == {"4.49.0", "4.48.3", "5.23.0"}


def test_the_table_has_a_line_for_each_release_and_each_problem() -> None:
    rows = [
        Row("4.49.0", 1, (2.0, 31.97), (1.997, 36.45)),
        Row("5.23.0", 3, problems=("exit code 3, expected 0", "no report")),
    ]
    assert table(rows, ["4x16x2", "4x1x32"]).splitlines() == [
        "release  exit  loss / control                grad norm / control           ok",
        "               4x16x2  4x1x32                4x16x2  4x1x32",
        "-" * 77,
        "4.49.0   1     2       31.97                 1.997   36.45                 yes",
        "5.23.0   3                                                                 no",
        "  exit code 3, expected 0",
        "  no report",
    ]

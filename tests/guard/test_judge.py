"""What a guard makes of what it saw; weights and losses worked out by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import accumcheck
from accumcheck import guard
from accumcheck.guard.agreement import largest_difference
from accumcheck.guard.judge import explained, finding_of, rule_of_gradient, rule_of_loss, weigh
from accumcheck.guard.watch import Seen
from accumcheck.record import LossProbe
from accumcheck.record.rule import TOKEN_MEAN, UNEXPLAINED, Rule

MEANS_OF_MEANS = Rule("microbatch-mean")

MEANS = ((2.0, 4.0), (8.0, 1.0))
COUNTS = (([1, 2], [3]), ([4], [6]))  # predictions of every row of two micro-batches on each of two processes: N = 16
LOSS = (3 * 2.0 + 3 * 4.0 + 4 * 8.0 + 6 * 1.0) / 16


def seen(process: int, batch: int, ratio: float | None, factor: float | None) -> Seen:
    tokens = COUNTS[process][batch]
    return Seen(tokens, [count + 1 for count in tokens], MEANS[process][batch], ratio, factor=factor)


def step(ratio: float | None, factor: float | None, divides: bool = False) -> list[list[Seen]]:
    """``divides``: the model divides the sum by the count of the global batch, whatever ``ratio`` says."""
    return [
        [seen(process, batch, sum(COUNTS[process][batch]) / 16 if divides else ratio, factor) for batch in (0, 1)]
        for process in (0, 1)
    ]


@pytest.mark.parametrize(
    ("processes", "rule", "loss"),
    [
        (step(None, 2.0, divides=True), "token-mean", LOSS),  # gradients are averaged over n = 2
        (step(None, 1.0, divides=True), "token-mean/k", LOSS / 2),  # k = n = 2: /k stands first
        (step(1.0, 0.5), "microbatch-mean", (2.0 + 4.0 + 8.0 + 1.0) / 4),
        (step(1.0, 1.0), "microbatch-mean*k", (2.0 + 4.0 + 8.0 + 1.0) / 2),
        (step(1.0, 2.0), "microbatch-mean*k*n", 2.0 + 4.0 + 8.0 + 1.0),
    ],
)
def test_rules_of_gradient_and_loss(processes: list[list[Seen]], rule: str, loss: float) -> None:
    weighed = weigh(1, 2, processes)
    assert weighed is not None
    assert weighed.loss == pytest.approx(LOSS)
    assert str(rule_of_gradient(weighed, 1e-3)) == rule
    assert str(rule_of_loss(weighed, loss, 1e-3, None)) == rule


def test_weights_of_rows_by_hand() -> None:
    weighed = weigh(1, 2, step(1.0, 0.5))
    assert weighed is not None
    assert weighed.weights == pytest.approx(np.array([1 / 12, 2 / 12, 3 / 12, 4 / 16, 6 / 24]))  # c_i / (C_m k n)
    assert weighed.right == pytest.approx(np.array([1, 2, 3, 4, 6]) / 16)


def test_a_loss_that_fits_several_rules_is_named_as_the_gradient_is() -> None:
    same = [[Seen([1], [1], 3.0, 1.0, factor=0.5), Seen([2], [2], 3.0, 1.0, factor=0.5)]]
    weighed = weigh(1, 2, same)  # losses are alike: a mean of means is the mean
    assert weighed is not None
    assert rule_of_loss(weighed, 3.0, 1e-3, None) == TOKEN_MEAN
    assert rule_of_loss(weighed, 3.0, 1e-3, MEANS_OF_MEANS) == MEANS_OF_MEANS
    assert rule_of_loss(weighed, 6.0, 1e-3, MEANS_OF_MEANS) == Rule("token-mean", k_power=1)


@pytest.mark.parametrize(("k_power", "known"), [(1, ["7443"]), (0, [])])
def test_a_published_fault_is_found_where_one_step_fits_its_rule_too(
    k_power: int, known: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LLaVA 4.49.0 sums the means of micro-batches. Where each is of one row, the step fits sample-mean*k too."""
    monkeypatch.setattr("accumcheck.guard.judge._installed", lambda _: "4.49.0")
    batches = [Seen([one], [one], 2.0, 1.0, loss=2.0, factor=1.0, token_count=9.0) for one in (4, 5)]
    weighed = weigh(1, 2, [batches])
    assert weighed is not None
    rule = Rule("sample-mean", k_power=k_power)
    finding = finding_of(weighed, rule, rule, None, 1e-3)
    found = explained(finding, weighed, "LlavaForConditionalGeneration", LossProbe(token_count="ignores"), {})
    assert [one["url"].rpartition("/")[2] for one in found.known] == known


def test_what_was_not_seen_names_no_rule_and_a_number_that_is_none_fits_none() -> None:
    unseen = weigh(1, 2, step(1.0, None))
    assert unseen is not None
    assert rule_of_gradient(unseen, 1e-3) is None
    odd = weigh(1, 2, step(None, 1.0))
    assert odd is not None
    assert rule_of_gradient(odd, 1e-3) == UNEXPLAINED
    assert weigh(1, 2, [[Seen([0], [0], float("nan"), 1.0, factor=1.0)]]) is None


def test_a_micro_batch_without_predictions_changes_nothing() -> None:
    batches = [Seen([2], [3], 5.0, 1.0, factor=1.0), Seen([0], [0], float("nan"), 0.0, factor=1.0)]
    weighed = weigh(1, 2, [batches])
    assert weighed is not None
    assert (weighed.loss, rule_of_gradient(weighed, 1e-3)) == (5.0, TOKEN_MEAN)


def test_the_size_of_a_fault_in_words() -> None:
    weighed = weigh(7, 2, step(1.0, 0.5))
    assert weighed is not None
    finding = finding_of(weighed, MEANS_OF_MEANS, MEANS_OF_MEANS, 3.75, 1e-3)
    assert finding.summary == (  # 1/12 and 6/24 over 1/16 and 6/16
        "step 7, 2x2x2: predicted tokens entered the gradient with 0.667 to 1.33 times their weight; "
        "the log says loss 3.7500, the mean over all predicted tokens is 3.5000"
    )


@pytest.mark.parametrize(
    ("sketches", "found"),
    [
        ([[2.0, 1.0], [2.0, 1.0]], 0.0),
        ([[2.0, 1.0], [2.0, 0.75]], 0.25),
        ([[2.0], None], 0.0),  # sharded, or not looked at
        ([[float("nan")], [2.0]], 0.0),
    ],
)
def test_how_far_processes_are_apart(sketches: list[list[float] | None], found: float) -> None:
    assert largest_difference(sketches) == found


def test_importing_accumcheck_imports_no_torch() -> None:
    code = "import sys, accumcheck; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert accumcheck.Guard is guard.Guard

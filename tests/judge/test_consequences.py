"""What a weighting does to training, and what to do: by scale, by direction, and by what the log shows of it."""

from __future__ import annotations

import pytest

from accumcheck.config.values import RULE_OTHERS
from accumcheck.judge.consequences import advice, consequence
from accumcheck.judge.rules import FAMILY

CLIPPED = "only after clipping: at max_grad_norm 1.0 nearly every gradient is cut to the same length."
ELSEWHERE = "The gradient points elsewhere, which no learning rate makes up for"
NOT_SHOWN = "The logged loss does not show it."


@pytest.mark.parametrize(
    ("rule", "said", "unsaid"),
    [
        ("token-mean*k", ["The gradient is k times too large.", CLIPPED], [ELSEWHERE]),
        ("token-mean*k*n", ["The gradient is k x n times too large.", CLIPPED], [ELSEWHERE]),
        ("token-mean/n", ["The gradient is n times too small.", "clipping hardly ever sets in"], [ELSEWHERE, CLIPPED]),
        ("token-mean*k/n", ["The gradient is k/n times the right one."], ["too large", "too small"]),
        ("microbatch-mean", [ELSEWHERE, "the smaller the micro-batches"], ["times too", CLIPPED]),
        ("microbatch-mean*k", ["The gradient is k times too large.", ELSEWHERE], []),
        ("device-mean", [ELSEWHERE, "the more processes there are"], ["micro-batches"]),
        ("unshifted-token-mean", ["one and the same factor on every split"], [ELSEWHERE]),
        ("sample-mean", ["Every sample counts alike"], [ELSEWHERE]),
        ("dropped-samples", ["never learned from"], []),
        ("unsynchronised", ["a model of its own"], []),
    ],
)
def test_the_effect_of_one_rule_for_loss_and_gradient(rule: str, said: list[str], unsaid: list[str]) -> None:
    found = consequence(rule, rule)
    assert [words for words in said if words not in found] == []
    assert [words for words in [*unsaid, NOT_SHOWN] if words in found] == []


def test_a_log_that_hides_a_scaled_gradient() -> None:
    assert consequence("microbatch-mean", "microbatch-mean*k").endswith(NOT_SHOWN)
    assert NOT_SHOWN not in consequence("microbatch-mean*k", "microbatch-mean*n")


def test_a_log_that_alone_is_wrong_spares_training() -> None:
    assert consequence("token-mean*k", "token-mean").startswith("Training is right, the log is not")
    assert advice("token-mean*k", "token-mean") == "Judge runs by the gradient norm and by evaluations."


def test_what_is_right_has_neither() -> None:
    assert consequence("token-mean", "token-mean") == ""
    assert advice("token-mean", "token-mean") == ""


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ("token-mean*k", "Keep to gradient_accumulation_steps at 1, or have the loss summed over tokens"),
        ("microbatch-mean*k*n", "Keep to gradient_accumulation_steps at 1 and one process, or have the loss summed"),
        ("token-mean/n", "Keep to one process, or"),
        ("microbatch-mean", "Use the largest per-device batch that fits and few accumulation steps"),
        ("device-mean", "Have tokens counted over all processes (Trainer: average_tokens_across_devices: true)."),
        ("unshifted-token-mean", "Mask the first label of every row (-100)"),
        ("unexplained", "Take away one thing at a time"),
    ],
)
def test_what_to_do(rule: str, start: str) -> None:
    assert advice(rule, rule).startswith(start)


def test_every_rule_but_the_right_one_has_something_to_do() -> None:
    for rule in [*map(str, FAMILY), *RULE_OTHERS]:
        assert bool(advice(rule, rule)) == (rule != "token-mean")
    for rule in map(str, FAMILY):
        assert bool(consequence(rule, rule)) == (rule != "token-mean")

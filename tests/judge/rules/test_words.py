"""What a weighting does to training, and what to do: by scale, by direction, and by what the log shows of it."""

from __future__ import annotations

import pytest

from accumcheck.judge.rules import words
from accumcheck.judge.rules.family import FAMILY
from accumcheck.record.rule import OTHERS, WINDOWS, Rule


def consequence(loss: str, gradient: str) -> str:
    return words.consequence(Rule.parse(loss), Rule.parse(gradient))


def advice(loss: str, gradient: str) -> str:
    return words.advice(Rule.parse(loss), Rule.parse(gradient))


CLIPPED = "only after clipping: at max_grad_norm 1.0 nearly every gradient is clipped to the same length."
ELSEWHERE = "The gradient has the wrong direction; no learning rate can compensate"
NOT_SHOWN = "The logged loss does not show it."


@pytest.mark.parametrize(
    ("rule", "said", "unsaid"),
    [
        ("token-mean*k", ["The gradient is k times too large.", CLIPPED], [ELSEWHERE]),
        ("token-mean*k*n", ["The gradient is k x n times too large.", CLIPPED], [ELSEWHERE]),
        ("token-mean/n", ["The gradient is too small by a factor of n.", "hardly ever clipped"], [ELSEWHERE, CLIPPED]),
        ("token-mean*k/n", ["The gradient is k/n times the right one."], ["too large", "too small"]),
        ("microbatch-mean", [ELSEWHERE, "grows with smaller micro-batches"], ["times too", CLIPPED]),
        ("microbatch-mean*k", ["The gradient is k times too large.", ELSEWHERE], []),
        ("device-mean", [ELSEWHERE, "grows with the number of processes"], ["micro-batches"]),
        ("unshifted-token-mean", ["by the same factor on every split"], [ELSEWHERE]),
        ("sample-mean", ["Every sample counts the same"], [ELSEWHERE]),
        ("dropped-samples", ["never learned from"], []),
        ("unsynchronised", ["its own model"], []),
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
    assert consequence("token-mean*k", "token-mean").startswith("Training is right; only the log is wrong")
    assert advice("token-mean*k", "token-mean") == "Compare runs by gradient norm and by evaluations."


def test_what_is_right_has_neither() -> None:
    assert consequence("token-mean", "token-mean") == ""
    assert advice("token-mean", "token-mean") == ""


@pytest.mark.parametrize(
    ("rule", "start"),
    [
        ("token-mean*k", "Keep gradient_accumulation_steps at 1, or have the loss summed over tokens"),
        ("microbatch-mean*k*n", "Keep gradient_accumulation_steps at 1 and one process, or have the loss summed"),
        ("token-mean/n", "Keep one process, or"),
        ("microbatch-mean", "Use the largest per-device batch that fits and few accumulation steps"),
        ("device-mean", "Count tokens over all processes (Trainer: average_tokens_across_devices: true)."),
        ("unshifted-token-mean", "Mask the first label of every row (-100)"),
        ("unexplained", "Remove one thing at a time"),
    ],
)
def test_what_to_do(rule: str, start: str) -> None:
    assert advice(rule, rule).startswith(start)


def test_every_rule_but_the_right_one_has_something_to_do() -> None:
    for rule in map(str, [*FAMILY, *OTHERS, *WINDOWS]):
        assert bool(advice(rule, rule)) == (rule != "token-mean")
    for rule in map(str, [*FAMILY, *WINDOWS]):
        assert bool(consequence(rule, rule)) == (rule != "token-mean")

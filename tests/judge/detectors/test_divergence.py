"""A finding's own words: the size of the effect, and what the rules mean, each thing said once."""

from __future__ import annotations

import math

from accumcheck.judge.detectors.divergence import divergence_finding
from accumcheck.judge.effects import Effect
from accumcheck.record import Finding, Split
from accumcheck.record.rule import Rule

MEANS = (
    "each micro-batch is averaged over its own tokens and the averages are averaged, "
    "so a token in a micro-batch with few tokens weighs more"
)
NOT_DIVIDED = "the sum over the accumulation steps is never divided by their number k"
EFFECTS = (Effect(Split(1, 2, 4), 4.0, 4.16, 3.2), Effect(Split(1, 4, 2), 2.0, 2.08, 1.2))


def finding(loss_rule: str | None, gradient_rule: str | None, *effects: Effect, against: str = "reference") -> Finding:
    loss, gradient = (None if name is None else Rule.parse(name) for name in (loss_rule, gradient_rule))
    return divergence_finding("fail", effects or EFFECTS, loss, gradient, against)


def explanation(loss_rule: str | None, gradient_rule: str | None) -> str:
    return finding(loss_rule, gradient_rule).explanation


def test_one_rule_is_explained_once() -> None:
    assert explanation("microbatch-mean*k", "microbatch-mean*k") == f"microbatch-mean*k: {NOT_DIVIDED}; {MEANS}."


def test_two_rules_of_one_base_share_what_it_means() -> None:
    assert explanation("microbatch-mean", "microbatch-mean*k") == (
        f"Loss microbatch-mean, gradient microbatch-mean*k: in the gradient, {NOT_DIVIDED}; in both, {MEANS}."
    )


def test_two_rules_of_two_bases_are_explained_apart() -> None:
    assert explanation("token-mean", "microbatch-mean*k") == (
        "Loss token-mean, gradient microbatch-mean*k: in the loss, every predicted token of the global batch "
        f"weighs the same; in the gradient, {NOT_DIVIDED}; {MEANS}."
    )


def test_without_rules_the_finding_says_that_splits_differ() -> None:
    assert explanation(None, None) == "Splits of one global batch must agree; these differ from the reference."
    assert finding(None, None, against="control").id == "divergence"


def test_the_size_of_the_effect_is_told_split_by_split() -> None:
    found = finding("microbatch-mean*k", "microbatch-mean*k")
    assert found.splits == ("1x2x4", "1x4x2")
    assert found.summary == (
        "loss 4.00, 2.00 times the reference's; gradient norm 4.16, 2.08 times the reference's; "
        "gradient off by up to 3.2 of its norm"
    )


def test_what_is_not_finite_or_close_is_told_in_other_words() -> None:
    broken = Effect(Split(1, 2, 4), math.nan, 1.0004, None)
    found = finding("unexplained", "token-mean", broken, against="control")
    assert found.summary == "loss is not finite; gradient norm within 4.0e-04 of the control's"


def test_a_finding_says_what_it_does_to_training_and_what_to_do() -> None:
    found = finding("microbatch-mean*k", "microbatch-mean*k")
    assert found.consequence.startswith("The gradient is k times too large.")
    assert found.advice.startswith("Keep gradient_accumulation_steps at 1")

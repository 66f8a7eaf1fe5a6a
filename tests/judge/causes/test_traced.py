"""Causes: named where factor, count and the model's own answer give the rule that the gradient follows, else not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from accumcheck.judge.causes.traced import traced
from accumcheck.record import Finding, LossProbe, MicroBatch, ReferenceObservation, Split, SplitObservation, StackBelief
from tests.judge.runs import LABELS, TOKENS, dealt, observe, reference, right

HEAD = "somewhere/modeling_some.py:10"
PROBE = {"function": "cross_entropy", "reduction": "mean", "place": HEAD, "call_place": HEAD}
BELIEF = StackBelief(
    "Trainer", True, counts_place="transformers/trainer.py:300", divides_place="transformers/trainer.py:200"
)
Number = Callable[[Split, int], float | None]
"""From a split and a process to a number."""


def truth(answer: str | None) -> ReferenceObservation:
    return replace(reference(), probe=LossProbe(token_count=answer, **PROBE))  # type: ignore[arg-type]


def watched(label: str, factor: Number, count: Number, loss: float | None, belief: StackBelief) -> SplitObservation:
    """A split whose micro-batches were seen so; what it logs is four losses of 1, halved for k = 2, and so on."""
    seen = observe(Split.parse(label), right)
    steps = tuple(
        replace(
            step,
            loss=float(seen.split.gradient_accumulation_steps),
            micro_batches=tuple(
                replace(
                    batch,
                    loss=loss,
                    factor=factor(seen.split, batch.process),
                    token_count=count(seen.split, batch.process),
                )
                for batch in step.micro_batches
            ),
        )
        for step in seen.steps
    )
    return replace(seen, steps=steps, belief=belief)


def cause(
    rule: str,
    answer: str | None,
    factor: Number,
    count: Number,
    *,
    belief: StackBelief = BELIEF,
    loss: float | None = 1.0,
    labels: tuple[str, ...] = ("1x2x4", "2x2x2"),
) -> tuple[str, str | None]:
    """What is added to the explanation of a finding with this gradient rule, and its source."""
    finding = Finding("x", "fail", labels, "summary", "said before", loss_rule=rule, gradient_rule=rule)
    splits = [watched(label, factor, count, loss, belief) for label in labels]
    found = traced(finding, splits, truth(answer))
    assert found.explanation.startswith("said before")
    return found.explanation.removeprefix("said before").lstrip("\n"), found.source


def none(split: Split, process: int) -> float | None:
    return None


def one(split: Split, process: int) -> float:
    return 1.0


def n(split: Split, process: int) -> float:
    return float(split.num_processes)


def over_k(split: Split, process: int) -> float:
    return 1 / split.gradient_accumulation_steps


def total(split: Split, process: int) -> float:
    """The predicted tokens of step 1; every step of these runs has as many fed samples, but other tokens."""
    return float(TOKENS[:8].sum())


def one_step(observation: SplitObservation) -> SplitObservation:
    return replace(observation, steps=observation.steps[:1])


def test_a_count_that_is_ignored_leaves_nothing_to_divide_by_k() -> None:
    words, source = cause("microbatch-mean*k", "ignores", one, total)
    assert words == (
        "Trainer passes LlamaForCausalLM a token count and assumes that the model divides by it "
        "(model_accepts_loss_kwargs is True). The model ignores it: its loss does not change when the count doubles "
        "(somewhere/modeling_some.py:10 computes it by cross_entropy, reduction 'mean'). So nothing divides by k: each "
        "micro-batch's loss is multiplied by 1 before backward; it should have been multiplied by 1/k "
        "(the division at transformers/trainer.py:200 takes no effect)."
    )
    assert source == HEAD


def test_a_factor_n_is_told_from_a_factor_k() -> None:
    words, _ = cause("microbatch-mean*k*n", "ignores", n, total)
    assert "multiplied by n before backward; it should have been multiplied by 1/k" in words
    # k = n = 2 alone does not tell them apart: then it is called what makes the rule
    alone, _ = cause("microbatch-mean*k*n", "ignores", n, total, labels=("2x2x2",))
    assert "multiplied by n before backward; it should have been multiplied by 1/k" in alone
    assert (
        "by n/k before backward; it should have been multiplied by 1/k"
        in cause("token-mean*n", "ignores", one, total, labels=("2x2x2",))[0]
    )


def test_one_label_per_sample_has_the_same_cause_under_another_name() -> None:
    assert "So nothing divides by k" in cause("token-mean*k", "ignores", one, total)[0]


def test_a_count_that_is_withheld_is_the_stacks_fault() -> None:
    words, source = cause("microbatch-mean*k", "divides", one, none)
    assert words.startswith(
        "LlamaForCausalLM divides by the token count that it is passed, but Trainer passes it none "
        "(model_accepts_loss_kwargs is True). So nothing divides by k:"
    )
    assert source == "transformers/trainer.py:200"


def test_a_mean_of_means_is_traced_to_the_head() -> None:
    words, source = cause("microbatch-mean", "rejects", over_k, none, belief=StackBelief("Trainer", None))
    assert words == (
        "LlamaForCausalLM takes no token count, and Trainer passes it none: its loss is the mean over each micro-batch "
        "(somewhere/modeling_some.py:10 computes it by cross_entropy, reduction 'mean'). So each micro-batch's loss is "
        "multiplied by 1/k before backward, however many tokens it has. "
        "Trainer logs the model's losses multiplied by 1, but differentiates them multiplied by 1/k."
    )
    assert source == HEAD


def test_a_log_that_alone_is_divided_is_told() -> None:
    finding = Finding("x", "fail", ("1x2x4",), "", loss_rule="microbatch-mean", gradient_rule="microbatch-mean*k")
    seen = watched("1x2x4", one, none, 4.0, BELIEF)  # returned 4 losses of 4, logged 4
    words = traced(finding, [seen], truth("rejects")).explanation
    assert words.endswith(
        "Trainer logs the model's losses multiplied by 1/k, but differentiates them multiplied by 1 "
        "(the division at transformers/trainer.py:200 is only for the log)."
    )


def test_a_loss_from_outside_the_model_is_named() -> None:
    belief = replace(BELIEF, own_loss="LabelSmoother", own_loss_place="transformers/trainer_pt_utils.py:552")
    words, source = cause("microbatch-mean*k*n", "divides", none, total, belief=belief, loss=None)
    assert words.startswith(
        "The loss that is differentiated is not LlamaForCausalLM's own: LabelSmoother computes it "
        "(transformers/trainer_pt_utils.py:552). Trainer assumes that it has already been divided by a token count"
    )
    assert words.endswith("and multiplies it by n.")
    assert source == "transformers/trainer_pt_utils.py:552"


def test_a_loss_of_the_users_is_named_as_well() -> None:
    belief = StackBelief("Trainer", False, own_loss="my_loss", own_loss_place="train.py:7")
    words, _ = cause("microbatch-mean*k", "rejects", none, none, belief=belief, loss=None)
    assert words == (
        "The loss that is differentiated is not LlamaForCausalLM's own: my_loss computes it (train.py:7). "
        "Trainer does not divide it by k."
    )


def counted(counts: object, split: str, rule: str, factor: Number) -> str:
    """The cause where one step was passed a count of its labels, or of one process."""
    finding = Finding("x", "fail", (split,), "", gradient_rule=rule, loss_rule=rule)
    fed = dealt(Split.parse(split), 0)

    def count(_: Split, process: int) -> float:
        rows = [row for batch in fed[process] for row in batch] if rule.endswith("device-mean") else range(8)
        return float(counts[list(rows)].sum())  # type: ignore[index]

    return traced(finding, [one_step(watched(split, factor, count, 1.0, BELIEF))], truth("divides")).explanation


def test_an_unshifted_count_is_shown_beside_the_right_one() -> None:
    # step 1 has 65 predicted tokens and 70 labels
    assert (TOKENS[:8].sum(), LABELS[:8].sum()) == (65, 70)
    assert counted(LABELS, "1x2x4", "unshifted-token-mean", n) == (
        "Trainer passed LlamaForCausalLM 70 as the token count in step 1 of 1x2x4: the labels before the causal shift, "
        "of which 65 are predicted (counted at transformers/trainer.py:300). "
        "The model divides by the count passed to it (somewhere/modeling_some.py:10)."
    )


def test_a_count_of_each_process_is_shown_beside_the_global_one() -> None:
    # process 0 is dealt samples 0, 1, 4, 5: 3 + 9 + 6 + 11 = 29 tokens, process 1 the other 36
    assert counted(TOKENS, "2x2x2", "device-mean", one) == (
        "Trainer passed LlamaForCausalLM 29 and 36 as the token count in step 1 of 2x2x2: each process its own count; "
        "the global batch has 65 (counted at transformers/trainer.py:300). "
        "The model divides by the count passed to it (somewhere/modeling_some.py:10)."
    )


def test_on_one_process_a_count_of_its_own_is_the_count_of_all() -> None:
    assert "70 as the token count in step 1 of 1x2x4" in counted(LABELS, "1x2x4", "unshifted-device-mean", one)
    assert counted(LABELS, "2x2x2", "unshifted-token-mean", one) == ""  # a factor n was due there


def test_a_factor_that_is_not_due_is_told() -> None:
    words = counted(TOKENS, "2x2x2", "token-mean/n", one)
    assert words.endswith(
        "its loss is then multiplied by 1 before backward; it should have been multiplied by n, "
        "since gradients are averaged over n processes."
    )


def weighed(counts: object, rule: str, times: float, label: str = "2x2x2") -> str:
    """The cause where the stack weighs each micro-batch's mean by its tokens over these, of step 1 or of a process."""
    finding = Finding("x", "fail", (label,), "", gradient_rule=rule, loss_rule=rule)
    plain = one_step(watched(label, one, none, 1.0, StackBelief("a loop")))
    (step,) = plain.steps
    fed = dealt(plain.split, 0)

    def share(batch: MicroBatch) -> float:
        rows = [row for mine in fed[batch.process] for row in mine] if "device" in rule else range(8)
        return float(TOKENS[list(batch.samples)].sum() / counts[list(rows)].sum())  # type: ignore[index]

    batches = tuple(replace(batch, factor=share(batch) * times) for batch in step.micro_batches)
    split = replace(plain, steps=(replace(step, micro_batches=batches),))
    return traced(finding, [split], truth("rejects")).explanation


def test_a_stack_that_weighs_means_by_their_tokens_is_understood() -> None:
    assert weighed(TOKENS, "device-mean", 1.0) == (
        "A loop multiplies the mean loss of each micro-batch by its share of the predicted tokens of its own process."
    )
    assert weighed(LABELS, "unshifted-token-mean", 2.0) == (
        "A loop multiplies the mean loss of each micro-batch by its predicted tokens over the labels of the global "
        "batch before the causal shift, and by n."
    )
    assert weighed(TOKENS, "token-mean*k", 4.0, "1x2x4") == (
        "A loop multiplies the mean loss of each micro-batch by its share of the predicted tokens of the global batch, "
        "and by k; it should have been multiplied by 1."
    )
    assert weighed(TOKENS, "token-mean*n", 4.0).endswith(
        "and by n^2; it should have been multiplied by n, since gradients are averaged over n processes."
    )
    assert weighed(TOKENS, "microbatch-mean", 1.0) == ""


# --- what does not add up is left out ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "answer", "factor", "count"),
    [
        ("microbatch-mean*k", "ignores", over_k, total),  # the factor gives no x k
        ("microbatch-mean", "ignores", one, total),  # the factor gives x k
        ("device-mean", "ignores", one, total),  # a head's mean is no mean over a process
        ("unexplained", "ignores", one, total),
        ("microbatch-mean*k", "divides", one, total),  # it divides: nothing of this sort can follow
        ("microbatch-mean*k", None, one, total),  # not seen what it does with the count
        ("microbatch-mean*k", "ignores", lambda split, process: 65536.0, total),  # a gradient scaler's factor
        ("microbatch-mean*k", "ignores", lambda split, process: float(process + 1), total),
        ("microbatch-mean*k", "ignores", lambda split, process: float("nan"), total),
        ("microbatch-mean*k", "ignores", lambda split, process: None if process else 1.0, total),
        ("microbatch-mean*k", "ignores", one, lambda split, process: None if process else 65.0),
        ("unshifted-token-mean", "divides", n, lambda split, process: 12345.0),  # a count of something else
    ],
)
def test_no_cause_is_invented(rule: str, answer: str | None, factor: Number, count: Number) -> None:
    words, source = cause(rule, answer, factor, count, loss=None)
    assert (words, source) == ("", None)


def test_without_a_reference_or_with_other_splits_nothing_is_added() -> None:
    finding = Finding("x", "fail", ("1x2x4",), "", "said", gradient_rule="microbatch-mean*k")
    seen = watched("1x2x4", one, total, 1.0, BELIEF)
    assert traced(finding, [seen], None) == finding
    elsewhere = replace(finding, splits=("1x1x8",))
    assert traced(elsewhere, [seen], truth("ignores")) == elsewhere


def test_runs_that_were_not_watched_have_no_cause() -> None:
    finding = Finding("x", "fail", ("1x2x4",), "", "said", gradient_rule="microbatch-mean*k")
    plain = observe(Split.parse("1x2x4"), right)
    assert all(batch == MicroBatch(batch.process, batch.samples) for batch in plain.steps[0].micro_batches)
    assert traced(finding, [plain], truth("divides")) == finding


def test_a_loss_that_no_gradient_came_back_to_was_not_the_one_that_was_differentiated() -> None:
    words, source = cause("microbatch-mean", "divides", none, none, belief=StackBelief("Trainer", False))
    assert words == "The loss that is differentiated is not LlamaForCausalLM's own: Trainer computes it."
    assert source is None


@pytest.mark.parametrize(
    ("rule", "kept_apart", "told"),
    [
        ("unexplained", False, True),
        ("unexplained", True, False),
        ("unexplained", None, False),
        ("token-mean*k", False, False),
    ],
)
def test_texts_that_see_their_neighbours_are_the_cause_where_no_weighting_explains_the_gradient(
    rule: str, kept_apart: bool | None, told: bool
) -> None:
    finding = Finding("x", "fail", ("1x2x4",), "summary", "said before", gradient_rule=rule)
    asked = replace(reference(), probe=LossProbe(keeps_apart=kept_apart))
    found = traced(finding, [observe(Split.parse("1x2x4"), right)], asked)
    assert ("The texts of a padding-free row are not separated" in found.explanation) is told

"""A model that depends on its batch, made by hand: what batching does is told from what a stack does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import (
    BatchedStep,
    BatchTerm,
    ProgramRecord,
    ReferenceObservation,
    Split,
    SplitObservation,
    StepObservation,
)
from accumcheck.stacks.script import ScriptConfig
from tests.judge.runs import SPLITS, STEPS, TOKENS, WIDTH, B, check, dealt, observe, reference, right

CONTROL = Split.parse("1x8x1")
TERM = BatchTerm("aux_loss, times 0.1 in the loss", additive=True, complete=True, output="aux_loss")

_draw = np.random.default_rng(3)
# of every micro-batch, by its first sample and its size, so that no size gives what another gives
LOSS = _draw.uniform(3, 7, size=(STEPS * B, B + 1))
GRADIENT = _draw.normal(size=(STEPS * B, B + 1, WIDTH))
TERM_LOSS = _draw.uniform(1, 2, size=(STEPS * B, B + 1))
TERM_GRADIENT = _draw.normal(size=(STEPS * B, B + 1, WIDTH))


def micro_batches(size: int, step: int) -> list[tuple[int, ...]]:
    first = step * B
    return [tuple(range(start, start + size)) for start in range(first, first + B, size)]


def mixed(batches: list[tuple[int, ...]], weights: list[float], term: float) -> tuple[float, np.ndarray]:
    """The sum over micro-batches with these weights, and ``term`` times the mean of their terms."""
    at = [(batch[0], len(batch)) for batch in batches]
    loss = sum(weight * LOSS[place] for weight, place in zip(weights, at, strict=True))
    gradient = sum(weight * GRADIENT[place] for weight, place in zip(weights, at, strict=True))
    loss += term * np.mean([TERM_LOSS[place] for place in at])
    return float(loss), gradient + term * np.mean([TERM_GRADIENT[place] for place in at], axis=0)


def token_weights(batches: list[tuple[int, ...]]) -> list[float]:
    counts = [TOKENS[list(batch)].sum() for batch in batches]
    return [float(count / sum(counts)) for count in counts]


def batch_dependent(*, term: bool) -> ReferenceObservation:
    steps = []
    for size in (8, 4, 2, 1):
        for step in range(STEPS):
            batches = micro_batches(size, step)
            for base, weights in (
                ("token-mean", token_weights(batches)),
                ("microbatch-mean", [1 / len(batches)] * len(batches)),
            ):
                loss, gradient = mixed(batches, weights, float(term))
                zero = [0.0] * len(batches)
                extra = mixed(batches, zero, 1.0) if term else (None, None)
                norm = float(np.linalg.norm(gradient))
                steps.append(BatchedStep(base, step + 1, size, tuple(batches), loss, norm, gradient, *extra))
    return replace(reference(), batch_effect=0.3, batched=tuple(steps), batch_term=TERM if term else None)


def observed(split: Split, scale: float, weights_of: object, term: float) -> SplitObservation:
    """A stack that multiplies the main part by ``scale`` and the mean of the terms by ``term``."""
    steps: list[StepObservation] = []
    for step, fed in enumerate(observe(split, right).steps):
        batches = micro_batches(split.per_device_train_batch_size, step)
        weights = [scale * weight for weight in weights_of(batches)]  # type: ignore[operator]
        loss, gradient = mixed(batches, weights, term)
        norm = float(np.linalg.norm(gradient))
        ranks = range(split.num_processes)
        steps.append(
            replace(
                fed,
                loss=loss,
                logged_grad_norm=norm,
                grad_norms=dict.fromkeys(ranks, norm),
                gradients=dict.fromkeys(ranks, gradient),
            )
        )
    return SplitObservation(split, "ran", steps=tuple(steps))


def judged(scale: object, weights_of: object, term_scale: object, *, term: bool) -> Judgement:
    splits = [Split.parse(text) for text in SPLITS]
    runs = [observed(split, scale(split), weights_of, term_scale(split) if term else 0.0) for split in splits]  # type: ignore[operator]
    return judge(check(SPLITS), runs, CONTROL, batch_dependent(term=term))


def once(_: Split) -> float:
    return 1.0


def k(split: Split) -> float:
    return float(split.gradient_accumulation_steps)


def k_n(split: Split) -> float:
    return float(split.gradient_accumulation_steps * split.num_processes)


def equal(batches: list[tuple[int, ...]]) -> list[float]:
    return [1 / len(batches)] * len(batches)


@pytest.mark.parametrize("term", [False, True])
def test_what_batching_alone_does_is_a_warning(term: bool) -> None:
    found = judged(once, token_weights, once, term=term)
    assert (found.verdict, found.exit_code) == ("warn", 0)
    assert [split.verdict for split in found.splits] == ["pass", "warn", "warn", "warn", "warn"]
    (finding,) = found.findings
    assert finding.id == "batch-dependent-model"
    assert "this explains 100% in 1x2x4, 100% in 2x2x2" in finding.summary
    assert ("because of aux_loss" in finding.summary) is term
    assert (found.loss_rule, found.gradient_rule) == ("token-mean", "token-mean")


def test_a_loss_of_the_stack_that_samples_enter_together_is_named() -> None:
    term = BatchTerm("DPOTrainer.compute_loss (trl/trainer/dpo_trainer.py:7)", False, True, of_stack=True)
    splits = [Split.parse(text) for text in SPLITS]
    runs = [observed(split, 1.0, token_weights, 0.0) for split in splits]
    found = judge(check(SPLITS), runs, CONTROL, replace(batch_dependent(term=False), batch_term=term))
    assert found.verdict == "warn"
    (finding,) = found.findings
    assert finding.summary.startswith(
        "DPOTrainer.compute_loss (trl/trainer/dpo_trainer.py:7) gives several samples together a different loss"
    )


@pytest.mark.parametrize("term", [False, True])
@pytest.mark.parametrize(
    ("scale", "weights_of", "rule"),
    [(k, token_weights, "token-mean*k"), (once, equal, "microbatch-mean"), (k_n, equal, "microbatch-mean*k*n")],
)
def test_what_a_stack_does_beside_it_fails_and_is_named(
    scale: object, weights_of: object, rule: str, term: bool
) -> None:
    found = judged(scale, weights_of, scale, term=term)
    assert found.exit_code == 1
    assert (found.loss_rule, found.gradient_rule) == (rule, rule)
    assert [finding.severity for finding in found.findings] == ["warn", "fail"]


def test_a_term_that_nothing_averages_is_named_with_how_often_it_counts() -> None:
    found = judged(once, token_weights, k_n, term=True)
    assert found.exit_code == 1
    assert [split.verdict for split in found.splits] == ["pass", "fail", "fail", "fail", "fail"]
    assert (found.loss_rule, found.gradient_rule) == ("unexplained", "unexplained")
    assert "aux_loss is counted k*n times its mean" in found.findings[-1].explanation


def test_an_error_that_no_rule_gives_is_not_put_down_to_batching() -> None:
    found = judged(lambda split: 1.0 + 0.01 * (split.num_processes == 2), token_weights, once, term=False)
    assert [split.verdict for split in found.splits] == ["pass", "warn", "fail", "fail", "warn"]
    assert found.splits[2].gradient_rule == "unexplained"


def test_other_micro_batches_than_those_computed_are_not_put_down_to_batching() -> None:
    split = Split.parse("1x4x2")
    runs = [observed(CONTROL, 1.0, token_weights, 0.0), observed(split, 1.0, token_weights, 0.0)]
    fed = [
        replace(step, micro_batches=tuple(replace(batch, samples=batch.samples[::-1]) for batch in step.micro_batches))
        for step in runs[1].steps
    ]
    assert dealt(split, 0) == [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    swapped = [
        replace(
            step,
            micro_batches=(
                replace(step.micro_batches[0], samples=(*step.micro_batches[0].samples[:3], 4)),
                replace(step.micro_batches[1], samples=(3, *step.micro_batches[1].samples[1:])),
            ),
        )
        if step.step == 1
        else step
        for step in runs[1].steps
    ]

    def verdict(steps: list[StepObservation]) -> str:
        observations = [runs[0], replace(runs[1], steps=tuple(steps))]
        return judge(check(["1x8x1", "1x4x2"]), observations, CONTROL, batch_dependent(term=False)).splits[1].verdict

    assert verdict(fed) == "warn"  # the order within a micro-batch is nothing
    assert verdict(swapped) == "fail"


def test_a_loop_that_reports_no_loss_is_explained_by_its_gradients() -> None:
    splits = [Split.parse(text) for text in SPLITS]
    runs = [observed(split, 1.0, token_weights, 0.0) for split in splits]
    program = ProgramRecord(("the command line",), "row")
    silent = [
        replace(one, program=program, steps=tuple(replace(step, loss=None) for step in one.steps)) for one in runs
    ]
    loop = replace(check(SPLITS), stack="script", script=ScriptConfig(path="train.py"))
    found = judge(loop, silent, CONTROL, batch_dependent(term=False))
    assert (found.verdict, found.loss_rule, found.gradient_rule) == ("warn", None, "token-mean")
    assert [finding.id for finding in found.findings] == ["batch-dependent-model", "loss-not-reported"]

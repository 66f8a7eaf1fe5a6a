"""Programs without a loss that can be computed beside them: their own rows, and the control's backward passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import Divergence, ReferenceObservation, Split, SplitObservation, TrainedRecord
from tests.judge.runs import GRADIENTS, TOKENS, WIDTH, B, check, dealt, observe, reference, right

CONTROL = Split.parse("1x8x1")
TEXTS = ("1x8x1", "1x2x4", "2x2x2")

Change = Callable[[int, np.ndarray, SplitObservation], np.ndarray]
"""From the step (from 0), the right gradient and the split to the one that is applied."""


def undecided() -> ReferenceObservation:
    """What the program made of each row alone: its right part of the whole, of a loss that nothing else computes."""
    rows = np.zeros_like(GRADIENTS)
    for step in range(2):
        members = list(range(step * B, (step + 1) * B))
        rows[members] = GRADIENTS[members] * (TOKENS[members] / TOKENS[members].sum())[:, None]
    none = Divergence(None, None, None)
    return replace(
        reference(),
        gradients=rows,
        tokens=np.ones_like(TOKENS),
        labels=np.ones_like(TOKENS),
        losses=np.zeros(len(TOKENS)),
        noise=none,
        not_judged="the loss is computed elsewhere",
    )


def observed(text: str, change: Change | None = None, made: np.ndarray | None = None) -> SplitObservation:
    """A split whose micro-batches add what is right, and which applies what ``change`` makes of the sum."""
    run = observe(Split.parse(text), right)
    rows = undecided().gradients if made is None else made
    steps = []
    for at, step in enumerate(run.steps):
        each: dict[int, list[np.ndarray]] = {}
        for batch in step.micro_batches:
            each.setdefault(batch.process, []).append(rows[list(batch.samples)].sum(axis=0) * run.split.num_processes)
        applied = sum(np.sum(parts, axis=0) for parts in each.values()) / run.split.num_processes
        if change is not None:
            applied = change(at, applied, run)
        norm = float(np.linalg.norm(applied))
        steps.append(
            replace(
                step,
                loss=1.0,
                logged_grad_norm=None,
                gradients=dict.fromkeys(each, applied),
                grad_norms=dict.fromkeys(each, norm),
                contributions={process: np.stack(parts) for process, parts in each.items()},
            )
        )
    trained = TrainedRecord(reference().coordinates, (), np.arange(WIDTH))
    return replace(run, steps=tuple(steps), trained=trained)


def judged(change: Change | None = None, truth: ReferenceObservation | None = None) -> Judgement:
    return judge(check(TEXTS), [observed(text, change) for text in TEXTS], CONTROL, truth or undecided())


def verdicts(found: Judgement) -> dict[str, str]:
    return {str(one.split): one.verdict for one in found.splits}


def test_a_right_program_passes_and_says_that_accuracy_was_not_judged() -> None:
    found = judged()
    assert set(verdicts(found).values()) == {"pass"}
    assert [one.id for one in found.findings] == ["accuracy-not-judged"]
    assert found.tolerances.noise_floor.gradient is not None


def test_gradients_that_are_never_cleared_fail_in_every_split_from_step_two_on() -> None:
    rows = undecided().gradients
    first = rows[:B].sum(axis=0)
    found = judged(lambda step, gradient, _: gradient + first * step)
    assert set(verdicts(found).values()) == {"fail"}
    assert found.findings[0].id == "leaked-samples"
    assert found.findings[0].summary.startswith("the gradient of step 2 contains gradients of earlier steps")


def test_one_parameter_that_is_lost_under_every_split_shows() -> None:
    def lost(_: int, gradient: np.ndarray, __: SplitObservation) -> np.ndarray:
        return np.concatenate([np.zeros(20), gradient[20:]])

    found = judged(lost)
    assert set(verdicts(found).values()) == {"fail"}
    assert "first" in found.findings[0].summary


def test_a_factor_between_backward_and_step_is_a_fault() -> None:
    found = judged(lambda _, gradient, __: gradient / 2)
    assert set(verdicts(found).values()) == {"fail"}


def test_a_clip_that_the_program_writes_itself_is_none() -> None:
    found = judged(lambda _, gradient, __: gradient / np.linalg.norm(gradient) * 0.01)
    assert set(verdicts(found).values()) == {"pass"}


def clipped_by_layer(gradient: np.ndarray) -> np.ndarray:
    parts = [part / np.linalg.norm(part) * limit for part, limit in ((gradient[:20], 0.01), (gradient[20:], 0.02))]
    return np.concatenate(parts)


def test_a_gradient_that_every_split_clips_layer_by_layer_is_right_and_is_said() -> None:
    found = judged(lambda _, gradient, __: clipped_by_layer(gradient))
    assert set(verdicts(found).values()) == {"pass"}
    assert [one.id for one in found.findings] == ["accuracy-not-judged", "changed-gradient"]


def test_a_gradient_that_every_split_centres_is_right() -> None:
    found = judged(lambda _, gradient, __: gradient - gradient.mean())
    assert set(verdicts(found).values()) == {"pass"}


def test_a_program_that_also_multiplies_by_k_fails_where_it_does() -> None:
    found = judged(lambda _, gradient, run: run.split.gradient_accumulation_steps * (gradient - gradient.mean()))
    # no other split confirms the control, but in its one process and one micro-batch there is nothing to disturb
    assert verdicts(found) == {"1x8x1": "pass", "1x2x4": "fail", "2x2x2": "fail"}
    assert "changed-gradient" in [one.id for one in found.findings]


def test_a_control_that_accumulates_needs_a_split_that_confirms_it() -> None:
    def change(_: int, gradient: np.ndarray, run: SplitObservation) -> np.ndarray:
        return run.split.gradient_accumulation_steps * (gradient - gradient.mean())

    texts = ["1x2x4", "2x2x2"]
    found = judge(check(texts), [observed(text, change) for text in texts], Split.parse("2x2x2"), undecided())
    assert verdicts(found) == {"1x2x4": "fail", "2x2x2": "fail"}


def test_one_split_that_changes_its_gradient_otherwise_is_accused_alone() -> None:
    def change(_: int, gradient: np.ndarray, run: SplitObservation) -> np.ndarray:
        return (gradient - gradient.mean()) * run.split.num_processes

    assert verdicts(judged(change)) == {"1x8x1": "pass", "1x2x4": "pass", "2x2x2": "fail"}


def test_a_clip_that_the_program_writes_itself_may_leave_a_step_as_it_is() -> None:
    found = judged(lambda step, gradient, __: gradient * (0.3 if step else 1.0))
    assert set(verdicts(found).values()) == {"pass"}


def test_a_weight_decay_that_the_program_adds_itself_is_none_and_is_said() -> None:
    decay = np.linspace(-0.5, 0.5, WIDTH)
    found = judged(lambda _, gradient, __: gradient + decay)
    assert set(verdicts(found).values()) == {"pass"}
    assert "added-to-gradient" in [one.id for one in found.findings]


def test_one_that_is_added_with_every_micro_batch_fails_where_there_are_several() -> None:
    decay = np.linspace(-0.5, 0.5, WIDTH)
    found = judged(lambda _, gradient, run: gradient + decay * run.split.gradient_accumulation_steps)
    assert verdicts(found) == {"1x8x1": "pass", "1x2x4": "fail", "2x2x2": "fail"}


def test_only_the_last_micro_batch_is_named() -> None:
    rows = undecided().gradients

    def last(step: int, _: np.ndarray, run: SplitObservation) -> np.ndarray:
        return sum(rows[process[-1]].sum(axis=0) for process in dealt(run.split, step))

    found = judged(last)
    assert verdicts(found) == {"1x8x1": "pass", "1x2x4": "fail", "2x2x2": "fail"}
    assert found.gradient_rule == "last-microbatch"


def test_where_nothing_is_known_of_rows_splits_are_compared_with_the_control() -> None:
    nothing = replace(undecided(), gradients=np.full_like(GRADIENTS, np.nan))
    assert set(verdicts(judged(truth=nothing)).values()) == {"pass"}
    times_k = judged(lambda _, gradient, run: gradient * run.split.gradient_accumulation_steps, nothing)
    assert verdicts(times_k) == {"1x8x1": "pass", "1x2x4": "fail", "2x2x2": "fail"}
    assert times_k.gradient_rule == "token-mean*k"


def test_rows_that_have_no_gradient_alone_are_those_of_a_loss_that_compares_them() -> None:
    alone = replace(undecided(), gradients=np.zeros_like(GRADIENTS))
    found = judged(truth=alone)
    assert "batch-dependent-model" in [one.id for one in found.findings]
    assert "fail" not in verdicts(found).values()


def test_a_parameter_that_rows_alone_scale_otherwise_is_wrong_by_itself_and_no_batch_dependence() -> None:
    """A hook multiplies ``first`` by k: by the rows of the global batch, too, where these are trained one by one."""
    small = np.where(np.arange(WIDTH) < 20, 0.2, 1.0)  # one of two parameters may be left out if it is the smaller part

    def hooked(text: str) -> SplitObservation:
        run = observed(text, made=undecided().gradients * small)
        times = np.where(np.arange(WIDTH) < 20, run.split.gradient_accumulation_steps, 1)
        return replace(
            run,
            steps=tuple(
                replace(step, gradients={process: one * times for process, one in step.gradients.items()})
                for step in run.steps
            ),
        )

    alone = undecided().gradients * np.where(np.arange(WIDTH) < 20, 0.2 * 4, 1.0)
    found = judge(check(TEXTS), list(map(hooked, TEXTS)), CONTROL, replace(undecided(), gradients=alone))
    assert verdicts(found) == {"1x8x1": "pass", "1x2x4": "fail", "2x2x2": "fail"}
    assert {one.id for one in found.findings} == {"wrong-parameters", "accuracy-not-judged"}


def with_two_terms(text: str) -> SplitObservation:
    """Rows with two parts, of which the control, unlike single rows, counts the second three times."""
    parts = np.random.default_rng(9).normal(size=GRADIENTS.shape)
    made = undecided().gradients + (2 if text == str(CONTROL) else 3) * parts
    return observed(text, made=made)


def test_every_split_must_agree_with_the_control_if_rows_are_not_mixed() -> None:
    runs = [with_two_terms(text) for text in TEXTS]
    unmixed = judge(check(TEXTS), runs, CONTROL, replace(undecided(), unmixed="outputs"))
    assert verdicts(unmixed) == {"1x8x1": "pass", "1x2x4": "fail", "2x2x2": "fail"}
    for unknown in (undecided(), replace(undecided(), unmixed="row")):  # then it should be a combination of its rows
        found = judge(check(TEXTS), runs, CONTROL, unknown)
        assert "fail" not in verdicts(found).values()
        assert "batch-dependent-model" in [one.id for one in found.findings]

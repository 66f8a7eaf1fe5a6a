"""Rows of splits at the outputs of a program's model: other targets, and terms with denominators of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import SplitObservation
from accumcheck.record.outputs import OutputRows
from accumcheck.record.reference import Unmixed
from tests.judge.measure.test_by_control import CONTROL, TEXTS, observed, undecided, verdicts
from tests.judge.runs import GRADIENTS, SAMPLES, check

_draw = np.random.default_rng(3)
DERIVATIVES, OUTPUTS = (_draw.normal(size=(SAMPLES, 2, 9)) for _ in range(2))

AtRow = Callable[[SplitObservation, int, int], np.ndarray]
"""From a split, a row and its micro-batch to the derivative at both outputs, ``[2, numbers]``."""


def right(split: SplitObservation, row: int, _: int) -> np.ndarray:
    return DERIVATIVES[row] * split.split.num_processes  # DDP averages


def with_outputs(run: SplitObservation, at_row: AtRow, values: np.ndarray = OUTPUTS) -> SplitObservation:
    steps = []
    for step in run.steps:
        outputs = {}
        for process in step.gradients:
            mine = [(at, b.samples) for at, b in enumerate(step.micro_batches) if b.process == process]
            rows = [(row, at) for at, samples in mine for row in samples]
            gradients = np.stack([at_row(run, row, at) for row, at in rows])
            places, batches = [row for row, _ in rows], np.array([at for _, at in rows])
            outputs[process] = OutputRows(("classes", "value"), (9, 9), batches, gradients, values[places])
        steps.append(replace(step, outputs=outputs))
    return replace(run, steps=tuple(steps))


def judged(at_row: AtRow, *, unmixed: Unmixed | None = "row", values: np.ndarray = OUTPUTS) -> Judgement:
    """The splits other than the control apply something that no weights of the control's rows give."""
    elsewhere = 0.02 * np.random.default_rng(5).normal(size=GRADIENTS.shape[1])
    runs = [with_outputs(observed(TEXTS[0]), right)]
    for text in TEXTS[1:]:
        other = observed(text, lambda _, gradient, __: gradient + elsewhere)
        runs.append(with_outputs(other, at_row, values))
    return judge(check(TEXTS), runs, CONTROL, replace(undecided(), unmixed=unmixed))


def other_targets(split: SplitObservation, row: int, at: int) -> np.ndarray:
    changed = right(split, row, at).copy()
    if row < 3:
        changed[0] = OUTPUTS[row][0]
    return changed


def own_denominator(split: SplitObservation, row: int, at: int) -> np.ndarray:
    return right(split, row, at) * np.array([[1.0], [1.5 if at % 2 else 0.5]])


def test_rows_that_are_pulled_elsewhere_have_other_targets() -> None:
    found = judged(other_targets)
    assert verdicts(found) == {"1x8x1": "pass", "1x2x4": "fail", "2x2x2": "fail"}
    finding = found.findings[0]
    assert (finding.id, finding.splits) == ("targets-differ", ("1x2x4", "2x2x2"))
    assert "3 of 8 rows in 1x2x4, at classes" in finding.summary
    assert "unexplained" not in [one.id for one in found.findings]


def test_a_term_with_a_denominator_of_its_own_is_named_by_its_output() -> None:
    finding = judged(own_denominator).findings[0]
    assert (finding.id, finding.severity) == ("output-weights", "fail")
    assert "in 1x2x4 at classes as in the control and at value 0.5, 1.5, 0.5, 1.5 times, by micro-batch" in (
        finding.summary
    )


def names_a_loss(found: Judgement) -> bool:
    return bool({"targets-differ", "output-weights"} & {one.id for one in found.findings})


def test_nothing_is_said_if_rows_may_be_mixed() -> None:
    assert names_a_loss(judged(other_targets))
    assert not names_a_loss(judged(other_targets, unmixed=None))


def test_nothing_is_said_if_the_model_gave_something_else() -> None:
    assert not names_a_loss(judged(other_targets, values=OUTPUTS + 1))


def test_weights_of_whole_rows_are_left_to_the_rules() -> None:
    twice: AtRow = lambda split, row, at: 2 * right(split, row, at)  # noqa: E731
    assert not names_a_loss(judged(twice))


def test_a_row_that_is_left_out_is_no_other_target() -> None:
    lost: AtRow = lambda split, row, at: right(split, row, at) * (row > 0)  # noqa: E731
    assert not names_a_loss(judged(lost))


def test_micro_batches_whose_rows_share_a_factor_are_divided_by_their_own_number() -> None:
    def uneven(split: SplitObservation, row: int, at: int) -> np.ndarray:
        return right(split, row, at) * (1.5 if at % 2 else 0.5)

    said = [one.explanation for one in judged(uneven).findings]
    assert any("(0.5, 1.5, 0.5, 1.5 ... in 1x2x4)" in one and "divided by its own number" in one for one in said)

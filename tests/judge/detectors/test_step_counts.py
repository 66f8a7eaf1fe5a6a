"""Loops that step after another number of micro-batches than they were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from accumcheck.judge.detectors.rows import other_rows
from accumcheck.judge.detectors.step_counts import other_step_counts
from accumcheck.judge.evidence import gather
from accumcheck.judge.judge import judge
from accumcheck.record import MicroBatch, ProgramRecord, Split, SplitObservation
from accumcheck.record.fed import FedRow
from accumcheck.stacks.script import ScriptConfig
from tests.judge.detectors.seen import CONTROL
from tests.judge.rows import text
from tests.judge.runs import SAMPLES, check, observe, reference, right

OTHER = Split.parse("1x2x4")
ROWS: dict[int, FedRow] = {number: text(number, 40 + number, 80 + number, 7) for number in range(SAMPLES)}
CONFIG = replace(check(["1x8x1", "1x2x4"]), stack="script", script=ScriptConfig(path="train.py"))


def runs(counts: Sequence[int]) -> list[SplitObservation]:
    """The control, and a split of so many micro-batches of two rows in each step."""
    program = ProgramRecord(("the command line",), "row")
    control, other = (replace(observe(one, right), rows=ROWS, program=program) for one in (CONTROL, OTHER))
    steps, row = [], 0
    for step, count in zip(other.steps, counts, strict=False):
        batches = [MicroBatch(0, (row + 2 * at, row + 2 * at + 1)) for at in range(count)]
        row += 2 * count
        steps.append(replace(step, micro_batches=tuple(batches)))
    return [control, replace(other, steps=tuple(steps))]


def found(counts: Sequence[int]) -> list[tuple[str, str]]:
    seen = gather(CONFIG, runs(counts), CONTROL, reference())
    return [(one.finding.id, one.finding.summary) for one in other_step_counts(seen)]


def test_a_first_step_that_comes_too_early_is_named_by_its_steps() -> None:
    (finding,) = found([1, 4])
    assert finding == (
        "step-at-wrong-microbatch",
        "the optimizer does not step after the requested number of micro-batches; 1x2x4: step 1 after 1, step 2 "
        "after 4; 4 were requested",
    )


def test_a_step_after_every_micro_batch_is_named() -> None:
    assert found([1, 1]) == [("step-per-microbatch", "the optimizer steps after every micro-batch; 1x2x4 asks for 4")]


@pytest.mark.parametrize("counts", [[4, 4], [4, 2]])
def test_right_steps_and_a_short_last_one_are_not(counts: list[int]) -> None:
    assert found(counts) == []


def test_other_rows_of_such_a_split_follow_from_it() -> None:
    observed = runs([1, 4])
    assert list(other_rows(gather(CONFIG, observed, CONTROL, reference())))  # of themselves they would be a finding
    judgement = judge(CONFIG, observed, CONTROL, reference())
    assert [finding.id for finding in judgement.findings] == ["step-at-wrong-microbatch"]
    assert [one.verdict for one in judgement.splits] == ["pass", "fail"]


def test_micro_batches_that_are_not_trained_at_all_are_no_steps_after_each() -> None:
    """Each step has its own first micro-batch, and the other three are left out: rows that are missing say it."""
    control, other = runs([1, 1])
    second = replace(other.steps[1], micro_batches=(MicroBatch(0, (8, 9)),))
    seen = gather(CONFIG, [control, replace(other, steps=(other.steps[0], second))], CONTROL, reference())
    assert list(other_step_counts(seen)) == []
    assert [one.finding.id for one in other_rows(seen)] == ["samples-differ"]


@pytest.mark.parametrize(("fed", "named"), [((0, 4, 6), "samples-differ"), ((0, 2, 4), "step-at-wrong-microbatch")])
def test_one_step_ended_early_only_if_the_last_micro_batches_are_missing(fed: Sequence[int], named: str) -> None:
    """A backward pass that is left out in the middle of the only window is no early step."""
    control, other = runs([3])
    batches = tuple(MicroBatch(0, (first, first + 1)) for first in fed)
    step = replace(other.steps[0], micro_batches=batches)
    whole = reference()
    truth = replace(whole, membership=whole.membership[:1], grad_norms=whole.grad_norms[:1])
    observed = [replace(control, steps=control.steps[:1]), replace(other, steps=(step,))]
    judgement = judge(replace(CONFIG, steps=1), observed, CONTROL, truth)
    assert [finding.id for finding in judgement.findings] == [named]
    assert [one.verdict for one in judgement.splits] == ["pass", "fail"]

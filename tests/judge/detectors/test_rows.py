"""Rows of a program that are not the control's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.judge.detectors.other_batches import other_batches_fed
from accumcheck.judge.detectors.rows import other_rows
from accumcheck.judge.detectors.samples import wrong_samples
from accumcheck.judge.evidence import Evidence, gather
from accumcheck.judge.judge import judge
from accumcheck.record import MicroBatch, Split, SplitObservation
from accumcheck.record.fed import FedRow
from accumcheck.stacks.script import ScriptConfig
from tests.judge.detectors.seen import CONTROL, found_by
from tests.judge.rows import text
from tests.judge.runs import SAMPLES, check, observe, reference, right

OTHER = Split.parse("2x2x2")
ROWS: dict[int, FedRow] = {number: text(number, 40 + number, 80 + number, 7) for number in range(SAMPLES)}
CONFIG = replace(check(["1x8x1", "2x2x2"]), stack="script", script=ScriptConfig(path="train.py"))


def runs(micro_batches: list[tuple[int, tuple[int, ...]]], rows: dict[int, FedRow] = ROWS) -> list[SplitObservation]:
    """The control, and a split whose first step was fed so, by process."""
    control, other = replace(observe(CONTROL, right), rows=ROWS), replace(observe(OTHER, right), rows=rows)
    first = replace(other.steps[0], micro_batches=tuple(MicroBatch(*batch) for batch in micro_batches))
    return [control, replace(other, steps=(first, *other.steps[1:]))]


def seen(micro_batches: list[tuple[int, tuple[int, ...]]], rows: dict[int, FedRow] = ROWS) -> Evidence:
    return gather(CONFIG, runs(micro_batches, rows), CONTROL, reference())


TRUTH = reference()


@pytest.mark.parametrize(
    ("fed", "words", "rule"),
    [
        (
            [(0, (0, 1)), (0, (0, 1)), (1, (4, 5)), (1, (4, 5))],
            "2x2x2: in step 1 rows 0 and 1 were fed twice each, in process 0, rows 4 and 5 were fed twice each, in "
            "process 1, rows 2, 3, 6 and 7 were never fed",
            "duplicated-samples",
        ),
        (
            [(0, (0, 1)), (0, (2, 3)), (1, (3, 5)), (1, (6, 7))],
            "2x2x2: in step 1 row 3 was fed twice, by both processes, row 4 was never fed",
            "duplicated-samples",
        ),
        (
            [(0, (0, 1)), (0, (2, 3)), (1, (4, 5)), (1, (6,))],
            "2x2x2: in step 1 7 rows were fed instead of 8: row 7 was never fed",
            "dropped-samples",
        ),
        (
            [(0, (0, 1)), (0, (2, 3)), (1, (4, 5)), (1, (6, 8))],
            "2x2x2: in step 1 1 row of step 2 came instead, row 7 was never fed",
            "unexplained",
        ),
    ],
)
def test_rows_that_are_not_the_controls_condemn_the_split(
    fed: list[tuple[int, tuple[int, ...]]], words: str, rule: str
) -> None:
    (found,) = other_rows(seen(fed))
    assert found_by([found]) == [("samples-differ", "fail", ("2x2x2",), {"2x2x2": rule})]
    assert found.finding.summary == f"not fed the control's rows: {words}"
    assert list(wrong_samples(seen(fed))) == []


def test_the_controls_rows_condemn_nobody() -> None:
    right_one = seen([(0, (0, 1)), (0, (4, 5)), (1, (2, 3)), (1, (6, 7))])
    assert list(other_rows(right_one)) == []
    assert list(other_batches_fed(right_one)) == []


@pytest.mark.parametrize(
    ("number", "row", "words"),
    [
        (15, text(7, 47, 87, 7, labels=(-100, 47, 87, 7)), "row 7 (in process 1) with different labels"),
        (
            15,
            text(7, 47),
            "row 7 (in process 1) cut shorter in input_ids and labels, 2 entries instead of 4",
        ),
        (15, text(60, 61, 62), "1 row that the control is not fed in any step came instead, in process 1, row 7 was"),
    ],
)
def test_contents_that_differ_are_named(number: int, row: FedRow, words: str) -> None:
    """Sample 15 stands for a row that only this split was fed, so that the second step of both has seven rows."""
    control, other = runs([(0, (0, 1)), (0, (2, 3)), (1, (4, 5)), (1, (6, number))], {**ROWS, number: row})
    short = [replace(one, steps=one.steps[:1]) for one in (replace(control, rows=dict(list(ROWS.items())[:8])), other)]
    truth = replace(TRUTH, membership=TRUTH.membership[:1])
    (found,) = other_rows(gather(replace(CONFIG, steps=1), short, CONTROL, truth))
    assert words in found.finding.summary
    assert {str(split): str(rule) for split, rule in found.condemned.items()} == {"2x2x2": "unexplained"}


@pytest.mark.parametrize(
    ("wrong", "severity"),
    [(False, "warn"), (True, "fail")],
)
def test_padding_without_a_mask_is_a_failure_only_where_it_changes_the_result(wrong: bool, severity: str) -> None:
    padded = text(7, 47, 87, 7, 0, 0, labels=(7, 47, 87, 7, -100, -100))
    control, other = runs([(0, (0, 1)), (0, (2, 3)), (1, (4, 5)), (1, (6, 15))], {**ROWS, 15: padded})
    if wrong:
        turned = {process: 0.7 * value + 0.3 for process, value in other.steps[0].gradients.items()}
        other = replace(other, steps=(replace(other.steps[0], gradients=turned), *other.steps[1:]))
    short = [replace(one, steps=one.steps[:1]) for one in (replace(control, rows=dict(list(ROWS.items())[:8])), other)]
    truth = replace(TRUTH, membership=TRUTH.membership[:1])
    judged = judge(replace(CONFIG, steps=1), short, CONTROL, truth)
    assert [(one.id, one.severity) for one in judged.findings] == [("rows-differ", severity)]
    assert "row 7 (in process 1) padded to another length without a mask" in judged.findings[0].summary
    assert judged.verdict == severity


def test_rows_alike_need_no_second_look() -> None:
    judged = judge(CONFIG, runs([(0, (0, 1)), (0, (4, 5)), (1, (2, 3)), (1, (6, 7))]), CONTROL, reference())
    assert (judged.verdict, judged.findings) == ("pass", ())

"""The proof, and that it can fail."""

from __future__ import annotations

import dataclasses

import pytest

from accumcheck.record.selftest import exit_code_of
from accumcheck.report.documents.selftest import line, summary
from accumcheck.selftest import program
from accumcheck.selftest.cases import CLEAN, FAULTY
from accumcheck.selftest.recorded import recorded
from accumcheck.selftest.run import outcome_of, run_selftest
from accumcheck.stacks.faulty.faults import FAULTS
from accumcheck.stacks.script import ScriptConfig
from tests.report import examples
from tests.report.examples import clean


def test_every_fault_that_can_be_planted_is_expected_and_the_counts_are_enough() -> None:
    planted = {case.check.stack.removeprefix("planted:") for case in FAULTY if not case.check.runs_program}
    assert planted == set(FAULTS) - {"none"}
    run = {case.check.own(ScriptConfig).arguments[0] for case in (*FAULTY, *CLEAN) if case.check.runs_program}
    assert run == set(program.FAULTS)
    assert len(FAULTY) >= 30
    assert len(CLEAN) >= 12


def test_every_fault_accuses_splits_that_it_runs_and_fits_in_its_line() -> None:
    for case in FAULTY:
        assert case.check.splits is not None
        assert case.accused
        assert set(case.accused) <= set(map(str, case.check.splits))
    names = [*(case.name for case in FAULTY), *(f"nothing: {case.name}" for case in CLEAN)]
    assert max(map(len, names)) < 27
    assert len(set(names)) == len(names)


@pytest.mark.e2e
def test_planted_faults_are_caught_and_named_and_clean_runs_pass() -> None:
    chosen = [case for case in (*FAULTY, *CLEAN) if case.name in SMALL]
    assert len(chosen) == len(SMALL)
    outcomes = list(run_selftest(chosen))
    assert [outcome.case.name for outcome in outcomes if not outcome.is_as_expected] == []
    # the proof can fail: what one run gave does not satisfy another's expectation
    faulty, sound = outcomes[0], outcomes[-1]
    swapped = [outcome_of(faulty.case, sound.report), outcome_of(sound.case, faulty.report)]
    assert [outcome.is_as_expected for outcome in swapped] == [False, False]
    misnamed = dataclasses.replace(faulty.case, gradient_rule="token-mean/n")
    assert not outcome_of(misnamed, faulty.report).is_as_expected
    for accused in (("2x2x2",), ("1x8x1", "1x2x4", "2x2x2")):  # one too few, one too many
        assert not outcome_of(dataclasses.replace(faulty.case, accused=accused), faulty.report).is_as_expected
    assert not outcome_of(dataclasses.replace(faulty.case, says="from step 2"), faulty.report).is_as_expected
    text = summary(list(map(recorded, [*outcomes, *swapped])))
    most = f"{len(SMALL) - 1} of {len(SMALL)}"
    assert f"caught {most}, named {most}, accused {most}" in text
    assert "false alarms 1 of 2" in text
    assert all(len(row) <= 80 for outcome in outcomes for row in [line(recorded(outcome))])


SMALL = (
    "gradient alone times k",
    "one sample dropped",
    "one rank not synchronised",
    "a parameter frozen",
    "samples in another order",
    "float32",
)


def test_a_run_that_was_not_decided_is_neither_caught_nor_clean() -> None:
    undecided = dataclasses.replace(clean(), verdict="error", exit_code=3)
    assert not outcome_of(FAULTY[0], undecided).is_as_expected
    assert not outcome_of(CLEAN[0], undecided).is_as_expected


def test_exit_codes() -> None:
    held, undecided = (recorded(outcome_of(CLEAN[0], report)) for report in (clean(), examples.undecided()))
    missed = recorded(outcome_of(FAULTY[0], clean()))
    assert exit_code_of([held, held]) == 0
    assert exit_code_of([held, missed, undecided]) == 1
    assert exit_code_of([held, undecided]) == 3
    assert exit_code_of([]) == 3  # nothing was proven

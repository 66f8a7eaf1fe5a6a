"""An optimizer step that was fed nothing: a fault that is named, and nothing to solve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.judge.judge import judge
from accumcheck.judge.measure.recovery import System
from accumcheck.record import Split, SplitObservation
from tests.judge.runs import GRADIENTS, SPLITS, WIDTH, check, observe, reference, right


def without_second(split: SplitObservation) -> SplitObservation:
    first, second = split.steps
    nothing: dict[int, npt.NDArray[np.floating[Any]]] = {process: np.zeros(WIDTH) for process in second.gradients}
    norms = dict.fromkeys(second.grad_norms, 0.0)
    empty = replace(second, micro_batches=(), gradients=nothing, grad_norms=norms, loss=0.0, logged_grad_norm=0.0)
    return replace(split, steps=(first, empty))


def test_no_samples_are_no_system() -> None:
    assert System.of(GRADIENTS, []) is None


def test_a_step_that_was_fed_nothing_fails_under_every_split() -> None:
    observations = [without_second(observe(Split.parse(split), right)) for split in SPLITS]
    whole = reference()
    fed = replace(whole, membership=(whole.membership[0], ()), grad_norms=(whole.grad_norms[0], 0.0))
    found = judge(check(SPLITS), observations, Split.parse(SPLITS[0]), fed)
    assert (found.verdict, found.exit_code) == ("fail", 1)
    assert {split.verdict for split in found.splits} == {"fail"}
    assert "step 2 was fed 0 samples, the global batch has 8" in found.findings[0].summary


def test_a_step_that_one_split_was_not_fed_fails_there_alone() -> None:
    observations = [observe(Split.parse(split), right) for split in SPLITS]
    observations[1] = without_second(observations[1])
    found = judge(check(SPLITS), observations, Split.parse(SPLITS[0]), reference())
    assert [split.verdict for split in found.splits] == ["pass", "fail", "pass", "pass", "pass"]

"""A model for which the samples of a micro-batch affect each other."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.detectors.batch_dependence import batch_dependence
from accumcheck.judge.detectors.detected import Judged
from accumcheck.judge.explanation import Explanation
from accumcheck.record import BatchTerm, Finding
from tests.judge.detectors.seen import evidence
from tests.judge.runs import reference


def found(effect: float, term: BatchTerm | None = None) -> list[Finding]:
    seen = evidence(truth=replace(reference(), batch_effect=effect, batch_term=term))
    return [one.finding for one in batch_dependence(Judged(seen, Explanation(), (), frozenset()))]


def test_what_batching_does_is_a_warning_with_its_cause() -> None:
    (finding,) = found(0.3, BatchTerm("batch normalisation (2 layers)", additive=False, complete=True))
    assert (finding.id, finding.severity) == ("batch-dependent-model", "warn")
    assert finding.summary == (
        "even without the stack, batching changes this model's results (relative difference up to 0.3), because of "
        "batch normalisation (2 layers)"
    )


def test_a_loss_of_the_stack_is_told_from_a_model() -> None:
    (finding,) = found(0.3, BatchTerm("compute_loss (train.py:7)", additive=False, complete=True, of_stack=True))
    assert finding.summary.startswith("compute_loss (train.py:7) gives several samples together a different loss")
    assert "in the loss itself" in finding.explanation


def test_a_cause_that_was_not_found_is_said_so() -> None:
    assert "for a reason that was not found" in found(0.3)[0].summary


def test_a_model_that_treats_each_sample_for_itself_is_none() -> None:
    assert found(0.0) == []

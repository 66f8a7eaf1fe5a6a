"""A forward pass that is random is an error, and neither a fault nor a tolerance."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import Divergence, Recomputation, Split
from tests.judge.detectors.seen import CONTROL
from tests.judge.runs import SPLITS, TOKENS, B, check, observe, reference, right, sum_of_means


def judged(loss: float, stack=right) -> Judgement:  # type: ignore[no-untyped-def]
    """Of a reference that, one sample at a time, came to a loss so far off when it was computed again."""
    members = list(range(B))
    truth = reference()
    gradient = TOKENS[members] / TOKENS[members].sum() @ truth.gradients[members]
    again = Recomputation("last sample first", 1, Divergence(loss, 1e-9, 1e-9), gradient)
    noise = Divergence(loss, 1e-9, 1e-9)
    runs = [observe(Split.parse(split), stack) for split in SPLITS]
    return judge(check(SPLITS), runs, CONTROL, replace(truth, recomputed=(again,), noise=noise))


def test_nothing_is_decided_where_the_same_samples_give_another_loss() -> None:
    for stack in (right, sum_of_means):
        found = judged(0.04, stack)
        assert (found.verdict, found.exit_code) == ("error", 3)
        assert {one.verdict for one in found.splits} == {"error"}
        assert {one.reason for one in found.splits} == {"the forward pass is random"}
        assert [(one.id, one.severity) for one in found.findings] == [("random-forward", "error")]
        assert "gave a loss with a relative difference of 0.04" in found.findings[0].summary
        assert found.tolerances.loss <= 1e-3


def test_rounding_is_not_random() -> None:
    assert (judged(1e-7).verdict, judged(1e-7).findings) == ("pass", ())

"""Programs whose order of samples depends on the split."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.detectors.other_batches import other_batches_fed
from accumcheck.judge.detectors.samples import wrong_samples
from accumcheck.judge.evidence import Evidence, gather
from accumcheck.record import Split, SplitObservation
from accumcheck.stacks.script import ScriptConfig
from tests.judge.detectors.seen import CONTROL, found_by
from tests.judge.runs import check, dealt, observe, reference, right

OTHER = Split.parse("1x2x4")


def of_a_program(run: SplitObservation) -> Evidence:
    config = replace(check(["1x8x1", "1x2x4"]), stack="script", script=ScriptConfig(path="train.py"))
    return gather(config, [observe(CONTROL, right), run], CONTROL, reference())


def swapped(split: Split, step: int) -> list[list[list[int]]]:
    """Step 1 is fed what step 2 should be, and the reverse."""
    return dealt(split, 1 - step)


def test_whole_batches_of_another_order_are_a_warning() -> None:
    seen = of_a_program(observe(OTHER, right, fed=swapped))
    assert found_by(other_batches_fed(seen)) == [("samples-differ", "warn", ("1x2x4",), {})]
    assert list(wrong_samples(seen)) == []


def test_the_controls_order_is_no_other() -> None:
    assert list(other_batches_fed(of_a_program(observe(OTHER, right)))) == []

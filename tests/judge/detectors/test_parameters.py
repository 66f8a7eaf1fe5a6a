"""Parameters that no optimizer holds under one split, or that are frozen there."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.detectors.parameters import untrained_parameters
from accumcheck.record import Coordinates, Split, SplitObservation
from accumcheck.record.observed import TrainedRecord
from tests.judge.detectors.seen import evidence, found_by
from tests.judge.runs import SPLITS, observe, reference, right

Found = list[tuple[str, str, tuple[str, ...], dict[str, str]]]
ALL = TrainedRecord(reference().coordinates)


def found(odd: TrainedRecord, of: str = "1x2x4") -> Found:
    def run(text: str) -> SplitObservation:
        return replace(observe(Split.parse(text), right), trained=odd if text == of else ALL)

    return found_by(untrained_parameters(evidence([run(text) for text in SPLITS])))


def test_a_parameter_that_the_optimizer_lacks_under_one_split_is_named() -> None:
    condemned = {"1x2x4": "unexplained"}
    assert found(replace(ALL, lacking=("second",))) == [("optimizer-lacks-parameters", "fail", ("1x2x4",), condemned)]


def test_one_that_the_control_lacks_as_well_is_a_warning_about_the_run() -> None:
    lacking = replace(ALL, lacking=("second",))
    assert found(lacking, of="1x8x1") == [("optimizer-lacks-parameters", "warn", (), {})]


def test_one_that_is_frozen_under_one_split_is_named_otherwise() -> None:
    part = replace(ALL, coordinates=Coordinates(("first",), (20,), (0,), 20))
    assert [one[:3] for one in found(part)] == [("parameter-frozen", "fail", ("1x2x4",))]


def test_the_same_parameters_everywhere_are_right() -> None:
    assert found(ALL) == []

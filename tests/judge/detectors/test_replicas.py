"""Processes of one split that start from different weights."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.detectors.replicas import other_weights
from accumcheck.record import Split
from tests.judge.detectors.seen import evidence, found_by
from tests.judge.runs import observe, right


def test_processes_with_different_weights_fail_and_the_parameters_are_named() -> None:
    run = replace(observe(Split.parse("2x2x2"), right), unlike=("head.weight", "head.bias"))
    detected = list(other_weights(evidence([run])))
    assert found_by(detected) == [("weights-differ", "fail", ("2x2x2",), {"2x2x2": "unexplained"})]
    assert detected[0].finding.summary == (
        "the processes of 2x2x2 do not hold the same weights when training begins: head.bias, head.weight differ"
    )


def test_processes_with_the_same_weights_are_right() -> None:
    assert list(other_weights(evidence())) == []

"""A worker sees its own GPUs, of those that the user left visible, and observes what its split does."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Split
from accumcheck.runfolder.job import Job
from accumcheck.stacks.protocol import LoopSpec
from accumcheck.stacks.registry import find_stack
from accumcheck.work.worker import _run_split, _visible
from accumcheck.workload.assemble import build_workload


@pytest.mark.parametrize(
    ("gpus", "already", "visible"),
    [
        ((0, 1), "", "0,1"),
        ((0, 1), "2,3", "2,3"),
        ((1,), "5, GPU-4fd2, 7", "GPU-4fd2"),
    ],
)
def test_gpus_are_counted_among_the_visible_ones(gpus: tuple[int, ...], already: str, visible: str) -> None:
    assert _visible(gpus, already) == visible


def test_the_observer_of_a_split_knows_its_accumulation_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It keeps less of each micro-batch then, so that a step of many does not fill the disk."""
    asked: list[int] = []

    class StoppedError(Exception):
        pass

    def observer(*_: object, accumulation_steps: int) -> None:
        asked.append(accumulation_steps)
        raise StoppedError

    monkeypatch.setattr("accumcheck.capture.observer.Observer", observer)
    check = CheckConfig(
        ModelConfig(config={"model_type": "llama"}, shrink=True), 4, (Split(1, 1, 4),), steps=1, stack="trainer"
    )
    stack = find_stack("trainer")
    assert isinstance(stack, LoopSpec)
    with pytest.raises(StoppedError):
        _run_split(stack, Job("1x1x4", 1, tmp_path, check, "cpu", "gloo"), check, build_workload(check, "cpu"), 0)
    assert asked == [4]

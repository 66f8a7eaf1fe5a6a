"""Right runs are drawn alike each time, and their bound is the textbook's."""

from __future__ import annotations

from pathlib import Path

import clean_runs
import pytest
from clean import draw
from clean.draw import case


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration is read only where the model and the file that it names are there."""
    (tmp_path / "embedder").mkdir()
    (tmp_path / "sentences").mkdir()
    (tmp_path / "sentences" / "train.jsonl").touch()
    monkeypatch.setattr(draw, "DATA", tmp_path)


@pytest.mark.parametrize(
    ("alarms", "runs", "bound"),
    # of no alarm, 1 - 0.05^(1/runs); of more, tables of Clopper and Pearson's one-sided bound
    [(0, 60, 1 - 0.05 ** (1 / 60)), (0, 300, 0.0099361), (1, 10, 0.3941633), (3, 3, 1.0)],
)
def test_the_exact_bound(alarms: int, runs: int, bound: float) -> None:
    assert clean_runs.upper_bound(alarms, runs) == pytest.approx(bound, rel=1e-5)


@pytest.mark.usefixtures("data")
def test_cases_are_the_same_each_time_and_of_many_kinds() -> None:
    cases = [case(number) for number in range(120)]
    assert [one.check for one in cases] == [case(number).check for number in range(120)]
    drawn = {(name, value) for one in cases for name, value in one.traits.items()}
    for trait, least in (("stack", 6), ("model", 17), ("dtype", 4), ("splits", 12), ("lengths", 5)):
        assert len([value for name, value in drawn if name == trait]) >= least
    assert {("checkpointing", "yes"), ("model", "lora"), ("autocast", "bf16"), ("model", "frozen")} <= drawn
    sizes = {one.check.global_batch_size % 2 for one in cases}
    assert sizes == {0, 1}


def test_what_is_no_pass_is_an_alarm_and_what_was_not_decided_is_neither() -> None:
    def of(verdict: str) -> dict[str, object]:
        traits = {"splits": "1x8x1 1x2x4", "stack": "trainer"}
        return {"number": 1, "traits": traits, "verdict": verdict, "findings": ["x: y"], "reasons": [], "nearest": 0.2}

    text = clean_runs.summary([of("pass"), of("pass"), of("warn"), of("error")])
    assert "False alarms: 1 of 3 right runs" in text
    assert "Not decided: 1. Splits: 6." in text
    assert "1: warn: splits 1x8x1 1x2x4, stack trainer: x: y" in text

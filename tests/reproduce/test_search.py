"""The search, step by step: each step is kept only where its script, when run, still shows the fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from accumcheck.record import Split
from accumcheck.record.rule import Rule
from accumcheck.reproduce.case import Case, NotReproducedError, Outcome, Subject
from accumcheck.reproduce.search import Reproduction, smallest
from accumcheck.reproduce.shown import Expected
from tests.reproduce.subjects import HEADING, subject


class Trial:
    """Runs no script: says of each whether the fault shows, by what must be in its text."""

    def __init__(self, *needed: str, broken: str = "never in a script") -> None:
        self.needed, self.broken = needed, broken
        self.ran: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.described: list[Mapping[str, Any]] = []

    def run(self, text: str, processes: int) -> Outcome:
        self.ran.append((text, processes))
        if self.broken in text:
            return Outcome(2, "Traceback\nValueError: no such thing")
        shows = all(needed in text for needed in self.needed)
        return Outcome(int(shows), f"loss 2, right {1 if shows else 2}")

    def describe(self, asked: Mapping[str, Any]) -> Subject:
        self.described.append(dict(asked))
        return subject(asked)

    def search(self, *splits: str, arguments: Mapping[str, Any] | None = None, longest: int = 10) -> Reproduction:
        def case_of(split: Split, about: Subject) -> Case:
            return Case("trainer", split, about, arguments or {})

        asked = {"layers": 0, "longest": longest}
        return smallest(
            case_of,
            [Split.parse(label) for label in splits],
            asked,
            HEADING,
            describe=self.describe,
            run=self.run,
            say=self.said.append,
        )


def test_the_first_split_that_shows_it_is_taken_and_the_model_made_smaller() -> None:
    trial = Trial()
    found = trial.search("1x1x2", "1x1x4")
    assert str(found.case.split) == "1x1x2"
    assert found.case.subject.config == {"num_hidden_layers": 1}
    assert found.case.subject.rows[0]["input_ids"].values == [5, 6, 7, 8, 9, 10]
    assert found.text == trial.ran[-1][0]  # what is handed over is what was run
    assert [one.split(":")[0] for one in trial.said] == ["1x1x2", "one layer", "short rows"]


def test_a_split_that_does_not_show_it_is_passed_over() -> None:
    trial = Trial("B, K, N = 1, 4, 1")
    assert str(trial.search("1x1x2", "1x1x4").case.split) == "1x1x4"
    assert trial.said[0] == "1x1x2: does not show it (loss 2, right 2)"


def test_what_the_fault_needs_is_kept() -> None:
    found = Trial("'num_hidden_layers': 2").search("1x1x2")
    assert found.case.subject.config == {"num_hidden_layers": 2}
    assert len(found.case.subject.rows[0]["input_ids"].values) == 6  # rows are shortened all the same


def test_arguments_that_the_fault_does_not_need_go_at_once() -> None:
    trial = Trial()
    found = trial.search("1x1x2", arguments={"bf16": True, "seed": 3})
    assert found.case.arguments == {}
    assert trial.said[-1].startswith("without training_arguments: shows it")


def test_an_argument_that_the_fault_needs_stays_alone() -> None:
    found = Trial("label_smoothing_factor=0.1").search(
        "1x1x2", arguments={"seed": 3, "label_smoothing_factor": 0.1, "bf16": True}
    )
    assert found.case.arguments == {"label_smoothing_factor": 0.1}


def test_each_split_runs_on_its_number_of_processes() -> None:
    trial = Trial()
    trial.search("2x1x1")
    assert {processes for _, processes in trial.ran} == {2}


def test_a_script_that_would_be_too_long_is_tried_with_a_smaller_model_at_once() -> None:
    trial = Trial()
    found = trial.search("1x1x2", longest=2500)
    assert [one["longest"] for one in trial.described[:2]] == [2500, 6]
    assert len(found.case.subject.rows[0]["input_ids"].values) == 6
    assert len(trial.ran) == 1  # nothing is left to be made smaller


def test_where_nothing_shows_it_every_attempt_is_named() -> None:
    with pytest.raises(NotReproducedError) as raised:
        Trial("a text in no script", broken="N = 1, 4, 1").search("1x1x2", "1x1x4")
    assert str(raised.value) == (
        "no small script shows the fault: 1x1x2: does not show it (loss 2, right 2); "
        "1x1x4: cannot run (ValueError: no such thing)"
    )


def test_without_a_split_to_try_it_says_so() -> None:
    with pytest.raises(NotReproducedError, match="no split is small enough"):
        Trial().search()


def test_a_script_that_shows_another_fault_does_not_count() -> None:
    expected = Expected(Rule.parse("token-mean*k"), Rule.parse("token-mean*k"))
    numbers = {"N = 1, 2, 1": "loss 1 (x 1.010); off by 0.2", "N = 1, 4, 1": "loss 4 (x 4.000); off by 3"}
    said: list[str] = []
    found = smallest(
        lambda split, about: Case("trainer", split, about),
        [Split.parse("1x1x2"), Split.parse("1x1x4")],
        {"layers": 1, "longest": 6},
        HEADING,
        describe=subject,
        run=lambda text, _: Outcome(1, next(line for shown, line in numbers.items() if shown in text)),
        say=said.append,
        expected=expected,
    )
    assert str(found.case.split) == "1x1x4"
    assert said[0].endswith("another fault: the loss should be 2 times the right one)")

"""Which count a stack passed: of the global batch or of a process, before or after the shift, or none of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from accumcheck.judge.causes.token_counts import Passed, passed_counts
from accumcheck.judge.rules.bases import BASE_ROWS
from accumcheck.record import Split, SplitObservation
from tests.judge.runs import LABELS, TOKENS, dealt, observe, reference, right

Count = Callable[[int, list[int], list[int]], float]
"""From a process, its samples and all samples of the step, to the count that the process is passed."""


def passing(label: str, count: Count) -> SplitObservation:
    seen = observe(Split.parse(label), right)
    steps = []
    for position, step in enumerate(seen.steps):
        fed = [[row for batch in process for row in batch] for process in dealt(seen.split, position)]
        everything = [row for process in fed for row in process]
        batches = tuple(
            replace(batch, token_count=count(batch.process, fed[batch.process], everything))
            for batch in step.micro_batches
        )
        steps.append(replace(step, micro_batches=batches))
    return replace(seen, steps=tuple(steps))


def passed(count: Count, *labels: str) -> Passed:
    return passed_counts([passing(label, count) for label in labels], reference())


# step 1: samples 0..7, 65 tokens and 70 labels; under 2x2x2 process 0 is dealt 0, 1, 4, 5: 29 tokens and 31 labels
@pytest.mark.parametrize(
    ("count", "base", "words"),
    [
        (
            lambda process, mine, everything: TOKENS[everything].sum(),
            "token-mean",
            "65 as the token count in step 1 of 1x2x4; the global batch has 65 predicted tokens",
        ),
        (
            lambda process, mine, everything: LABELS[everything].sum(),
            "unshifted-token-mean",
            "70 as the token count in step 1 of 1x2x4: the labels before the causal shift, of which 65 are predicted",
        ),
        (
            lambda process, mine, everything: TOKENS[mine].sum(),
            "device-mean",
            "29 and 36 as the token count in step 1 of 2x2x2: each process its own count; the global batch has 65",
        ),
        (
            lambda process, mine, everything: LABELS[mine].sum(),
            "unshifted-device-mean",
            "31 and 39 as the token count in step 1 of 2x2x2: each process its own labels before the causal shift; "
            "the global batch has 70, of which 65 are predicted",
        ),
        (
            lambda process, mine, everything: 8.0,
            None,
            "8 as the token count in step 1 of 1x2x4; the global batch has 65 predicted tokens",
        ),
    ],
)
def test_the_count_is_recognised_and_shown(count: Count, base: str | None, words: str) -> None:
    found = passed(count, "1x2x4", "2x2x2")
    assert (found.base.name if found.base else None, found.words) == (base, words)


def test_one_process_cannot_tell_its_own_count_from_the_global_one() -> None:
    assert passed(lambda process, mine, everything: TOKENS[mine].sum(), "1x2x4").base is BASE_ROWS["token-mean"]


def test_a_count_that_is_right_in_some_steps_only_is_none_of_these() -> None:
    counts = iter([65, 65, 65, 65, 66, 1, 1, 1])
    assert passed(lambda process, mine, everything: next(counts), "1x2x4").base is None


def test_many_processes_are_shown_in_few_words() -> None:
    found = passed(lambda process, mine, everything: TOKENS[mine].sum(), "8x1x1")
    assert found.words.startswith("3, 9, 4 ... 13 as the token count in step 1 of 8x1x1: each process its own")

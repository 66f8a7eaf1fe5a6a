"""The search as a whole, on histories made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.compare.bisect import bisect
from accumcheck.compare.subjects import releases_in_order
from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.record.bisection import Bisection, Find, Step
from accumcheck.report.parts.search_lines import ending, means, step_line
from tests.compare.ladder import History, Ladder, failing, passing
from tests.report import examples

LLAVA = {
    "4.48.3": failing("microbatch-mean"),
    "4.49.0": failing("microbatch-mean*k"),
    "4.50.3": failing("microbatch-mean*k"),
    "4.51.3": failing("microbatch-mean*k"),
    "4.52.1": failing("device-mean"),
    "4.52.4": failing("device-mean"),
    "4.53.3": failing("device-mean"),
    "4.54.0": passing(),
    "4.57.6": passing(),
    "5.5.3": failing("token-mean", "token-mean/k"),
    "5.5.4": passing(),
    "5.23.0": passing(),
}
"""What a small LLaVA came to, on one and two processes, under real releases."""


def find(
    ladder: Ladder, ends: tuple[str, str], sought: Find = "broken", rule: str | None = None
) -> tuple[Bisection, list[str], list[str]]:
    """The result, the steps told, and what bad was said to mean."""
    releases = list(ladder.history)
    steps: list[Step] = []
    meanings: list[str] = []
    result = bisect(
        ends,
        lambda: releases[releases.index(ends[0]) + 1 : releases.index(ends[1])],
        ladder,
        find=sought,
        rule=rule,
        tell=steps.append,
        explain=lambda badness: meanings.append(means(str(badness))),
    )
    return result, [step_line(step) for step in steps], meanings


def test_the_release_that_changed_the_rule_is_found_between_two_that_fail() -> None:
    result, steps, meanings = find(Ladder(LLAVA), ("4.48.3", "4.51.3"))
    assert list(ending(result))[-1] == "first bad release: 4.49.0"
    assert meanings == ["bad means: the check fails with microbatch-mean*k"]
    assert steps == [
        "4.48.3    other    fail   microbatch-mean (1.0 s; 2 left, about 2 steps)",
        "4.51.3    bad      fail   microbatch-mean*k (1.0 s; 2 left, about 2 steps)",
        "4.49.0    bad      fail   microbatch-mean*k (1.0 s; none left)",
    ]


def test_the_first_fixed_release_is_found_through_the_faults_that_follow_one_another() -> None:
    # halving by the verdict alone would try 4.57.6 or 5.5.3, and in the latter case end at 5.5.4
    ladder = Ladder(LLAVA)
    result, _, meanings = find(ladder, ("4.50.3", "5.23.0"), "fixed")
    assert (result.before.release, result.candidates) == ("4.53.3", ("4.54.0",))
    assert meanings == [
        "bad means: the check fails with microbatch-mean*k",
        "bad means: the check fails with device-mean",
    ]
    said = list(ending(result))
    assert said[:2] == [
        "until 4.52.1: the check fails with microbatch-mean*k",
        "bad means: the check fails with device-mean",
    ]
    assert said[-1] == "first fixed release: 4.54.0"


def test_with_a_rule_the_search_ends_where_that_rule_does() -> None:
    result, _, meanings = find(Ladder(LLAVA), ("4.50.3", "5.23.0"), "fixed", "microbatch-mean*k")
    assert result.candidates == ("4.52.1",)
    assert meanings == ["bad means: loss or gradient follows microbatch-mean*k"]
    said = list(ending(result))
    assert (
        "transformers 4.52.1 still fails, with another rule; fixed: loss or gradient follows microbatch-mean*k" in said
    )


def test_what_breaks_is_found_by_the_verdict() -> None:
    result, _, meanings = find(Ladder(LLAVA), ("4.57.6", "5.5.3"))
    assert result.candidates == ("5.5.3",)
    assert meanings == ["bad means: the check fails"]


def test_a_release_that_cannot_run_the_check_is_skipped_and_said_to_be() -> None:
    history: History = {**LLAVA, "4.50.3": "no architecture of that name", "4.49.0": examples.undecided()}
    result, steps, _ = find(Ladder(history), ("4.48.3", "4.52.1"), rule="device-mean")
    assert result.candidates == ("4.52.1",)
    assert "4.50.3    skipped  -      no architecture of that name (1.0 s; 2 left, about 2 steps)" in steps


def test_where_only_skipped_releases_are_left_they_are_listed() -> None:
    history: History = {**LLAVA, "4.49.0": "no wheel", "4.50.3": examples.undecided()}
    result, _, _ = find(Ladder(history), ("4.48.3", "4.51.3"))
    said = list(ending(result))
    assert result.candidates == ("4.49.0", "4.50.3", "4.51.3")
    assert said[-1] == "first bad release: one of 4.49.0, 4.50.3, 4.51.3; the others could not be tried"
    assert "transformers 4.49.0    skipped: no wheel" in said


def test_the_ending_tells_both_sides_the_fault_and_the_notes() -> None:
    result, _, _ = find(Ladder(LLAVA), ("4.48.3", "4.51.3"))
    assert list(ending(replace(result, pages=("https://notes.example/4.49.0",)))) == [
        "bad means: the check fails with microbatch-mean*k",
        "transformers 4.48.3    other fail   microbatch-mean",
        "transformers 4.49.0    bad   fail   microbatch-mean*k",
        "fail under 4.49.0: the reported loss and the gradient are 2 to 32 times too",
        "        large: as many times as there are accumulation steps (microbatch-mean*k)",
        "known: Loss grows with the accumulation steps",
        "        https://github.com/hiyouga/LLaMA-Factory/issues/7443",
        "        affected: transformers 4.49.0 to 4.51.3",
        "        fixed: 4.57.6",
        "release notes: https://notes.example/4.49.0",
        "first bad release: 4.49.0",
    ]


def test_ends_that_do_not_differ_are_refused_before_anything_else_is_tried() -> None:
    ladder = Ladder(LLAVA)
    with pytest.raises(ConfigError, match="the --bad end is not bad"):
        find(ladder, ("4.54.0", "5.23.0"))
    assert ladder.tried == ["4.54.0", "5.23.0"]


@pytest.mark.parametrize("end", ["no wheel", examples.undecided()])
def test_an_end_that_cannot_be_decided_ends_the_search(end: object) -> None:
    with pytest.raises(AccumcheckError, match=r"5\.23\.0, one of the two ends, could not be decided") as told:
        find(Ladder({**LLAVA, "5.23.0": end}), ("4.54.0", "5.23.0"))  # type: ignore[dict-item]
    assert told.value.exit_code == 3


@pytest.mark.parametrize(
    ("good", "bad", "sought", "said"),
    [
        ("4.49.0", "4.49", "broken", "both ends are the same release"),
        ("4.50.0", "4.49.0", "broken", "give --find fixed"),
        ("4.9.0", "4.49.0", "fixed", "remove --find fixed"),
    ],
)
def test_ends_in_the_wrong_order_are_refused(good: str, bad: str, sought: Find, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        releases_in_order(good, bad, sought)


def test_the_older_end_comes_first() -> None:
    assert releases_in_order("4.9.0", "4.10.0", "broken") == ("4.9.0", "4.10.0")  # by version, not by text
    assert releases_in_order("4.10.0", "4.9.0", "fixed") == ("4.9.0", "4.10.0")


def test_the_first_bad_commit_is_told_with_its_message_and_its_whole_id() -> None:
    result, _, _ = find(Ladder(LLAVA), ("4.48.3", "4.51.3"))
    after = replace(result.after, release="1f0c2a9b7e", about="Sum the loss over micro-batches")
    found = replace(result, after=after, candidates=("1f0c2a9b7e",), of_commits=True, full=("1f0c2a9b7e" + 30 * "0",))
    *_, near, last = ending(found)
    assert near == "first bad commit: 1f0c2a9b7e: Sum the loss over micro-batches"
    assert last == f"first bad release: 1f0c2a9b7e{30 * '0'}"
    assert "commit 1f0c2a9b7e bad   fail   microbatch-mean*k" in list(ending(found))

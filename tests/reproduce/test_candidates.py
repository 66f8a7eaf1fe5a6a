"""Which splits are tried, the smallest first."""

from __future__ import annotations

import pytest

from accumcheck.record import Split
from accumcheck.record.rule import Rule
from accumcheck.reproduce.candidates import LARGEST, candidates


def tried(rule: str, *shown_in: str) -> list[str]:
    return [str(one) for one in candidates([Rule.parse(rule)], [Split.parse(label) for label in shown_in])]


@pytest.mark.parametrize(
    ("rule", "shown_in", "first"),
    [
        ("token-mean*k", ["1x4x4"], "1x1x2"),  # k = 2 is enough
        ("token-mean*k", ["4x4x1", "4x4x4"], "1x1x2"),  # no second process is needed to show it
        ("token-mean*k*n", ["1x4x4", "2x4x2"], "1x1x2"),  # one split shows it with one process
        ("token-mean/b", ["1x4x4"], "1x2x1"),  # b alone
        ("device-mean", ["2x4x2"], "2x1x1"),  # two processes, a row each
        ("microbatch-mean", ["1x4x4"], "1x1x2"),
        ("last-microbatch", ["1x4x4"], "1x1x2"),
    ],
)
def test_the_first_is_the_smallest_that_can_show_the_rule(rule: str, shown_in: list[str], first: str) -> None:
    assert tried(rule, *shown_in)[0] == first


def test_batches_grow_and_stay_small() -> None:
    sizes = [Split.parse(label).global_batch_size for label in tried("token-mean*k", "1x4x4")]
    assert sizes == sorted(sizes)
    assert min(sizes) >= 2
    assert max(sizes) == LARGEST


def test_one_process_comes_before_several() -> None:
    processes = [Split.parse(label).num_processes for label in tried("token-mean*k*n", "1x4x4", "2x4x2")]
    assert processes == sorted(processes)
    assert set(processes) == {1, 2}


def test_a_rule_of_accumulation_is_not_looked_for_without_accumulation() -> None:
    assert all(Split.parse(label).gradient_accumulation_steps > 1 for label in tried("token-mean*k", "1x4x4"))


def test_a_rule_that_only_processes_show_is_not_looked_for_in_one() -> None:
    assert tried("device-mean", "1x4x4") == []

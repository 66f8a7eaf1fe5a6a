"""Binary search over releases: how many are tried, which, and what is left where some cannot answer."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from accumcheck.compare.search import Search

TEN = [f"1.{number}" for number in range(10)]


def run(releases: list[str], answer: Callable[[str], bool | None]) -> tuple[Search, list[str]]:
    search, tried = Search(releases), []
    while (release := search.next()) is not None:
        assert release not in tried, "a release is tried once"
        tried.append(release)
        search.tell(release, answer(release))
    return search, tried


@pytest.mark.parametrize("first", range(1, 10))
def test_every_change_is_found_in_few_steps(first: int) -> None:
    search, tried = run(TEN, lambda release: TEN.index(release) >= first)
    assert search.candidates == (TEN[first],)
    assert search.before == TEN[first - 1]
    assert len(tried) <= math.ceil(math.log2(9))


def test_two_neighbours_need_no_step() -> None:
    search, tried = run(["4.48.3", "4.49.0"], lambda _: True)
    assert (tried, search.candidates) == ([], ("4.49.0",))


def test_the_middle_is_tried_first_and_the_rest_is_counted() -> None:
    search = Search(TEN)
    assert (search.left, search.steps) == (8, 4)
    assert search.next() == "1.4"
    search.tell("1.4", False)
    assert (search.left, search.steps) == (4, 3)
    assert search.next() == "1.6"


def test_of_a_release_that_cannot_answer_the_neighbours_are_tried() -> None:
    search, tried = run(TEN, lambda release: None if release in ("1.4", "1.5") else TEN.index(release) >= 7)
    assert search.candidates == ("1.7",)
    assert tried[:3] == ["1.4", "1.5", "1.3"]


def test_where_only_skipped_releases_are_left_all_of_them_are_candidates() -> None:
    search, tried = run(TEN, lambda release: None if release in ("1.4", "1.5") else TEN.index(release) > 5)
    assert search.candidates == ("1.4", "1.5", "1.6")
    assert search.before == "1.3"
    assert set(tried) == {"1.3", "1.4", "1.5", "1.6"}


def test_where_every_release_is_skipped_the_search_ends() -> None:
    search, tried = run(TEN, lambda _: None)
    assert sorted(tried) == TEN[1:-1]
    assert search.candidates == tuple(TEN[1:])


def test_what_is_known_already_narrows_the_search() -> None:
    search = Search(TEN)
    search.tell("1.2", False)
    search.tell("1.1", False)  # told late: it must not widen the search again
    search.tell("1.5", True)
    assert search.candidates == ("1.3", "1.4", "1.5")

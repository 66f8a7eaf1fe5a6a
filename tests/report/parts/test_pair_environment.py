"""In which packages two sides differ, those that train first."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.record import Report
from accumcheck.report.parts.pair import environment_words
from tests.report.comparisons import pair, same_splits


def having(packages: dict[str, str]) -> Report:
    report = same_splits()
    return replace(report, environment=replace(report.environment, packages=packages))


def words(old: dict[str, str], new: dict[str, str]) -> str:
    return environment_words(pair(having(old), having(new)))


def test_packages_that_train_come_first() -> None:
    old = {"aiohttp": "1", "trl": "0.15.2", "zlib": "1", "accelerate": "1.3.0"}
    new = {"aiohttp": "2", "trl": "0.13.0", "zlib": "1", "accelerate": "1.3.0", "rich": "14"}
    assert words(old, new) == "differs only in trl 0.15.2 -> 0.13.0, aiohttp 1 -> 2, rich none -> 14"


def test_of_many_the_rest_are_counted() -> None:
    old = {f"p{at}": "1" for at in range(9)} | {"transformers": "4"}
    new = {f"p{at}": "2" for at in range(9)} | {"transformers": "5"}
    told = words(old, new)
    assert told.startswith("differs in transformers 4 -> 5, p0 1 -> 2, ")
    assert told.endswith("p6 1 -> 2 and 2 more")


def test_nothing_is_said_that_is_not_known() -> None:
    assert words({}, {"a": "1"}) == ""
    assert words({"a": "1"}, {"a": "1"}) == "no package differs"

"""Names of weighting rules: written, read, and refused where they are none."""

from __future__ import annotations

import re

import pytest

from accumcheck.record import Split
from accumcheck.record.rule import PATTERN, Rule, Window, is_rule

HALF = Window("window-geometric", 0.5)
NAMES = {
    "token-mean": Rule("token-mean"),
    "microbatch-mean*k": Rule("microbatch-mean", k_power=1),
    "microbatch-mean*k*n": Rule("microbatch-mean", k_power=1, n_power=1),
    "device-mean*k/n": Rule("device-mean", k_power=1, n_power=-1),
    "token-mean/b": Rule("token-mean", b_power=-1),
    "token-mean*n/k": Rule("token-mean", k_power=-1, n_power=1),
    "last-microbatch": Rule("token-mean", window=Window("last-microbatch")),
    "first-microbatch/k": Rule("token-mean", k_power=-1, window=Window("first-microbatch")),
    "window-geometric(0.5)": Rule("token-mean", window=HALF),
    "microbatch-mean*window-geometric(0.5)*n": Rule("microbatch-mean", n_power=1, window=HALF),
    "sample-mean*window-partial": Rule("sample-mean", window=Window("window-partial")),
    "dropped-samples": Rule("dropped-samples"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_and_written(name: str) -> None:
    assert Rule.parse(name) == NAMES[name]
    assert str(NAMES[name]) == name
    assert re.search(PATTERN, name)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("token-mean*n*k", "token-mean*k*n"),
        ("device-mean/n*k", "device-mean*k/n"),
        ("token-mean*last-microbatch", "last-microbatch"),
    ],
)
def test_one_rule_has_one_name(written: str, name: str) -> None:
    assert str(Rule.parse(written)) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "k",
            "*k",
            "tokenmean",
            "token-mean*",
            "token-mean**k",
            "token-mean*3",
            "token-mean*k*k",
            "token-mean*k/k",
        ),
        *("token-meanlast-microbatch", "*last-microbatch", "last-microbatch*token-mean", "last-microbatch(2)"),
        *("window-geometric()", "window-geometric(x)", "window-geometric(0.5", "dropped-samples*k", "unexplained/n"),
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    assert not is_rule(name)
    assert not re.search(PATTERN, name)
    with pytest.raises(ValueError, match="is not a weighting rule"):
        Rule.parse(name)


def test_a_number_in_a_name_is_short() -> None:
    assert str(Rule("token-mean", window=Window("window-geometric", 2 / 3))) == "window-geometric(0.667)"


@pytest.mark.parametrize(
    ("rule", "split", "within"),
    [
        ("token-mean*k*n", "1x2x4", "token-mean*k"),
        ("token-mean*k*n", "2x2x1", "token-mean*n"),
        ("token-mean/b", "2x1x4", "token-mean"),
        ("microbatch-mean*last-microbatch*n", "4x8x1", "microbatch-mean*n"),
        ("last-microbatch", "1x4x2", "last-microbatch"),
    ],
)
def test_a_factor_that_is_one_in_a_split_is_none_there(rule: str, split: str, within: str) -> None:
    assert str(Rule.parse(rule).within(Split.parse(split))) == within


def test_factors_are_those_of_the_split() -> None:
    assert Rule.parse("token-mean*k/n").factor(Split(4, 16, 2)) == 0.5
    assert Rule.parse("token-mean/b").factor(Split(4, 16, 2)) == 1 / 16


def test_a_name_without_a_number_means_any() -> None:
    any_ratio, half = Rule.parse("window-geometric"), Rule.parse("window-geometric(0.5)")
    assert any_ratio.matches(half)
    assert half.matches(half)
    assert not half.matches(Rule.parse("window-geometric(0.6)"))
    assert not any_ratio.matches(Rule.parse("window-geometric(0.5)*k"))

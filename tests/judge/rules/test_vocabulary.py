"""The names of rules that configurations know, and the judge's rows, are one vocabulary."""

from __future__ import annotations

from accumcheck.judge.rules.bases import BASE_ROWS
from accumcheck.judge.rules.family import FAMILY, OF_K_AND_N
from accumcheck.judge.rules.windows import WINDOW_ROWS
from accumcheck.judge.rules.words import meaning
from accumcheck.record.rule import BASES, OTHERS, WINDOWS, Rule


def test_every_name_has_a_row_in_the_order_of_preference() -> None:
    assert tuple(BASE_ROWS) == (*BASES, *OTHERS)
    assert tuple(WINDOW_ROWS) == WINDOWS
    assert [name for name, row in BASE_ROWS.items() if row.weights is None] == list(OTHERS)


def test_the_family_begins_with_what_has_no_factor_and_ends_with_powers_of_b() -> None:
    assert len(OF_K_AND_N) == 6 * 3 * 3
    assert len(FAMILY) == 6 * 3 * 3 * 3
    assert [str(rule) for rule in FAMILY[:6]] == list(BASES)
    assert not any(rule.b_power for rule in FAMILY[: len(OF_K_AND_N)])


def test_every_rule_has_words() -> None:
    assert meaning(Rule("token-mean")) == "every predicted token of the global batch weighs the same"
    for rule in [*FAMILY, *map(Rule, OTHERS), *(Rule.parse(name) for name in WINDOWS)]:
        assert meaning(rule)

"""The configuration's severity keys and the judge's rules are one vocabulary."""

from __future__ import annotations

from accumcheck.config.values import RULE_BASES, RULE_OTHERS
from accumcheck.judge.findings import meaning
from accumcheck.judge.rules import BASES, FAMILY


def test_the_configuration_knows_the_judges_bases() -> None:
    assert tuple(RULE_BASES) == BASES
    assert len(FAMILY) == 6 * 3 * 3


def test_every_rule_has_words() -> None:
    assert meaning("token-mean") == "every predicted token of the global batch weighs the same"
    for name in [*map(str, FAMILY), *RULE_OTHERS]:
        assert meaning(name)

"""What tells the bad end from the good one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from accumcheck.compare.badness import Badness, badness_between
from accumcheck.errors import ConfigError
from tests.compare.ladder import failing, passing
from tests.report import examples


def test_without_more_a_release_is_bad_where_the_check_fails() -> None:
    assert badness_between(passing(), failing("device-mean"), None) == Badness()
    assert Badness().of(failing("token-mean*k")) is True
    assert Badness().of(passing("unshifted-token-mean")) is False
    assert Badness().of(examples.undecided()) is None


def test_where_both_ends_fail_by_different_rules_the_rules_tell() -> None:
    badness = badness_between(failing("microbatch-mean"), failing("microbatch-mean*k"), None)
    assert str(badness) == "the check fails with microbatch-mean*k"
    assert badness.of(failing("microbatch-mean*k")) is True
    assert badness.of(failing("microbatch-mean")) is False
    assert badness.of(failing("microbatch-mean*k", "microbatch-mean")) is False
    assert badness.of(passing()) is False
    assert badness.of(examples.undecided()) is None


def test_a_run_that_passes_is_not_bad_by_a_rule_that_it_happens_to_follow() -> None:
    badness = badness_between(failing("device-mean"), failing("token-mean"), None)
    assert badness.of(failing("token-mean")) is True
    assert badness.of(passing("token-mean")) is False


def test_a_rule_that_the_user_names_tells_whatever_the_verdict() -> None:
    rule = "unshifted-token-mean"
    badness = badness_between(passing(), passing(rule), rule)
    assert badness.of(passing(rule)) is True
    assert badness.of(failing("device-mean", rule)) is True  # of the gradient alone
    assert badness.of(failing("device-mean")) is False
    assert badness.of(replace(failing("device-mean"), alternatives={"loss": [rule], "gradient": []})) is True
    assert str(badness) == "loss or gradient follows unshifted-token-mean"


@pytest.mark.parametrize(
    ("good", "bad", "rule", "said"),
    [
        (passing(), passing(), None, "the --bad end is not bad; found under --good: pass (token-mean)"),
        (passing(), passing("unshifted-token-mean"), None, "give the rule to look for with --rule"),
        (failing("device-mean"), failing("device-mean"), None, "fails like the --bad end"),
        (failing("device-mean"), passing(), None, "the ends are swapped"),
        (passing(), failing("device-mean"), "token-mean*k", "--rule token-mean*k: the --bad end does not follow it"),
        (failing("device-mean"), failing("device-mean"), "device-mean", "the --good end follows it"),
    ],
)
def test_ends_that_do_not_differ_are_refused(good: object, bad: object, rule: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        badness_between(good, bad, rule)  # type: ignore[arg-type]

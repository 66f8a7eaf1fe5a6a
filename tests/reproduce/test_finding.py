"""Which finding is taken, and what a script says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.errors import ConfigError
from accumcheck.record import Finding
from accumcheck.reproduce.finding import chosen, heading, rules_of, splits_of
from tests.report.runs import clean
from tests.reproduce.subjects import report

WARNS = Finding("padding", "warn", ("4x16x2",), "a warning")
NOTE = Finding("note", "ignore", (), "a note")


def test_the_first_that_fails_comes_before_those_that_warn() -> None:
    made = report()
    (fails,) = made.findings
    assert chosen(replace(made, findings=(NOTE, WARNS, fails)), None) == fails
    assert chosen(replace(made, findings=(NOTE, WARNS)), None) == WARNS


def test_a_finding_is_chosen_by_its_id() -> None:
    made = replace(report(), findings=(*report().findings, WARNS))
    assert chosen(made, "padding") == WARNS
    with pytest.raises(ConfigError, match="--finding other: no such finding; the report has: token-mean\\*k, padding"):
        chosen(made, "other")


def test_a_report_that_passes_has_nothing_to_reproduce() -> None:
    with pytest.raises(ConfigError, match="no finding that fails or warns"):
        chosen(clean(), None)


def test_rules_are_each_named_once_and_the_right_one_never() -> None:
    (fails,) = report().findings
    assert [str(rule) for rule in rules_of(fails)] == ["token-mean*k"]
    assert [str(rule) for rule in rules_of(replace(fails, loss_rule="token-mean"))] == ["token-mean*k"]
    assert rules_of(WARNS) == []


def test_a_finding_about_the_whole_run_is_about_every_split() -> None:
    made = report()
    (fails,) = made.findings
    assert [str(one) for one in splits_of(fails, made)] == ["4x16x2", "4x1x32"]
    assert [str(one) for one in splits_of(NOTE, made)] == [str(one.split) for one in made.splits]


def test_a_script_says_what_is_wrong_with_which_versions_and_where() -> None:
    made = report()
    said = heading(made.findings[0], made)
    assert said.summary.endswith("follows the weighting token-mean*k: loss 2.00, 32.0 times the reference's")
    assert "transformers 4.49.0" in said.versions
    assert said.source == "transformers/models/bert/modeling_bert.py:1126"
    assert said.known == "https://example.org/47688"


def test_a_fault_that_no_rule_explains_is_said_by_its_numbers_alone() -> None:
    made = report()
    unexplained = replace(made.findings[0], id="unexplained", loss_rule="unexplained", gradient_rule="unexplained")
    assert "weighting" not in heading(unexplained, made).summary

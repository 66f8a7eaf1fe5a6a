"""A run with a hot-fix beside what it was without: in the table, in Markdown, and in JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from jsonschema import Draft202012Validator

from accumcheck.record import Before, Divergence, Report, SplitBefore
from accumcheck.report.parts.before import before_rows
from accumcheck.saved.reports import report_from_json, report_schema, report_to_json
from tests.report import examples, written


def cured() -> Report:
    report = examples.clean()
    labels = [str(split.split) for split in report.splits]
    splits = tuple(
        SplitBefore(label, "fail", "token-mean*k", "token-mean*k", Divergence(1.0, 1.0, 3.25)) for label in labels
    )
    before = Before("token-mean", "a gather.", "fail", 1, "token-mean*k", "token-mean*k", splits)
    return replace(report, config={**report.config, "hotfix": "token-mean"}, before=before)


def test_the_table_names_the_hot_fix_what_it_changes_and_its_price() -> None:
    told = written.text(cured(), "table")
    assert "hot-fix token-mean" in told.split("\n\n")[0]
    assert "without and with the hot-fix token-mean\n" in told
    assert "hot-fix      token-mean: fail -> pass; loss token-mean*k -> token-mean" in told
    assert "cost         a gather." in told
    assert max(map(len, told.splitlines())) <= 80


def test_each_split_stands_beside_what_it_was() -> None:
    report = cured()
    rows = [[cell.text for cell in row] for row in before_rows(report)]
    assert [row[:4] for row in rows] == [[str(split.split), "3.25", "token-mean*k", "FAIL"] for split in report.splits]
    assert {row[5] for row in rows} == {"pass"}
    assert before_rows(examples.clean()) == []


def test_a_split_that_is_no_more_is_shown_as_missing() -> None:
    report = cured()
    (first, *_) = before_rows(replace(report, splits=report.splits[1:]))
    assert first[5].text == "missing"


def test_markdown_has_the_table() -> None:
    assert (
        "### Hot-fix\n\nwithout and with the hot-fix token-mean\n\n| split | without: gradient error |"
        in written.text(cured(), "markdown")
    )


def test_json_holds_what_was_and_gives_it_back() -> None:
    report = cured()
    assert report.before is not None
    odd = replace(report.before.splits[0], worst=Divergence(math.inf, None, 2.0))
    report = replace(report, before=replace(report.before, splits=(odd,)))
    text = report_to_json(report)
    Draft202012Validator(report_schema()).validate(json.loads(text))
    assert report_from_json(text).before == report.before
    assert report_from_json(report_to_json(examples.clean())).before is None

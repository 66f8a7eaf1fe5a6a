"""A survey in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest
import xmlschema
from jsonschema import Draft202012Validator

from accumcheck.errors import ConfigError
from accumcheck.record.survey import Survey
from accumcheck.report.documents.survey import SurveyDocument
from accumcheck.report.parts.survey_lines import class_line
from accumcheck.saved.surveys import read_survey, survey_schema
from accumcheck.survey.changes import compared
from tests.report.written import text as written
from tests.report.written import write
from tests.survey.made import failing, mixed, survey, surveyed


def changed() -> Survey:
    found = mixed()
    return replace(found, compared=compared("old.json", survey(surveyed(failing().name)), found.classes))


def test_a_line_for_each_class() -> None:
    assert class_line(surveyed()) == "LlamaForCausalLM                                 pass         token-mean"
    assert class_line(failing()) == "BertForTokenClassification                       FAIL         microbatch-mean*k"
    assert class_line(surveyed("X", "not checked")) == (
        "X                                                not checked  unsupported: no samples <b>"
    )


def test_the_text_has_a_line_for_each_class_and_the_counts() -> None:
    lines = written(mixed(), "table").splitlines()
    assert lines[0].split() == ["BertForTokenClassification", "FAIL", "microbatch-mean*k"]
    rows = [line.split() for line in lines]
    assert ["causal-lm", "1", "1", "1", "0", "0"] in rows
    assert ["token-classification", "1", "1", "0", "0", "1"] in rows
    assert ["things", "1", "0", "0", "0", "0"] in rows
    assert ["all", "3", "2", "1", "0", "1"] in rows
    assert ["1", "unsupported"] in rows
    assert lines[-1] == (
        "fail: 3 classes: 2 checked (1 pass, 1 fail), 1 not checked (1 unsupported) (exit code 1: divergence)"
    )


def test_what_changed_is_said() -> None:
    assert "  broken: BertForTokenClassification (pass, token-mean -> fail, microbatch-mean*k)" in written(
        changed(),
        "table",
    )
    assert "pass, token-mean" in written(changed(), "markdown")


def test_a_survey_in_which_nothing_got_worse_says_so_beside_what_fails() -> None:
    same = survey(failing())
    old = compared("old.json", survey(failing()), same.classes)
    assert written(replace(same, compared=old), "table").splitlines()[-1] == (
        "pass: no class got worse; 1 class: 1 checked (1 fail), 0 not checked (exit code 0: passed)"
    )
    assert "no class got worse" not in written(survey(surveyed()), "table")
    assert "no class got worse" not in written(replace(changed(), exit_code=1), "table")


def test_json_satisfies_its_schema_and_is_read_back(tmp_path: Path) -> None:
    schema = survey_schema()
    Draft202012Validator.check_schema(schema)
    for made in (mixed(), changed(), survey(exit_code=3)):
        Draft202012Validator(schema).validate(json.loads(written(made, "json")))
        write(made, tmp_path / "survey.json")
        assert read_survey(tmp_path / "survey.json") == made


def test_json_has_the_keys_that_others_read() -> None:
    plain = json.loads(written(mixed(), "json"))
    assert plain["splits"] == ["1x8x1", "1x1x8"]
    assert plain["summary"]["by_rule"] == {"microbatch-mean*k": 1, "token-mean": 1}
    assert plain["summary"]["by_reason"] == {"unsupported": 1}
    assert (plain["summary"]["checked"], plain["summary"]["not_checked"]) == (2, 1)
    fields = "name model_type task verdict loss_rule gradient_rule reason_kind reason duration_seconds findings"
    assert set(fields.split()) <= set(plain["classes"][0])
    assert [one["verdict"] for one in plain["classes"]] == ["fail", "pass", "not checked"]


@pytest.mark.parametrize("text", ["{}", "[]", '{"classes": [], "schema_version": "9.0"}', "not json"])
def test_what_is_no_survey_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "survey.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"survey\.json: "):
        read_survey(path)


def test_the_page_is_html_in_which_every_text_is_escaped() -> None:
    page = written(changed(), "html")
    html5lib.HTMLParser(strict=True).parse(page)
    assert "no samples &lt;b&gt;" in page
    assert "no samples <b>" not in page


def test_junit_skips_what_was_not_checked_and_never_passes_as_a_whole_then() -> None:
    for made, last in ((mixed(), ["failure"]), (survey(surveyed("X", "not checked"), exit_code=3), ["error"])):
        text = written(made, "junit")
        xmlschema.XMLSchema(str(Path(__file__).parents[1] / "formats" / "junit.xsd")).validate(text)
        cases = list(ElementTree.fromstring(text).iter("testcase"))
        assert [child.tag for child in cases[-1]] == last
    kinds = [
        [child.tag for child in case] for case in ElementTree.fromstring(written(mixed(), "junit")).iter("testcase")
    ]
    assert kinds[:-1] == [["failure"], ["system-out"], ["skipped"]]
    passed = ElementTree.fromstring(written(survey(surveyed()), "junit"))
    assert {child.tag for case in passed.iter("testcase") for child in case} == {"system-out"}


def test_annotations_name_what_fails_and_what_is_undecided() -> None:
    assert [one.message for one in SurveyDocument(mixed()).annotations()] == [
        "BertForTokenClassification: microbatch-mean*k"
    ]
    (one,) = SurveyDocument(survey(surveyed("X", "not checked"), exit_code=3)).annotations()
    assert (one.level, one.title) == ("error", "accumcheck survey")
    assert SurveyDocument(survey(surveyed())).annotations() == []

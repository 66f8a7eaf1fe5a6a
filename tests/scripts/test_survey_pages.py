"""The pages of surveys."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import html5lib
import pytest
from survey_pages import page_of, readme_of, rows_of, safe_since, surveys_in

from accumcheck.record import Environment
from accumcheck.record.survey import Survey, SurveyedClass
from tests.report.written import write
from tests.survey.made import failing, survey, surveyed

NAME = failing().name


def under(release: str, *classes: SurveyedClass) -> Survey:
    return replace(survey(*classes), environment=Environment(transformers=release))


@pytest.fixture
def surveys(tmp_path: Path) -> dict[str, Survey]:
    for one in (under("5.24.0", failing(), surveyed()), under("4.49.0", surveyed(NAME, task="token-classification"))):
        write(one, tmp_path / f"transformers-{one.environment.transformers}.json")
    return surveys_in(tmp_path)


def test_releases_are_in_their_order(surveys: dict[str, Survey]) -> None:
    assert list(surveys) == ["4.49.0", "5.24.0"]


def test_a_class_has_a_verdict_for_each_release_that_has_it(surveys: dict[str, Survey]) -> None:
    first, second = rows_of(surveys)
    assert first["name"] == NAME
    assert first["in"] == {"4.49.0": ["pass", "token-mean"], "5.24.0": ["fail", "microbatch-mean*k"]}
    assert second["in"] == {"5.24.0": ["pass", "token-mean"]}
    assert (first["since"], second["since"]) == ("", "5.24.0")


@pytest.mark.parametrize(
    ("verdicts", "since"),
    [("pass pass", "1"), ("fail pass", "2"), ("pass fail", ""), ("pass fail pass", "3"), ("warn", "1"), ("fail", "")],
)
def test_safe_since_the_first_release_after_the_last_failure(verdicts: str, since: str) -> None:
    known = {str(number): surveyed("A", one) for number, one in enumerate(verdicts.split(), start=1)}
    assert safe_since(known) == since


def test_the_page_holds_the_rows_and_nothing_that_ends_its_script(surveys: dict[str, Survey]) -> None:
    hostile = surveyed("X", "not checked", reason="</script><b>")
    page = page_of({**surveys, "6.0": under("6.0", hostile)})
    html5lib.HTMLParser(strict=True).parse(page)
    assert page.count("</script>") == 1
    data = json.loads(re.search(r"const found = (.*);\n", page).group(1))  # type: ignore[union-attr]
    assert data["releases"] == ["4.49.0", "5.24.0", "6.0"]
    assert data["rows"][-1]["in"]["6.0"] == ["not checked", "unsupported: </script><b>"]


def test_the_summary_counts_by_release_and_task(surveys: dict[str, Survey]) -> None:
    text = readme_of(surveys)
    assert "| [5.24.0](transformers-5.24.0.json) | 2 | 2 | 1 | 0 | 1 | 0 |" in text
    assert "| token-classification | 1 | 1 | 0 | 0 | 1 |" in text
    assert "in any checked class of these tasks: causal-lm." in text
    assert "They depend on it in every checked class of: token-classification." in text

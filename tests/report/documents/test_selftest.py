"""Outcomes in every format; the cases are held against reports made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest
import xmlschema
from markdown_it import MarkdownIt

from accumcheck.cli import main
from accumcheck.selftest.cases import CLEAN, FAULTY
from accumcheck.selftest.run import Outcome, outcome_of
from tests.report import examples
from tests.report.written import text

SUM_OF_MEANS = next(case for case in FAULTY if case.name == "sum of means")
FOUND = examples.llava_449()
GUILTY = replace(SUM_OF_MEANS, accused=tuple(str(one.split) for one in FOUND.splits if one.verdict == "fail"))
CAUGHT = outcome_of(
    GUILTY,
    replace(FOUND, findings=(replace(FOUND.findings[0], id="microbatch-mean*k", splits=GUILTY.accused),)),
)
MISSED = outcome_of(SUM_OF_MEANS, examples.clean())
SOUND = outcome_of(CLEAN[0], examples.clean())
UNDECIDED = outcome_of(CLEAN[1], examples.undecided())
OUTCOMES: list[Outcome] = [CAUGHT, MISSED, SOUND, UNDECIDED]


def test_table() -> None:
    lines = text(OUTCOMES, "table").splitlines()
    assert lines[0].startswith("planted: the fault, or nothing. named: ")
    head = lines.index("planted                    verdict named                             accused ok")
    assert lines[head + 2 : head + 6] == [
        "sum of means               fail    microbatch-mean*k                 yes     yes",
        "sum of means               pass    token-mean                        no      NO",
        "nothing: float32           pass    token-mean                                yes",
        "nothing: float64           error   token-mean                                NO",
    ]
    assert lines[head + 7] == "caught 1 of 2, named 1 of 2, accused 1 of 2, false alarms 1 of 2"
    assert lines[head + 8] == (
        "NO  sum of means: found pass, loss token-mean, gradient token-mean; expected loss microbatch-mean*k, gradient "
        "microbatch-mean*k"
    )
    assert lines[head + 9].startswith("    expected exactly these splits to be found wrong: ")
    assert "    4x8x4: process 2 ended with exit code 1: OutOfMemoryError: CUDA out of memory" in lines


def test_a_fault_is_shown_under_its_own_name_where_the_run_has_no_rule() -> None:
    nameless = replace(CAUGHT, report=replace(CAUGHT.report, loss_rule="unexplained", gradient_rule=None))
    assert "microbatch-mean*k" in text([nameless], "table")
    seen = replace(nameless, case=replace(GUILTY, loss_rule=None, gradient_rule=None, finding="samples-differ"))
    assert "samples-differ" in text([seen], "table")


def test_json() -> None:
    assert [one["held"] for one in json.loads(text(OUTCOMES, "json"))] == [True, False, True, False]


def test_junit() -> None:
    schema = xmlschema.XMLSchema(str(Path(examples.__file__).parent / "formats" / "junit.xsd"))
    schema.validate(text(OUTCOMES, "junit"))
    schema.validate(text([], "junit"))
    cases = list(ElementTree.fromstring(text(OUTCOMES, "junit")).iter("testcase"))
    assert [[child.tag for child in case] for case in cases] == [[], ["failure"], [], ["error"]]
    assert cases[3][0].attrib["message"].startswith("found error, loss token-mean, gradient token-mean; expected pass")
    assert "OutOfMemoryError" in (cases[3][0].text or "")


def test_markdown() -> None:
    page = html5lib.parse(MarkdownIt("commonmark").enable("table").render(text(OUTCOMES, "markdown")))
    rows = [["".join(cell.itertext()) for cell in row] for row in page.iter("{http://www.w3.org/1999/xhtml}tr")]
    assert rows[0] == ["planted", "verdict", "named", "accused", "ok"]
    assert rows[1] == ["sum of means", "fail", "microbatch-mean*k", "yes", "yes"]
    assert rows[2][-1] == "NO"
    assert "Failed cases" in "".join(page.itertext())
    assert "Failed cases" not in text([CAUGHT, SOUND], "markdown")


def test_github() -> None:
    *annotations, last = text(OUTCOMES, "github").splitlines()
    assert [line.split("::")[1] for line in annotations] == [
        "error title=accumcheck selftest%3A sum of means",
        "error title=accumcheck selftest%3A nothing%3A float64",
    ]
    assert last == "fail: caught 1 of 2, named 1 of 2, accused 1 of 2, false alarms 1 of 2 (exit code 1)"
    assert text([CAUGHT, SOUND], "github") == (
        "pass: caught 1 of 1, named 1 of 1, accused 1 of 1, false alarms 0 of 1 (exit code 0)\n"
    )


@pytest.mark.parametrize(("outcomes", "word"), [(OUTCOMES, "fail"), ([CAUGHT, SOUND], "pass")])
def test_html(outcomes: list[Outcome], word: str) -> None:
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text(outcomes, "html"))
    assert "".join(next(page.iter("title")).itertext()).lower() == f"{word}: accumcheck selftest"
    assert len(list(page.iter("tr"))) == 1 + len(outcomes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "pdf"], "--format pdf: no such format; use table, github, json, junit, markdown or sarif"),
        (["-o", "x.p"], "x.p: no report format has the extension .p; use .txt, .html, .json, .xml, .md or .sarif"),
    ],
)
def test_usage_errors_are_said_before_anything_runs(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["selftest", *arguments]) == 2
    assert capsys.readouterr() == ("", f"{message}\n")

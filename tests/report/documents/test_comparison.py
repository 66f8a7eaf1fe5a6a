"""Two reports beside each other in every format."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest
import xmlschema
from jsonschema import Draft202012Validator

from accumcheck.record.comparison import Comparison
from accumcheck.saved.comparisons import comparison_schema
from tests.report import comparisons as examples
from tests.report import examples as reports
from tests.report.written import show, write
from tests.report.written import text as written

JUNIT = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "formats" / "junit.xsd"))
every = pytest.mark.parametrize("make", examples.EVERY)


def test_the_table_of_one_check() -> None:
    assert (
        written(examples.drifting(), "table")
        == """\
accumcheck upgrade: transformers 5.23.0 -> 4.49.0

LlavaForConditionalGeneration (shrunk), 1.24M parameters, float32, from
llava-hf/llava-1.5-7b-hf
transformers 5.23.0, accelerate 1.11.0, torch 2.13.0, cpu, 41 s and 41 s

          5.23.0  gradient            4.49.0  gradient
split       loss     error  verdict     loss     error  verdict
---------------------------------------------------------------
1x128x1  3.1e-08   5.2e-08  pass     3.1e-08   5.2e-08  pass
4x16x2   3.1e-08   5.2e-08  pass     3.1e-08   5.2e-08  pass
4x8x4    3.1e-08   5.2e-08  pass     3.1e-08   5.2e-08  pass
8x1x16   3.1e-08   5.2e-08  pass     3.1e-08   5.2e-08  pass
4x1x32   3.1e-08   5.2e-08  pass     3.1e-08   5.2e-08  pass

split: processes x per-device batch x accumulation steps. loss, gradient error:
against the reference of the same side, the largest difference of all steps.

verdict      pass
weighting    loss and gradient token-mean
worst        gradient error 5.2e-08
reference    DRIFTS: loss 10.83 -> 10.94 (x 1.01), gradient norm 1.234 -> 1.234
             (0), step 1 (allowed 2.0e-06 and 3.0e-06)

fail: the reference drifts: the same weights and data give a different loss or
gradient under transformers 4.49.0 (exit code 1: drift)
"""
    )


def test_a_split_that_did_not_run_or_is_not_there_has_no_numbers() -> None:
    lines = written(examples.undecided(), "table").splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if "x" in line.split(" ")[0][:4]}
    assert rows["4x8x4"] == ["3.1e-08", "5.2e-08", "pass", "-", "-", "ERROR"]
    assert rows["4x1x32"] == ["3.1e-08", "5.2e-08", "pass", "-", "-", "missing"]
    assert rows["8x16x1"] == ["-", "-", "missing", "-", "-", "skipped"]


def test_several_checks_have_a_line_each_and_details_of_what_failed() -> None:
    text = written(examples.several(), "table")
    lines = text.splitlines()
    assert [line.split() for line in lines[4:7]] == [
        ["configs/a.yaml", "pass", "pass", "token-mean", "same", "pass"],
        ["configs/b.yaml", "pass", "FAIL", "token-mean", "->", "microbatch-mean*k", "same", "FAIL"],
        ["configs/c.yaml", "pass", "ERROR", "token-mean", "same", "undecided"],
    ]
    assert text.count("configs/a.yaml") == 1
    assert lines.count("configs/b.yaml") == lines.count("configs/c.yaml") == 1
    assert lines[-1] == "fail: 3 configurations: 1 worse, 1 could not be decided, 1 passes (exit code 1)"


def test_on_a_page_texts_that_may_be_long_are_broken_into_lines() -> None:
    page = written(examples.several(), "html")
    assert '<th role="rowheader" scope="row" class="wraps">configs/b.yaml</th>' in page
    assert 'class="left  wraps" data-label="weighting">token-mean -&gt; microbatch-mean*k</td>' in page


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(comparison_schema())


@every
def test_json_satisfies_its_schema_and_holds_both_reports(make: Callable[[], Comparison]) -> None:
    comparison = make()
    plain = json.loads(written(comparison, "json"))
    Draft202012Validator(comparison_schema()).validate(plain)
    assert list(plain) == [
        "schema_version",
        "from",
        "to",
        "allow_drift",
        "allow_missing",
        "strict",
        "title",
        "gate",
        "package",
        "results",
        "exit_code",
    ]
    for result, pair in zip(plain["results"], comparison.pairs, strict=True):
        assert list(result) == ["config", "exit_code", "from", "to", "changes"]
        assert (result["from"]["verdict"], result["to"]["verdict"]) == (pair.old.verdict, pair.new.verdict)


def test_json_says_what_changed() -> None:
    (result,) = json.loads(written(examples.broken(), "json"))["results"]
    changes = result["changes"]
    assert changes["broken"] is True
    assert changes["gradient_rule"] == {"from": "token-mean", "to": "microbatch-mean*k"}
    assert changes["findings_new"] == ["weighting-rule"]
    assert changes["reference"]["drifts"] is False
    (result,) = json.loads(written(examples.drifting(), "json"))["results"]
    assert result["changes"]["reference"]["drifts"] is True
    assert result["changes"]["reference"]["loss"] == pytest.approx(0.01)


def test_json_of_what_is_no_number_satisfies_its_schema() -> None:
    comparison = examples.comparison(examples.pair(reports.clean(), reports.not_a_number()))
    plain = json.loads(written(comparison, "json"))
    Draft202012Validator(comparison_schema()).validate(plain)
    assert plain["results"][0]["changes"]["worst"]["to"]["loss"] == "NaN"


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (examples.broken(), ["passed", "failure", "failure", "failure", "failure", "passed"]),
        (examples.fixed(), ["passed"] * 6),
        (examples.drifting(), ["passed"] * 5 + ["failure"]),
        (examples.drifting(allow_drift=True), ["passed"] * 6),
        (examples.failing_in_both(), ["passed", "failure", "failure", "failure", "failure", "passed"]),
        (examples.failing_in_both(strict=False), ["passed"] * 6),
        (examples.undecided(), ["passed", "passed", "error", "skipped", "passed"]),
    ],
)
def test_junit_has_a_case_for_every_split_and_one_for_the_reference(
    comparison: Comparison, expected: list[str]
) -> None:
    suite = ElementTree.fromstring(written(comparison, "junit")).find("testsuite")
    assert suite is not None
    found = []
    for case in suite.findall("testcase"):
        ended = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found.append(ended[0] if ended else "passed")
    assert found == expected
    assert suite.findall("testcase")[-1].get("name") == "check reference"


@every
def test_junit_satisfies_its_schema(make: Callable[[], Comparison]) -> None:
    JUNIT.validate(written(make(), "junit"))


def test_junit_never_passes_what_could_not_be_decided() -> None:
    # under the old release it did not run: no case of the new one says so
    comparison = examples.comparison(examples.pair(reports.undecided(), examples.same_splits()))
    assert comparison.exit_code == 3
    suite = ElementTree.fromstring(written(comparison, "junit")).find("testsuite")
    assert suite is not None
    assert suite.get("errors") == "1"
    assert suite.findall("testcase")[-1].get("name") == "check run"


def test_github_points_at_the_configurations_lines() -> None:
    lines = written(examples.several(), "github").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("::error file=configs/b.yaml,line=7,title=accumcheck configs/b.yaml::fail: fails under ")
    assert lines[1].startswith(
        "::error file=configs/c.yaml,line=7,title=accumcheck configs/c.yaml::could not be decided"
    )
    assert lines[2] == "fail: 3 configurations: 1 worse, 1 could not be decided, 1 passes (exit code 1)"
    assert written(examples.fixed(), "github").startswith("pass: ")


def test_github_also_writes_the_summary_of_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    show(examples.broken(), "github", io.StringIO())
    assert (
        (tmp_path / "summary.md").read_text().startswith("## accumcheck upgrade: transformers 5.23.0 -\\> 4.49.0: fail")
    )


def test_markdown_has_a_table_with_a_column_for_each_side() -> None:
    text = written(examples.broken(), "markdown")
    head = "| split | 5.23.0 loss | 5.23.0 gradient error | 5.23.0 verdict | 4.49.0 loss | 4.49.0 gradient error |"
    assert head in text
    assert "| **4x1x32** | 3.1e-08 | 5.2e-08 | pass | x 31.96 | 36.0 | **FAIL** |" in text
    assert "- **weighting:** loss and gradient token-mean -\\> microbatch-mean\\*k" in text


@every
def test_html_is_a_page_that_a_browser_finds_nothing_wrong_with(make: Callable[[], Comparison]) -> None:
    comparison = make()
    text = written(comparison, "html")
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    assert page.find(".//h1") is not None
    assert "src=" not in text
    for pair in comparison.pairs:
        assert pair.config in text


def test_html_escapes_what_reports_hold() -> None:
    old, new = examples.same_splits(), reports.llava_449()
    new = replace(new, findings=(replace(new.findings[0], summary="<script>alert(1)</script>"),))
    assert "<script>alert" not in written(examples.comparison(examples.pair(old, new)), "html")


@pytest.mark.parametrize("ending", ["json", "txt", "xml", "md", "html"])
def test_files_are_written_by_their_endings(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"upgrade.{ending}"
    write(examples.broken(), path)
    assert path.read_text().strip()


def test_on_standard_output_the_table_is_plain_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    show(examples.broken(), "table", stream)
    assert stream.getvalue() == written(examples.broken(), "table")
    assert "\x1b" not in stream.getvalue()

"""``accumcheck show``: a saved report of every subject reads as it did when the command that wrote it ended."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accumcheck import __version__
from accumcheck.cli import main
from accumcheck.record import Report
from accumcheck.record.bisection import Bisection
from accumcheck.record.comparison import Comparison
from accumcheck.report.registry import EXTENSIONS, OUTPUT_FORMATS
from tests.report import comparisons, examples
from tests.report.documents.test_bisection import broken, fixed, undecided
from tests.report.documents.test_selftest import OUTCOMES
from tests.report.written import Record, shown, text, write
from tests.survey.made import survey

SUBJECTS: dict[str, Record] = {
    "check": examples.llava_449(),
    "check that passes": examples.clean(),
    "upgrade": comparisons.broken(),
    "upgrade of several": comparisons.comparison(*comparisons.broken().pairs, *comparisons.fixed().pairs),
    "compare": comparisons.fewer_splits(),
    "compare that may miss": comparisons.fewer_splits(allow_missing=True),
    "bisect": broken(),
    "bisect that found a fix": fixed(),
    "bisect that found several": undecided(),
    "survey": survey(),
    "selftest": OUTCOMES,
}
subject = pytest.mark.parametrize("record", SUBJECTS.values(), ids=SUBJECTS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, outside of any CI system."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return tmp_path


@pytest.mark.parametrize("format_", OUTPUT_FORMATS)
@subject
def test_standard_output_is_that_of_the_command_that_wrote_it(
    record: Record, format_: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(record, folder / "saved.json")
    assert main(["show", "saved.json", "--format", format_]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    due = shown(record, format_)
    if format_ == "json":
        assert json.loads(captured.out) == json.loads(due)
    else:
        assert captured.out == due


@subject
def test_files_are_those_of_the_command_that_wrote_it(record: Record, folder: Path) -> None:
    write(record, folder / "saved.json")
    names = [*(f"again{ending}" for ending in EXTENSIONS), "comment.md"]
    assert main(["show", "saved.json", *(word for name in names for word in ("-o", name))]) == 0
    for ending, name in EXTENSIONS.items():
        found, due = (folder / f"again{ending}").read_text(encoding="utf-8"), text(record, name)
        assert json.loads(found) == json.loads(due) if name == "json" else found == due
    assert (folder / "comment.md").read_text(encoding="utf-8") == text(record, "comment")


def test_tolerances_are_explained_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(examples.clean(), folder / "clean.json")
    write(broken(), folder / "search.json")
    assert main(["show", "clean.json", "--explain-tolerances"]) == 0
    assert capsys.readouterr().out == shown(examples.clean(), "table", explain_tolerances=True)
    assert main(["show", "search.json", "--explain-tolerances"]) == 2
    assert capsys.readouterr().err == "search.json: --explain-tolerances is for a report of accumcheck run only\n"


OTHERS = [
    ("none.json", None, "none.json: cannot be read: No such file or directory"),
    (
        "no.json",
        "{",
        "no.json: found JSON that ends in the middle (line 1), expected a saved report in JSON; the file is ",
    ),
    ("other.json", '{"answer": 42}', "other.json: found a JSON object with the key answer, expected a saved report in"),
    ("text.json", '"a"', "text.json: found a JSON text, expected a saved report in JSON; give a file written by "),
    ("list.json", "[1]", "list.json: found a JSON list, expected a saved report in JSON; give a file written by accum"),
    (
        "check.yaml",
        "stack: trainer\n",
        "check.yaml: found a configuration (YAML), expected a saved report in JSON; to ",
    ),
    ("empty.json", '{"schema_version": "1.0"}', "empty.json: accumcheck_version: found nothing, expected a text\n"),
]


@pytest.mark.parametrize(("name", "content", "words"), OTHERS)
def test_what_is_not_a_report_is_a_usage_error(
    name: str, content: str | None, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (folder / name).write_text(content)
    assert main(["show", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(words)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[{"case": "nothing"}]',
            [
                "saved.json: [0].clean: found nothing, expected true or false",
                "saved.json: [0]: the file is damaged or was changed; write it again with accumcheck selftest "
                "-o FILE.json",
            ],
        ),
        (
            '{"schema_version": "1.0", "classes": []}',
            ["saved.json: the file is damaged or was changed; write it again with accumcheck survey -o FILE.json"],
        ),
    ],
)
def test_a_damaged_file_says_what_is_missing_and_what_to_do(
    text: str, told: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "saved.json").write_text(text)
    assert main(["show", "saved.json"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert set(told) <= set(lines), lines
    assert all(line.startswith("saved.json: ") for line in lines)


NAMES = {"check": "a report", "upgrade": "a comparison", "bisect": "a search", "survey": "a survey"}


@pytest.mark.parametrize("name", NAMES)
def test_a_newer_schema_is_told(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(SUBJECTS[name], folder, schema_version="2.0", accumcheck_version="9.8.7")
    assert main(["show", "saved.json"]) == 2
    found = f"found {NAMES[name]} of schema version 2.0, written by accumcheck 9.8.7"
    told = f"saved.json: {found}; accumcheck {__version__} reads versions 1.x; read it with a newer accumcheck\n"
    assert capsys.readouterr().err == told


def test_a_newer_self_test_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = [{**one, "schema_version": "2.0"} for one in json.loads(text(OUTCOMES, "json"))]
    (folder / "saved.json").write_text(json.dumps(cases))
    assert main(["show", "saved.json"]) == 2
    assert "found a self-test of schema version 2.0; accumcheck" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("check", {"verdict": "pass"}, "verdict: found pass"),
        ("upgrade", {"exit_code": 0}, "exit_code: found 0, but the reports give 1"),
        ("upgrade", {"results": []}, "results: found none, expected at least one"),
        ("bisect", {"exit_code": 3}, "found: found 4.49.0 with exit code 3, but candidates has 1"),
        ("bisect", {"candidates": []}, "candidates: found none, expected at least one"),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(
    name: str, changes: dict[str, Any], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(SUBJECTS[name], folder, **changes)
    assert main(["show", "saved.json"]) == 2
    assert words in capsys.readouterr().err


def test_a_report_inside_that_contradicts_itself_is_refused_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison, search = comparisons.broken(), broken()
    assert isinstance(comparison, Comparison)
    assert isinstance(search, Bisection)
    pair = comparison.pairs[0]
    wrong: Report = replace(pair.old, verdict="fail")
    write(replace(comparison, pairs=(replace(pair, old=wrong),)), folder / "one.json")
    assert main(["show", "one.json"]) == 2
    assert capsys.readouterr().err.startswith("one.json: results[0].from.verdict: found fail")
    assert search.after.report is not None
    wrong = replace(search.after.report, verdict="pass")
    write(replace(search, after=replace(search.after, report=wrong)), folder / "two.json")
    assert main(["show", "two.json"]) == 2
    assert capsys.readouterr().err.startswith("two.json: after.report.")


def test_an_older_search_and_an_older_self_test_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(text(broken(), "json"))
    for step in found["steps"]:
        for key in ("exit_code", "started_at", "left", "steps_left"):
            del step[key]
    (folder / "search.json").write_text(json.dumps(found))
    assert main(["show", "search.json", "-o", "search.xml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "4.48.3    other    fail   microbatch-mean (1 min 18 s)"
    assert lines[-1] == "first bad release: 4.49.0"
    cases = json.loads(text(OUTCOMES, "json"))
    for one in cases:
        for key in ("expected_finding", "why", "started_at", "schema_version"):
            del one[key]
    (folder / "selftest.json").write_text(json.dumps(cases))
    assert main(["show", "selftest.json"]) == 0
    assert "NO  sum of means: found pass, loss token-mean, gradient token-mean" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["-f", "pdf"], ["-o", "report.pdf"], ["-o", "no/report.md"]])
def test_formats_that_do_not_exist_and_files_that_cannot_be_written(
    arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(examples.clean(), folder / "saved.json")
    assert main(["show", "saved.json", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "format" in captured.err or "does not exist" in captured.err


def change(record: Record, folder: Path, **changes: Any) -> None:
    """Save a record with other values."""
    (folder / "saved.json").write_text(json.dumps({**json.loads(text(record, "json")), **changes}))

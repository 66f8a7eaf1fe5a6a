"""A file that is not the report that a command reads: found, expected, and what to do, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accumcheck.errors import ConfigError
from accumcheck.saved.json_file import read_json
from accumcheck.saved.kinds import ANY, CHECK, COMPARISON, SEARCH, SELFTEST, SURVEY, Kind, kind_of

GIVE = "; give a file written by accumcheck run with -o FILE.json"


def refusal(tmp_path: Path, text: str, expected: Kind = CHECK, name: str = "given.json") -> str:
    """What is said of a file, without its folder."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_json(path, expected)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    assert len(said.splitlines()) == 1
    return said.replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "an empty file"),
        (" \n\n", "an empty file"),
        ("<!DOCTYPE html>\n<html>", "an HTML page"),
        ("\n<html lang=en>", "an HTML page"),
        ('<?xml version="1.0"?><testsuites/>', "XML, such as a JUnit report"),
        ("<svg/>", "markup"),
        ("name: ci\non: push\n", "YAML"),
        ("## fail: 1 split\n\ntext", "a text that is not JSON"),
        ('{"a": 1}\n{"b": 2}\n', "more than one JSON value (the second begins in line 2)"),
        ('{"a": 1,\n "b": 2 "c": 3}', "JSON with an error in line 2, column 9 (Expecting ',' delimiter)"),
        ("[]", "an empty JSON list"),
        ("[1]", "a JSON list"),
        ("{}", "an empty JSON object"),
        ('{"a": 1, "b": 2, "c": 3, "d": 4}', "a JSON object with the keys a, b, c and 1 more"),
        ('"a"', "a JSON text"),
        ("null", "null"),
        ('{"$schema": "s", "version": "2.1.0", "runs": []}', "a SARIF report"),
        ('{"config": {}, "plan": {}}', "the plan of accumcheck validate"),
    ],
)
def test_what_is_no_report_is_named(text: str, found: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == f"given.json: found {found}, expected a report of accumcheck run in JSON{GIVE}"


def test_a_report_that_was_cut_off_is_to_be_written_again(tmp_path: Path) -> None:
    numbers = [-1.5, 2e-07, 30, True, False, None]
    whole = json.dumps(
        {"schema_version": "1.0", "title": 'Gr\u00f6\u00dfe \\ "a"', "splits": [{"loss": numbers}]}, indent=2
    )
    for length in range(1, len(whole) - 1):
        said = refusal(tmp_path, whole[:length])
        assert said.startswith("given.json: found JSON that ends in the middle (line "), whole[:length]
        assert said.endswith(f"; the file is incomplete: write it again, or {GIVE[2:]}")


def test_a_configuration_is_to_be_run_first(tmp_path: Path) -> None:
    text = "# ours\nmodel: {name_or_path: m}\nglobal_batch_size: 8\n"
    for expected in (CHECK, ANY):
        said = refusal(tmp_path, text, expected, "check.yaml")
        assert said.startswith("check.yaml: found a configuration (YAML), expected ")
        assert said.rpartition("; ")[2].startswith("to make one, use accumcheck run ")
        assert said.endswith("check.yaml -o report.json")
    assert "use accumcheck run '" in refusal(tmp_path, text, CHECK, "our check.yaml")
    assert refusal(tmp_path, text, SURVEY).endswith("; give a file written by accumcheck survey with -o FILE.json")


REPORTS = {
    '{"schema_version": "1.0"}': CHECK,
    '{"schema_version": "1.0", "results": []}': COMPARISON,
    '{"schema_version": "1.0", "candidates": []}': SEARCH,
    '{"schema_version": "1.0", "classes": []}': SURVEY,
    '[{"case": "nothing"}]': SELFTEST,
}


@pytest.mark.parametrize(("text", "kind"), REPORTS.items())
def test_a_report_of_another_kind_is_named_and_can_be_shown(text: str, kind: Kind, tmp_path: Path) -> None:
    assert kind_of(json.loads(text)) == kind
    (tmp_path / "right.json").write_text(text)
    assert read_json(tmp_path / "right.json", kind) == read_json(tmp_path / "right.json", ANY) == json.loads(text)
    other = SURVEY if kind == CHECK else CHECK
    said = refusal(tmp_path, text, other)
    assert said.startswith(f"given.json: found {kind.name}, expected {other.name} in JSON; give a file written by ")
    assert said.endswith("given.json shows this one)")


def test_a_file_that_cannot_be_read_says_what_was_expected(tmp_path: Path) -> None:
    written = "expected a report of accumcheck run in JSON, written by accumcheck run with -o FILE.json"
    (tmp_path / "binary.json").write_bytes(b"\x89PNG\xff")
    for name, found in (
        ("", "is a folder, not a file"),
        ("none.json", "cannot be read: No such file or directory"),
        ("binary.json", "not UTF-8 text, but binary or in another encoding"),
    ):
        with pytest.raises(ConfigError) as refused:
            read_json(tmp_path / name, CHECK)
        assert str(refused.value) == f"{tmp_path / name}: {found}; {written}"

"""A saved report, read back from its file; and files that hold none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from accumcheck.errors import ConfigError
from accumcheck.saved.reports import read_report
from tests.report import examples
from tests.report.written import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from accumcheck.record import Report

FINITE = [examples.clean, examples.llava_449, examples.undecided, examples.with_trajectory]


@pytest.mark.parametrize("report", FINITE)
def test_a_report_comes_back_as_it_was_written(report: Callable[[], Report], tmp_path: Path) -> None:
    write(report(), tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report()


def test_numbers_that_are_not_finite_come_back(tmp_path: Path) -> None:
    report = examples.not_a_number()
    write(report, tmp_path / "report.json")
    found = read_report(tmp_path / "report.json")
    step = found.splits[1].steps[1]
    assert step.loss is not None
    assert math.isnan(step.loss)
    assert step.grad_norm == math.inf


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found an empty file, expected a report of accumcheck run in JSON; give a file written by accumcheck run"),
        ("{", "found JSON that ends in the middle (line 1), expected"),
        ("[]", "found an empty JSON list, expected"),
        ('{"version": 1}', "found a JSON object with the key version, expected"),
        ('{"schema_version": "2.0"}', "found a report of schema version 2.0; accumcheck "),
        ('{"schema_version": 1}', "not a report: expected a JSON object with schema_version"),
    ],
)
def test_a_file_that_holds_no_report_is_named_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_report(path)
    assert str(refused.value).startswith(f"{path}: {said}")
    assert len(str(refused.value).splitlines()) == 1


def test_a_report_in_which_something_is_of_another_kind_is_no_report(tmp_path: Path) -> None:
    write(examples.clean(), tmp_path / "report.json")
    plain = json.loads((tmp_path / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps({**plain, "splits": [7]}))
    with pytest.raises(ConfigError, match=r"report\.json: splits\[0\]: found 7, expected an object"):
        read_report(tmp_path / "report.json")


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read: No such file"):
        read_report(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="is a folder, not a file"):
        read_report(tmp_path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.json: not UTF-8 text"):
        read_report(tmp_path / "binary.json")

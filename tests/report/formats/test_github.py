"""Annotations and the step's summary: what GitHub's runner reads, and nothing that a log could forge."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from accumcheck.record import ConfigFile
from accumcheck.report.document import Annotation
from accumcheck.report.formats.github import SUMMARY, command
from tests.report import examples, written

if TYPE_CHECKING:
    from accumcheck.record import Report

text = partial(written.text, name="github")
markdown = partial(written.text, name="markdown")
COMMAND = re.compile(r"::(?P<level>\w+)(?: (?P<properties>[^:]*))?::(?P<message>.*)")


@pytest.fixture(autouse=True)
def _outside_of_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (SUMMARY, "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner reads it: level, properties, message."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    properties = {}
    for one in (found["properties"] or "").split(","):
        name, _, value = one.partition("=")
        properties[name] = value.replace("%2C", ",").replace("%3A", ":").replace("%0A", "\n").replace("%25", "%")
    return found["level"], properties, found["message"].replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")


def commands(report: Report) -> list[tuple[str, dict[str, str], str]]:
    *lines, _ = text(report).splitlines()
    return [read(line) for line in lines]


def at_lines(report: Report, **lines: int) -> Report:
    splits = {name.removeprefix("s"): line for name, line in lines.items()}
    return replace(report, config_file=ConfigFile("checks/llava.yaml", 5, splits))


def test_one_annotation_for_every_line_on_which_diverging_splits_stand() -> None:
    report = at_lines(examples.llava_449(), s1x128x1=6, s4x16x2=7, s4x8x4=8, s8x1x16=9, s4x1x32=9)
    found = commands(report)
    assert [(level, one["file"], one["line"], one["title"]) for level, one, _ in found] == [
        ("error", "checks/llava.yaml", "7", "accumcheck 4x16x2"),
        ("error", "checks/llava.yaml", "8", "accumcheck 4x8x4"),
        ("error", "checks/llava.yaml", "9", "accumcheck 4x16x2, 4x8x4, 8x1x16, 4x1x32"),
    ]
    assert {message.split(":")[0] for *_, message in found} == {"4x16x2, 4x8x4, 8x1x16, 4x1x32"}
    assert "\nThe losses of the micro-batches are summed" in found[0][2]


def test_splits_without_lines_of_their_own_stand_on_that_of_all() -> None:
    ((level, properties, _),) = commands(at_lines(examples.llava_449()))
    assert (level, properties["line"]) == ("error", "5")
    ((_, properties, _),) = commands(examples.llava_449())
    assert set(properties) == {"title"}


def test_the_last_line_is_the_verdict() -> None:
    assert text(examples.clean()) == "pass: 3 of 3 splits agree with the reference (exit code 0)\n"
    assert text(examples.llava_449()).endswith("\nfail: 4 of 5 splits diverge (exit code 1: divergence)\n")


def test_errors_and_what_was_skipped_are_errors_until_that_is_allowed() -> None:
    assert [(level, one["title"]) for level, one, _ in commands(examples.undecided())] == [
        ("error", "accumcheck 4x8x4"),
        ("error", "accumcheck 8x16x1, 8x1x16"),
    ]
    assert [level for level, *_ in commands(examples.skipped(allowed=True))] == ["warning"]
    assert [level for level, *_ in commands(examples.no_reference())] == ["error"]
    assert [level for level, *_ in commands(examples.no_model())] == ["error"]


def test_warnings_are_warnings_and_errors_under_strict() -> None:
    assert [level for level, *_ in commands(examples.warned())] == ["warning", "warning"]
    assert [level for level, *_ in commands(examples.warned(strict=True))] == ["error", "error"]


def test_errors_come_first() -> None:
    report = examples.llava_449()
    both = replace(report, findings=(*examples.warned().findings, *report.findings))
    assert [level for level, *_ in commands(both)] == ["error", "warning", "warning"]


def test_a_run_that_failed_without_a_finding_has_an_error() -> None:
    ((level, _, message),) = commands(replace(examples.llava_449(), findings=()))
    assert (level, message) == ("error", "fail: 4 of 5 splits diverge (exit code 1: divergence)")


def test_no_text_forges_a_command_or_a_property() -> None:
    report = examples.hostile()
    lines = text(report).splitlines()
    assert len(lines) == 4  # a split's reason, two findings, the verdict
    assert lines[-1] == "fail: 1 of 3 splits diverges, 1 could not run (exit code 1: divergence)"
    for line in lines[:-1]:
        level, properties, message = read(line)
        assert level == "error"
        assert list(properties) == ["file", "line", "title"]
        assert properties["file"] == "a,b:c%/<check>.yaml"
        assert examples.HOSTILE in message
        assert "\n::error title=forged::forged\n" in message  # as text, after the message's own ::
        assert "\x1b" not in line
    assert [read(line)[1]["line"] for line in lines[:-1]] == ["3", "7", "3"]


def test_escapes() -> None:
    made = command(Annotation("warning", "rule", "x: y, 5%\n", "50%: a,b\r\nc", "a,b:c.yaml", 3))
    assert made == ("::warning file=a%2Cb%3Ac.yaml,line=3,title=x%3A y%2C 5%25%0A::50%25: a,b%0Ac")


def test_no_secret_is_in_it() -> None:
    assert "hf_open" not in text(examples.hostile()) + markdown(examples.hostile())


def test_paths_are_those_of_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checks").mkdir()
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path / "checks")
    for named in ("llava.yaml", str(tmp_path / "checks" / "llava.yaml")):
        report = replace(examples.llava_449(), config_file=ConfigFile(named, 5))
        assert commands(report)[0][1]["file"] == "checks/llava.yaml"
    outside = replace(examples.llava_449(), config_file=ConfigFile("/elsewhere/llava.yaml", 5))
    assert commands(outside)[0][1]["file"] == "/elsewhere/llava.yaml"


def test_the_summary_is_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv(SUMMARY, str(summary))
    stream = io.StringIO()
    written.show(examples.llava_449(), "github", stream)
    assert stream.getvalue() == text(examples.llava_449())
    assert summary.read_text() == f"before\n{markdown(examples.llava_449())}\n"


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SUMMARY, str(tmp_path / "none" / "summary.md"))
    stream = io.StringIO()
    written.show(examples.clean(), "github", stream)
    assert stream.getvalue().splitlines()[1] == (
        "::warning title=accumcheck::the step's summary was not written: No such file or directory"
    )

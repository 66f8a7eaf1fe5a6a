"""Of a program: the smallest configuration in which a run still has the finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.errors import ConfigError
from accumcheck.record import Finding, Report
from accumcheck.reproduce.case import NotReproducedError
from accumcheck.reproduce.issue import issue_of_program
from accumcheck.reproduce.programs import configuration_of, shrunk_configuration
from tests.report.runs import clean, llava_449

CHECK = """
stack: script
script: {path: train.py, arguments: [--batch, '{b}', --accumulate, '{k}', --rate, 1e-4]}
global_batch_size: 128
steps: 3
splits: [1x128x1, 4x16x2, 4x8x4, 8x1x16, 4x1x32]
"""
FINDING = Finding(
    "token-mean*k",
    "fail",
    ("4x16x2",),
    loss_rule="token-mean*k",
    gradient_rule="token-mean*k",
    summary="twice the loss",
)


@contextmanager
def lend(_: Report, say: Callable[[str], None]) -> Iterator[str]:
    say("an environment")
    yield "python"


@pytest.fixture
def report(tmp_path: Path) -> Report:
    (tmp_path / "train.py").write_text("")
    (tmp_path / "check.yaml").write_text(CHECK)
    plain = load_config(tmp_path / "check.yaml").to_dict()
    return replace(llava_449(), config=plain, findings=(FINDING,))


def runs(monkeypatch: pytest.MonkeyPatch, shows: Callable[[CheckConfig], bool]) -> list[CheckConfig]:
    """Every run has the finding where `shows` says so."""
    made: list[CheckConfig] = []

    def run_check(check: CheckConfig, *, python: str) -> Report:
        assert python == "python"
        made.append(check)
        found = (replace(FINDING, splits=()),) if shows(check) else ()
        return replace(clean(), findings=found)

    monkeypatch.setattr("accumcheck.reproduce.programs.run_check", run_check)
    return made


def test_the_smallest_split_is_kept_and_its_configuration_is_valid(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = runs(monkeypatch, lambda _: True)
    said: list[str] = []
    found = shrunk_configuration(report, FINDING, environment=lend, say=said.append)
    assert said == ["an environment", "1x2x1, 1x1x2: shows it"]
    (tmp_path / "small.yaml").write_text(found.text)
    read = load_config(tmp_path / "small.yaml")
    assert (read.steps, read.global_batch_size, [str(one) for one in read.splits or ()]) == (1, 2, ["1x2x1", "1x1x2"])
    assert read == made[0]
    assert found.text.splitlines()[0] == "# accumcheck run FILE finds: twice the loss"


def test_what_does_not_show_it_is_passed_over_and_the_reports_own_split_comes_last(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = runs(monkeypatch, lambda check: check.global_batch_size == 128)
    shrunk_configuration(report, FINDING, environment=lend, say=lambda _: None)
    assert [one.global_batch_size for one in made[:2]] == [2, 4]
    assert [str(one) for one in made[-1].splits or ()] == ["1x128x1", "4x16x2"]
    assert made[-1].steps == 1


def test_another_finding_does_not_count(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Finding("samples-differ", "fail", (), "other samples")
    monkeypatch.setattr(
        "accumcheck.reproduce.programs.run_check", lambda _, python: replace(clean(), findings=(other,))
    )
    with pytest.raises(NotReproducedError):
        shrunk_configuration(report, FINDING, environment=lend, say=lambda _: None)


def test_where_nothing_shows_it_the_attempts_are_named(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, lambda _: False)
    with pytest.raises(NotReproducedError, match="no smaller configuration shows it; tried 1x2x1, 1x1x2; "):
        shrunk_configuration(report, FINDING, environment=lend, say=lambda _: None)


def test_the_issue_has_the_configuration_and_says_what_was_found(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(monkeypatch, lambda _: True)
    small = shrunk_configuration(report, FINDING, environment=lend, say=lambda _: None)
    text = issue_of_program(FINDING, report, small)
    assert text.startswith("# Splits of one global batch differ: token-mean*k\n")
    assert f"```yaml\n{small.text.rstrip()}\n```" in text


def test_a_configuration_that_is_not_valid_is_refused(report: Report) -> None:
    wrong = {**report.config, "steps": 0, "unknown_key": 1}
    with pytest.raises(ConfigError, match="the report's configuration"):
        configuration_of(replace(report, config=wrong))

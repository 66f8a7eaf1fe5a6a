"""``accumcheck bisect`` over a small index on this machine; what a check comes to under each release is made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest

from accumcheck.cli import main
from accumcheck.compare import trial
from accumcheck.config.model import CheckConfig
from accumcheck.environments import Request
from accumcheck.errors import LaunchError
from accumcheck.record import Report
from accumcheck.saved.bisections import bisection_schema as schema
from tests.compare.ladder import failing, passing
from tests.environments.conftest import local_index
from tests.environments.local_index import LocalIndex

__all__ = ["local_index"]


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "check.yaml"
    path.write_text("model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n")
    return str(path)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The releases under which the check was run; it fails from 4.49.0 on. No environment is built.

    A release that a test puts in with ``never`` before it cannot be had.
    """
    releases: list[str] = []

    @contextmanager
    def environments(requests: Sequence[Request], *, say: Callable[[str], None]) -> Iterator[list[str]]:
        versions = [request.pins[0].version for request in requests]
        if len(versions) == 1 and f"never {versions[0]}" in releases:
            raise LaunchError("no wheel for this Python")
        yield versions

    def run_check(check: CheckConfig, *, on_event: Callable[..., None], python: str) -> Report:
        releases.append(python)
        return passing() if python == "4.48.3" else failing("microbatch-mean*k")

    monkeypatch.setattr(trial, "environments", environments)
    monkeypatch.setattr(trial, "run_check", run_check)
    return releases


def test_the_first_bad_release_is_the_last_line(
    local_index: LocalIndex, config: str, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # between the ends stand 4.49.0 and what must not be tried: one that is yanked, one for another Python
    assert main(["bisect", config, "--good", "4.48.3", "--bad", "4.50.1"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "first bad release: 4.49.0"
    assert ran == ["4.48.3", "4.50.1", "4.49.0"]
    lines = captured.err.splitlines()
    assert lines[0] == "bad means: the check fails"
    assert [line.split()[:3] for line in lines[1:]] == [
        ["4.48.3", "good", "pass"],
        ["4.50.1", "bad", "fail"],
        ["4.49.0", "bad", "fail"],
    ]
    assert lines[-1].endswith("none left)")


def test_the_search_is_written_to_files_and_the_last_line_stays(
    local_index: LocalIndex, config: str, ran: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / f"search.{ending}" for ending in ("json", "md", "txt", "html")]
    outputs = [word for file in files for word in ("-o", str(file))]
    assert main(["bisect", config, "--good", "4.48.3", "--bad", "4.50.1", *outputs]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "first bad release: 4.49.0"
    plain = json.loads(files[0].read_text())
    jsonschema.validate(plain, schema())
    assert (plain["config"], plain["found"]) == (config, "4.49.0")
    assert [(step["release"], step["state"]) for step in plain["steps"]] == [
        ("4.48.3", "good"),
        ("4.50.1", "bad"),
        ("4.49.0", "bad"),
    ]
    assert files[1].read_text().startswith("## accumcheck bisect ")
    assert files[2].read_text().endswith(captured.out)
    assert files[3].read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("options", "first"), [([], "5.0.0"), (["--pre"], "5.0.0rc1")])
def test_prereleases_are_tried_when_asked_for(
    options: list[str],
    first: str,
    local_index: LocalIndex,
    config: str,
    ran: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        trial,
        "run_check",
        lambda *_, python, **__: failing("microbatch-mean*k") if python.startswith("5.") else passing(),
    )
    assert main(["bisect", config, "--good", "4.48.3", "--bad", "5.0.0", *options]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"first bad release: {first}"


def test_a_repeated_command_runs_nothing_again_unless_asked_to(
    local_index: LocalIndex, config: str, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["bisect", config, "--good", "4.48.3", "--bad", "4.50.1"]
    assert main(command) == 0
    first = capsys.readouterr().out
    ran.clear()
    assert main(command) == 0
    captured = capsys.readouterr()
    assert (captured.out, ran) == (first, [])
    assert captured.err.count("kept from an earlier run") == 3
    assert main([*command, "--fresh", "--quiet"]) == 0
    assert len(ran) == 3
    assert capsys.readouterr().err == ""


def test_what_was_found_before_an_interruption_is_kept(
    local_index: LocalIndex,
    config: str,
    ran: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = trial.run_check  # type: ignore[attr-defined]

    def interrupted(check: CheckConfig, *, on_event: Callable[..., None], python: str) -> Report:
        if python == "4.49.0":
            raise KeyboardInterrupt
        return whole(check, on_event=on_event, python=python)

    command = ["bisect", config, "--good", "4.48.3", "--bad", "4.50.1"]
    monkeypatch.setattr(trial, "run_check", interrupted)
    assert main(command) == 130
    assert "the results so far are kept; the same command continues from there" in capsys.readouterr().err
    ran.clear()
    monkeypatch.setattr(trial, "run_check", whole)
    assert main(command) == 0
    assert ran == ["4.49.0"]


def test_a_release_that_cannot_be_had_is_skipped_and_what_is_left_is_listed(
    local_index: LocalIndex, config: str, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ran.append("never 4.49.0")
    assert main(["bisect", config, "--good", "4.48.3", "--bad", "4.50.1"]) == 3
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "first bad release: one of 4.49.0, 4.50.1; the others could not be tried"
    assert "4.49.0    skipped  -      no wheel for this Python" in captured.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--good", "4.48.3"], "Missing option '--bad'"),
        (["--good", "4.48.3", "--bad", "4.49.0", "-o", "a.pdf"], "a.pdf: no report format has the extension .pdf"),
        (["--good", "4.50.1", "--bad", "4.48.3"], "give --find fixed"),
        (["--good", "4.48.3", "--bad", "4.49.0", "--find", "fault"], "--find fault: no such thing to find"),
        (["--good", "4.49.0", "--bad", "4.50.1"], "the --good end is not good"),
        (
            ["--good", "4.48.3", "--bad", "4.49.0", "--rule", "device-mean"],
            "--rule device-mean: the --bad end does not",
        ),
    ],
)
def test_ends_that_cannot_be_searched_between_exit_2(
    local_index: LocalIndex,
    config: str,
    ran: list[str],
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bisect", config, *arguments]) == 2
    captured = capsys.readouterr()
    assert words in " ".join(captured.err.replace("│", " ").split())
    assert captured.out == ""


def test_no_network_is_not_decided(
    local_index: LocalIndex,
    config: str,
    ran: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    assert main(["bisect", config, "--good", "4.48.3", "--bad", "4.50.1"]) == 3
    assert "the package index could not be reached" in capsys.readouterr().err

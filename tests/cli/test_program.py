"""The one place where whatever happens becomes an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
import shellingham

from accumcheck.cli import app, main
from accumcheck.config import schema
from tests.cli.streams import python, run


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("planted"),
        SystemExit(0),
        SystemExit(1),
        EOFError("planted"),
        BrokenPipeError(32, "planted"),
        MemoryError(),
        GeneratorExit(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_fault_of_the_program_itself_reads_as_undecided(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> object:
        raise fault

    monkeypatch.setattr(schema, "config_schema", broken)
    assert main(["schema", "config"]) == 3
    captured = capsys.readouterr()
    assert type(fault).__name__ in captured.err
    assert captured.err.endswith("accumcheck: this is a bug in accumcheck; there is no verdict\n")
    assert captured.out == ""


def test_a_fault_that_cannot_even_be_shown_reads_as_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise MemoryError

    def broken(_: object) -> int:
        raise UnspeakableError

    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(app, "execute", broken)
    monkeypatch.setattr("traceback.print_exc", no_memory)
    assert main([]) == 3


@pytest.mark.e2e
def test_a_package_that_does_not_load_reads_as_undecided(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('planted: a broken installation')")
    ended = run(python("-m", "accumcheck", "--version"), cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert ended.code == 3
    assert "planted: a broken installation" in ended.err


def test_an_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(schema, "config_schema", interrupted)
    assert main(["schema", "config"]) == 130
    assert capsys.readouterr().err == "accumcheck: interrupted; all processes were stopped\n"


def test_what_typer_cannot_do_is_an_error_of_usage_and_no_divergence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown() -> tuple[str, str]:
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", unknown)
    assert main(["--show-completion"]) == 2
    assert "not supported" in capsys.readouterr().err


def test_both_ways_to_start_the_program_name_it_alike(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--nosuch"]) == 2
    assert capsys.readouterr().err.startswith("Usage: accumcheck run ")

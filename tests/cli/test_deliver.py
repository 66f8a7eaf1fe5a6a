"""The end of a command: every file and the report, whatever happens to one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from accumcheck.cli.deliver import deliver
from accumcheck.errors import AccumcheckError


def delivered(code: int, *, full: str = "") -> tuple[int, list[str]]:
    """The exit code, and what was done in order; the file named ``full`` cannot be written."""
    done: list[str] = []

    def write(path: Path) -> None:
        if path.name == full:
            raise AccumcheckError(f"{path}: the report could not be written: No space left on device")
        done.append(path.name)

    with pytest.raises(typer.Exit) as ended:
        deliver(code, lambda: done.append("report"), [Path("a.json"), Path("b.html")], write)
    return ended.value.exit_code, done


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_code_is_the_verdicts(code: int) -> None:
    assert delivered(code) == (code, ["a.json", "b.html", "report"])


@pytest.mark.parametrize(("verdict", "code"), [(0, 3), (1, 1), (3, 3)])
def test_a_file_that_cannot_be_written_takes_away_a_pass_and_nothing_else(
    verdict: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert delivered(verdict, full="a.json") == (code, ["b.html", "report"])
    assert capsys.readouterr().err == ("accumcheck: a.json: the report could not be written: No space left on device\n")

"""What is printed, by whomever."""

from __future__ import annotations

import sys
import traceback

import pytest
import typer
from rich.text import Text

from accumcheck.redaction import redacted_streams
from accumcheck.report.streams import console_for

TOKEN = "hf_" + "a1B2" * 8


def test_nothing_printed_shows_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with redacted_streams():
        print("plain", TOKEN)
        typer.echo(f"echo --hub_token {TOKEN[3:]}")
        typer.echo(f"echo {TOKEN}", err=True)
        console_for(sys.stderr).print(Text(f"rich {TOKEN}"), soft_wrap=True)
        sys.stderr.writelines([f"line {TOKEN}\n"])
        try:
            raise ValueError(f"no login with {TOKEN}")
        except ValueError:
            traceback.print_exc()
    captured = capsys.readouterr()
    assert captured.out == "plain (hidden)\necho --hub_token (hidden)\n"
    assert captured.err.startswith("echo (hidden)\nrich (hidden)\nline (hidden)\nTraceback")
    assert "ValueError: no login with (hidden)" in captured.err
    assert TOKEN not in captured.out + captured.err


def test_the_streams_are_given_back_and_an_absent_one_stays_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    before = sys.stdout
    with redacted_streams():
        assert sys.stderr is None
        assert sys.stdout is not before
        assert sys.stdout.encoding == before.encoding
    assert sys.stdout is before

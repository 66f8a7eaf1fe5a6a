"""Options without a value, in the help of every command."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from accumcheck.cli import main
from accumcheck.cli.app import app


def commands(group: Any, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(group, "commands", {})
    return [words, *(found for name, one in inner.items() for found in commands(one, (*words, name)))]


@pytest.mark.parametrize("words", commands(typer.main.get_command(app)), ids=" ".join)
@pytest.mark.parametrize("name", ["-h", "--help"])
def test_a_flag_is_shown_without_a_type(words: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, name]) == 0
    printed = capsys.readouterr().out
    assert "<bool>" not in printed
    assert re.search(r"--help +-h +Show this message and exit\.", printed)

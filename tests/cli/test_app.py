"""The one place where errors become exit codes."""

from __future__ import annotations

import pytest

from accumcheck.cli import app


def test_a_fault_of_the_program_itself_reads_as_undecided_and_never_as_a_divergence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> int:
        raise RuntimeError("planted")

    monkeypatch.setattr(app, "app", broken)
    assert app.main([]) == 3
    said = capsys.readouterr().err
    assert "RuntimeError: planted" in said
    assert "this is a fault of accumcheck itself; nothing is decided" in said

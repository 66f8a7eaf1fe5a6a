"""``accumcheck upgrade``: what it refuses before anything is built; tests/e2e has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.cli import main

CHECK = "model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["b.yaml"], "Missing option '--to'"),
        (["--to", "4.49.0"], "Missing argument 'CONFIG...'"),
        (["b.yaml", "--to", "next"], "--to next: not a version"),
        (["b.yaml", "--to", "4.49.0", "--from", "4.49"], "there is nothing to compare"),
        (["b.yaml", "--to", "4.49.0", "--with", "torch==2"], "torch cannot be changed"),
        (["b.yaml", "--to", "5.0", "--set", "launcher={nnodes: 2, rdzv_endpoint: 'a:1'}"], "launcher.nnodes: found 2"),
        (["b.yaml", "--to", "4.49.0", "-f", "pdf"], "--format pdf: no such format"),
        (["b.yaml", "--to", "4.49.0", "-o", "a/b.json"], "does not exist"),
    ],
)
def test_usage_errors_exit_2_and_build_nothing(
    tmp_path: Path,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "b.yaml").write_text(CHECK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "cache"))
    assert main(["upgrade", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in " ".join(captured.err.replace("│", " ").split())
    assert captured.out == ""
    assert not (tmp_path / "cache").exists()

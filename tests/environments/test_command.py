"""``accumcheck run --transformers`` where nothing can be run: one message, the right exit code, nothing left."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.cli import main
from tests.environments.local_index import LocalIndex


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "check.yaml"
    path.write_text("model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n")
    return str(path)


def test_a_release_that_does_not_exist_is_a_usage_error_that_names_the_nearest(
    local_index: LocalIndex, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", config, "--quiet", "--transformers", "4.49.7"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("transformers==4.49.7: the package index has no such release")
    assert captured.err.endswith("nearest: 4.49.0 and 4.50.1\n")
    assert captured.out == ""


def test_no_network_cannot_be_decided(
    local_index: LocalIndex, config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    assert main(["run", config, "--quiet", "--transformers", "4.49.0"]) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("accumcheck: the package index could not be reached: ")
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_a_cache_that_cannot_be_written_is_named(
    local_index: LocalIndex,
    config: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "file"))
    assert main(["run", config, "--quiet", "--transformers", "4.49.0"]) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"accumcheck: environments cannot be kept in {tmp_path}/file/environments: ")
    assert "ACCUMCHECK_CACHE" in err

"""``accumcheck environments`` and the options that build them, as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from accumcheck.cli import main
from accumcheck.environments.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Two environments, one of them used long ago by nobody in particular."""
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path))
    found = Shelf()
    for version in ("4.48.3", "4.49.0"):
        place = found.folder / f"transformers-{version}-0123456789"
        place.mkdir(parents=True)
        found.stamp(place, {"releases": {"transformers": version}, "packages": {}, "base": "/usr/bin/python3"})
    return found


def test_list_is_a_table_or_json(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["environments", "list"]) == 0
    out = capsys.readouterr().out
    assert "transformers 4.49.0" in out
    assert out.splitlines()[-1] == f"2 environments, 0 MB in {shelf.folder}"
    assert main(["environments", "list", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {entry["releases"]["transformers"] for entry in listed} == {"4.48.3", "4.49.0"}
    assert all(entry["complete"] and not entry["in_use"] for entry in listed)
    assert main(["environments", "list", "--format", "pdf"]) == 2


def test_prune_says_what_it_removes_and_leaves_what_is_in_use(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["environments", "prune"]) == 0
    assert capsys.readouterr().out == "0 removed, 0 MB freed\n"
    place = shelf.folder / "transformers-4.49.0-0123456789"
    with shelf.lock(place) as user:
        assert user.try_use()
        assert main(["environments", "prune", "--all"]) == 3
    captured = capsys.readouterr()
    assert captured.out == "removed transformers-4.48.3-0123456789\n1 removed, 0 MB freed\n"
    assert captured.err == f"kept {place.name}: a run is using it\n"
    assert main(["environments", "prune", "--older-than", "0"]) == 0
    assert shelf.entries() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--transformers", "foo"], "--transformers foo: not a version"),
        (["--with", "torch==2"], "--with torch==2: torch cannot be changed"),
    ],
)
def test_malformed_releases_are_one_message_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Sequence[str], words: str
) -> None:
    config = tmp_path / "check.yaml"
    config.write_text("model: {config: {model_type: llama}}\nglobal_batch_size: 2\nsplits: [1x2x1]\n")
    assert main(["run", str(config), *options]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(words)
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""

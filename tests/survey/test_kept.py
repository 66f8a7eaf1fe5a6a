"""A survey that goes on where it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.survey.asked import Asked
from accumcheck.survey.kept import Kept

from .made import failing, surveyed


def test_what_was_added_is_read_again_and_half_a_line_is_not(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    Kept(path, "", Asked()).add(surveyed(), failing())
    Kept(path, "", Asked()).add(surveyed("B", "not checked"))
    with path.open("a") as stream:
        stream.write('{"name": "C", "mod')
    known = [surveyed(), failing(), surveyed("B", "not checked")]
    assert Kept(path, "", Asked()).read() == known
    Kept(path, "", Asked()).add(surveyed("C"))
    assert Kept(path, "", Asked()).read() == [*known, surveyed("C")]


def test_nothing_is_known_where_there_is_no_file(tmp_path: Path) -> None:
    assert Kept(tmp_path / "none.jsonl", "", Asked()).read() == []


@pytest.mark.parametrize(("release", "asked"), [("4.49.0", Asked()), ("", Asked(processes=2))])
def test_another_survey_does_not_go_on_from_it(tmp_path: Path, release: str, asked: Asked) -> None:
    path = tmp_path / "kept.jsonl"
    Kept(path, "", Asked()).add(surveyed())
    with pytest.raises(ConfigError, match="give another file"):
        Kept(path, release, asked).read()


@pytest.mark.parametrize("text", ["not json\n", '{"a": 1}\n', '{"survey": "", "splits": ["1x8x1", "1x1x8"]}\n{}\n'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError):
        Kept(path, "", Asked()).read()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(AccumcheckError, match="cannot be written"):
        Kept(tmp_path / "none" / "kept.jsonl", "", Asked()).add(surveyed())

"""Which of the watched files have changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from accumcheck.watch.files import MOST_READ_BYTES, Files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text("a = 1\n", encoding="utf-8")
    return path


def watched(*paths: Path) -> Files:
    files = Files()
    files.add(paths)
    return files


def test_other_content_is_a_change_once(file: Path) -> None:
    files = watched(file)
    assert files.changed() == []
    file.write_text("a = 2\n", encoding="utf-8")
    assert files.changed() == [file]
    assert files.changed() == []


def test_the_same_content_written_again_is_none(file: Path) -> None:
    files = watched(file)
    replaced = file.with_name("other")
    replaced.write_text("a = 1\n", encoding="utf-8")
    os.utime(replaced, (1, 1))
    replaced.replace(file)  # as editors save: another inode, another time
    assert files.changed() == []


def test_a_file_that_goes_and_one_that_comes_are_changes(file: Path) -> None:
    missing = file.with_name("losses.py")
    files = watched(file, missing)
    file.unlink()
    missing.write_text("", encoding="utf-8")
    assert files.changed() == [missing, file]


def test_a_folder_stands_for_the_files_in_it(file: Path) -> None:
    (file.parent / "deeper").mkdir()
    files = watched(file.parent)
    (file.parent / "config.json").write_text("{}", encoding="utf-8")
    (file.parent / ".swap").write_text("", encoding="utf-8")
    (file.parent / "deeper" / "other.py").write_text("", encoding="utf-8")
    assert files.changed() == [file.parent / "config.json"]


def test_a_large_file_is_known_by_its_time(tmp_path: Path) -> None:
    large = tmp_path / "data.jsonl"
    with large.open("wb") as stream:
        stream.truncate(MOST_READ_BYTES + 1)
    files = watched(large)
    assert files.changed() == []
    os.utime(large, (1, 1))
    assert files.changed() == [large]


def test_what_was_written_while_the_run_read_it_is_a_change(file: Path) -> None:
    files = Files()
    files.add([file], since=file.stat().st_mtime - 1)
    assert files.changed() == [file]
    files = Files()
    files.add([file], since=time.time() + 1)
    assert files.changed() == []


def test_a_dropped_file_is_never_watched_again(file: Path) -> None:
    files = watched(file)
    files.drop([file])
    files.add([file])
    file.write_text("a = 2\n", encoding="utf-8")
    assert files.changed() == []

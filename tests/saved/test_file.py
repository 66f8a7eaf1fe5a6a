"""Which files are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from accumcheck.errors import ConfigError
from accumcheck.saved.file import read_text


def test_a_file_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf{}")
    assert read_text(tmp_path / "a.json") == "{}"


def test_a_file_of_the_largest_size_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("x" * 2**20)
    assert len(read_text(tmp_path / "a.json", 2**20)) == 2**20
    (tmp_path / "a.json").write_text("x" * (2**20 + 1))
    with pytest.raises(ConfigError, match=r"a\.json: is larger than 1 MiB"):
        read_text(tmp_path / "a.json", 2**20)


def test_a_pipe_that_nobody_writes_into_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ConfigError, match=r"pipe\.json: is a device or pipe, not a file"):
        read_text(tmp_path / "pipe.json")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.json", "cannot be read: No such file or directory"),
        (".", "is a folder, not a file"),
        ("/dev/zero", "is a device or pipe, not a file"),
        ("a\0b", "cannot be read: embedded null byte"),
    ],
)
def test_what_is_not_a_file_says_so(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        read_text(tmp_path / name)


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"a\.json: not UTF-8 text"):
        read_text(tmp_path / "a.json")

"""Lines that processes append to one file, and one reads while it grows."""

from __future__ import annotations

from pathlib import Path

from accumcheck.runfolder.appended import AppendedLines, append_line


def test_each_line_is_read_once_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "news"
    lines = AppendedLines(path)
    assert list(lines.new()) == []
    append_line(path, "one\n")
    append_line(path, "two\n")
    assert list(lines.new()) == ["one\n", "two\n"]
    append_line(path, "thr")
    assert list(lines.new()) == []
    append_line(path, "ee\n")
    assert list(lines.new()) == ["three\n"]


def test_bytes_that_are_no_text_stop_nobody(tmp_path: Path) -> None:
    path = tmp_path / "news"
    path.write_bytes(b"\xff\xfe\nwhole\n")
    assert [*AppendedLines(path).new()][1:] == ["whole\n"]

"""The weights that the processes of a split start from."""

from __future__ import annotations

from pathlib import Path

from accumcheck.runfolder.starts import read_unlike, write_start


def test_parameters_that_differ_between_processes_are_named(tmp_path: Path) -> None:
    write_start(tmp_path, 0, {"a": 1, "b": 2, "c": 3})
    write_start(tmp_path, 1, {"a": 1, "b": 5, "d": 4})
    assert read_unlike(tmp_path, 2) == ("b", "c", "d")


def test_equal_weights_are_none(tmp_path: Path) -> None:
    for process in range(3):
        write_start(tmp_path, process, {"a": 1})
    assert read_unlike(tmp_path, 3) == ()


def test_a_process_without_a_file_is_left_out(tmp_path: Path) -> None:
    write_start(tmp_path, 1, {"a": 1})
    assert read_unlike(tmp_path, 2) == ()
    assert read_unlike(tmp_path / "elsewhere", 2) == ()

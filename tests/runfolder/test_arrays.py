"""Arrays of a run's folder, read at once or when they are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accumcheck.runfolder.arrays import SMALL, read_array


@pytest.mark.parametrize("entries", [0, 3, SMALL])
def test_an_array_is_what_was_written_even_when_its_file_is_gone(entries: int, tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    due = np.arange(entries, dtype=np.float32)
    np.save(path, due)
    found = read_array(path)
    path.unlink()
    assert type(found) is np.ndarray
    assert found.dtype == due.dtype
    assert np.array_equal(found, due)


def test_a_large_array_takes_no_memory_before_it_is_used(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros(SMALL))
    assert not read_array(tmp_path / "large.npy").flags.writeable


@pytest.mark.parametrize("content", [b"", b"no array"])
def test_what_is_no_array_is_a_value_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "array.npy").write_bytes(content)
    with pytest.raises((ValueError, EOFError)):
        read_array(tmp_path / "array.npy")

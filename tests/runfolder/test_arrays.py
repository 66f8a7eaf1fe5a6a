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


@pytest.mark.parametrize(("entries", "is_mapped"), [(3, False), (SMALL, True)])
def test_a_large_array_takes_no_memory_before_it_is_used_and_none_can_be_changed(
    entries: int, is_mapped: bool, tmp_path: Path
) -> None:
    np.save(tmp_path / "array.npy", np.zeros(entries))
    found = read_array(tmp_path / "array.npy")
    assert isinstance(found.base, np.memmap) == is_mapped
    with pytest.raises(ValueError, match="read-only"):
        found += 1


@pytest.mark.parametrize(
    ("content", "kind"), [(b"", EOFError), (b"no array", ValueError), (b"\x93NUMPY" * 20_000, ValueError)]
)
def test_what_is_no_array_is_an_error(content: bytes, kind: type[Exception], tmp_path: Path) -> None:
    (tmp_path / "array.npy").write_bytes(content)
    with pytest.raises(kind):
        read_array(tmp_path / "array.npy")

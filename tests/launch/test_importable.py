"""What is known of packages from an earlier run, and when it is known no more."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from accumcheck.launch.importable import Importable


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PYTHONPATH with a package in it; the cache folder is another one."""
    folder = tmp_path / "packages"
    (folder / "unused").mkdir(parents=True)
    (folder / "unused" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "unused" / "deep").mkdir()
    (folder / "unused" / "deep" / "module.py").write_text("", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(folder)
    return folder


def of(*names: str, python: str = sys.executable, path: tuple[str, ...] = ()) -> Importable:
    importlib.invalidate_caches()
    return Importable(names, python, path)


def test_what_a_run_has_imported_is_known_from_then_on() -> None:
    assert not of("unused").known
    of("unused").note()
    assert of("unused").known


def _later(file: Path) -> None:
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "another-1.0.dist-info").mkdir(),
        lambda folder: _later(folder / "unused" / "deep" / "module.py"),
        lambda folder: (folder / "unused" / "__init__.py").unlink(),
    ],
    ids=["another package is installed", "a file of it is edited", "a file of it is gone"],
)
def test_after_a_change_nothing_is_known(packages: Path, change: Callable[[Path], None]) -> None:
    of("unused").note()
    change(packages)
    assert not of("unused").known


@pytest.mark.parametrize(
    ("file", "known"), [("trainer.py", False), ("integrations/peft.py", False), ("models/a.py", True)]
)
def test_a_transformers_that_is_edited_may_import_more(
    packages: Path, monkeypatch: pytest.MonkeyPatch, file: str, known: bool
) -> None:
    monkeypatch.delitem(sys.modules, "transformers", raising=False)  # of other tests: its place would be taken from it
    for one in ("__init__.py", "trainer.py", "integrations/peft.py", "models/a.py"):
        path = packages / "transformers" / one
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    of("unused").note()
    _later(packages / "transformers" / file)
    assert of("unused").known is known


def test_it_is_known_of_these_packages_and_this_interpreter_only(monkeypatch: pytest.MonkeyPatch) -> None:
    of("unused").note()
    assert not of("unused", "json").known
    assert not of().known
    for other in (of("unused", python="/elsewhere/python"), of("unused", path=("/elsewhere",))):
        other.note()
        assert not other.known
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert not of("unused").known


def test_where_nothing_can_be_kept_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ACCUMCHECK_CACHE", str(tmp_path / "file"))
    of("unused").note()
    assert not of("unused").known


def test_a_note_that_is_damaged_counts_as_none(tmp_path: Path) -> None:
    of("unused").note()
    (note,) = (tmp_path / "cache" / "imported").iterdir()
    note.write_bytes(b"\xff\xfe")
    assert not of("unused").known

"""Which files count as the user's own."""

from __future__ import annotations

import importlib
import json
import sys
import sysconfig
from pathlib import Path

import pytest

from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.runfolder.imported import NOTE_IMPORTS, Imported, read_imported
from accumcheck.runfolder.job import Job
from accumcheck.work.imports import ImportNotes, is_users

TEXT = "stack: script\nscript: {module: my_train}\nglobal_batch_size: 8\nsplits: [1x8x1]\n"


@pytest.fixture
def check(tmp_path: Path) -> CheckConfig:
    (tmp_path / "check.yaml").write_text(TEXT, encoding="utf-8")
    return load_config(tmp_path / "check.yaml")


@pytest.fixture
def job(tmp_path: Path, check: CheckConfig) -> Job:
    folder = tmp_path / "run" / "1x8x1"
    folder.mkdir(parents=True)
    return Job("1x8x1", 1, folder, check, "cpu", "gloo", (), ())


def write(folder: Path, name: str, text: str = "") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_modules_of_the_user_are_noted_and_those_that_were_there_before_apart(
    tmp_path: Path, job: Job, check: CheckConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NOTE_IMPORTS, "1")
    monkeypatch.syspath_prepend(tmp_path)
    early, late, program = (write(tmp_path, f"my_{name}.py") for name in ("early", "late", "train"))
    importlib.import_module("my_early")
    notes = ImportNotes()
    importlib.import_module("my_late")
    notes.write(job, check, 0)
    found = read_imported(job.run)
    assert {str(early), str(late), str(program)} <= set(found.files)
    assert str(early) in found.preloaded
    assert str(late) not in found.preloaded
    assert not [file for file in found.files if "site-packages" in file or "/accumcheck/" in file]
    for name in ("my_early", "my_late"):
        del sys.modules[name]


def test_files_of_an_error_are_noted_by_any_process(
    tmp_path: Path, job: Job, check: CheckConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NOTE_IMPORTS, "1")
    monkeypatch.syspath_prepend(tmp_path)
    broken = write(tmp_path, "my_broken.py", "def f(:\n")
    raising = write(tmp_path, "my_raising.py", "import my_broken\n")
    notes = ImportNotes()
    notes.write(job, check, 1)
    assert read_imported(job.run) == Imported()
    with pytest.raises(SyntaxError) as raised:
        importlib.import_module("my_raising")
    notes.write(job, check, 1, raised.value)
    assert {str(broken), str(raising)} <= set(read_imported(job.run).files)


def test_nothing_is_noted_unless_it_is_asked_for(job: Job, check: CheckConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NOTE_IMPORTS, raising=False)
    ImportNotes().write(job, check, 0)
    assert list(job.folder.iterdir()) == []


def test_the_standard_library_and_installed_packages_are_not_the_users(tmp_path: Path) -> None:
    assert is_users(str(write(tmp_path, "mine.py")))
    assert not is_users(str(tmp_path / "none.py"))
    assert not is_users(json.__file__)
    assert not is_users(pytest.__file__)
    assert not is_users(str(Path(sysconfig.get_path("stdlib")) / "json" / "decoder.py"))
    assert not is_users("<frozen runpy>")

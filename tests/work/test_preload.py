"""What the fork server imports, and how."""

from __future__ import annotations

import gc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from accumcheck.runfolder.layout import UNUSED
from accumcheck.work import preload as module
from accumcheck.work.preload import leave_out, preload
from accumcheck.work.uncollected import uncollected


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_the_collector_does_not_run_during_imports_and_leaves_their_objects_alone() -> None:
    collections: list[str] = []

    def note(phase: str, _: object) -> None:
        collections.append(phase)

    gc.callbacks.append(note)
    try:
        with uncollected():
            made = [[number] for number in range(100_000)]  # far above the first threshold
            assert collections == []
    finally:
        gc.callbacks.remove(note)
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(made)


def test_the_collector_runs_again_after_an_import_that_fails() -> None:
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()


def test_a_module_that_cannot_be_imported_does_not_keep_others_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks_at_import.py").write_text("raise RuntimeError('no')\n", encoding="utf-8")
    (tmp_path / "imported_after_it.py").write_text("import gc\nCOLLECTED = gc.isenabled()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_all_modules", lambda: iter(["breaks_at_import", "imported_after_it"]))
    preload()
    imported = sys.modules.pop("imported_after_it")
    assert imported.COLLECTED is False
    assert "breaks_at_import" not in sys.modules


def test_what_is_left_out_counts_as_not_installed_and_what_is_imported_already_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "imported_already", sys)
    monkeypatch.setitem(sys.modules, "wave", sys)  # so that what was there is put back
    del sys.modules["wave"]
    assert importlib.util.find_spec("wave") is not None
    leave_out(["wave", "imported_already"])
    assert importlib.util.find_spec("wave") is None
    with pytest.raises(ImportError):
        import wave  # noqa: F401
    assert sys.modules["imported_already"] is sys


PRELOADED = """
import importlib.metadata, sys
from accumcheck.work.preload import preload
importlib.metadata.version("datasets")
preload()
from transformers import Trainer
print(*[name for name in ("transformers.trainer", "pandas", "datasets") if sys.modules.get(name)])
"""


@pytest.mark.parametrize(("unused", "found"), [("datasets", ""), ("", " pandas datasets")])
def test_trainer_is_imported_without_what_is_unused(unused: str, found: str) -> None:
    variables = dict(os.environ) | {UNUSED: unused}
    done = subprocess.run([sys.executable, "-c", PRELOADED], env=variables, capture_output=True, text=True, check=False)
    assert done.stdout == f"transformers.trainer{found}\n", done.stderr

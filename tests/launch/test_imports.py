"""What cannot be imported in an environment, and the innermost cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.launch.imports import import_faults

LAZY = """
def __getattr__(name):
    raise AttributeError(name)
try:
    import beneath
except ImportError as error:
    raise RuntimeError("Failed to import lazy.trainer because of the following error") from error
"""


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages of a broken environment."""
    files = {
        "fine": "print('hello')",
        "lazy": LAZY,
        "beneath": "import nothing_of_that_name",
        "fatal": "import os\nos.kill(os.getpid(), 9)",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_the_innermost_cause_is_told_and_what_is_fine_is_not() -> None:
    found = import_faults({"fine": ["fine"], "lazy": ["fine", "lazy"], "json": ["json"]})
    assert list(found) == ["lazy"]
    assert found["lazy"].startswith("ModuleNotFoundError: No module named 'nothing_of_that_name' (")
    assert "beneath.py:1" in found["lazy"]


def test_a_package_that_ends_the_process_is_named() -> None:
    found = import_faults({"fine": ["fine"], "fatal": ["fatal"]})
    assert list(found) == ["fatal"]
    assert found["fatal"].startswith("the process that imported it was killed by SIGKILL")

"""What cannot be imported in an environment, and the innermost cause."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from accumcheck.launch import imports
from accumcheck.launch.imports import being_imported, import_faults
from accumcheck.record import Reason

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
        "endless": "import time\ntime.sleep(600)",
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


def test_a_package_that_is_not_installed_is_no_fault_and_a_folder_is_none_either(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    asked = {name: [name] for name in ("absent", "data", "beneath", "fatal", "fine")}
    with being_imported(asked, sys.executable, installed=True) as faults:
        found = faults()
    assert {name: reason.kind for name, reason in found.items()} == {
        "beneath": "missing-package",
        "fatal": "crashed",
        "fine": "crashed",  # not tried any more
    }
    assert found["beneath"].traceback[-1] == "ModuleNotFoundError: No module named 'nothing_of_that_name'"


def test_an_import_that_takes_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "TIMEOUT", 0.5)
    with being_imported({"endless": ["endless"]}, sys.executable) as faults:
        assert faults() == {"endless": Reason("hung", "not imported within 0 s")}


def test_an_import_that_has_not_ended_is_not_waited_for() -> None:
    started, before = time.monotonic(), psutil.Process().children()
    with being_imported({"endless": ["endless"]}, sys.executable, dict(os.environ)):
        (child,) = set(psutil.Process().children()) - set(before)
    assert not child.is_running()
    assert time.monotonic() - started < 300


def test_it_ends_with_a_parent_that_is_killed() -> None:
    program = (
        "import sys, time\n"
        "import psutil\n"
        "from accumcheck.launch.imports import being_imported\n"
        "with being_imported({'endless': ['endless']}, sys.executable):\n"
        "    print(psutil.Process().children()[0].pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(60)  # psutil.TimeoutExpired if it lives on

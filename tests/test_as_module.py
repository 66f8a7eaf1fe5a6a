"""A module of accumcheck in another process: with its arguments, and without the working directory's modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from accumcheck.as_module import module_command

SHADOW = "raise SystemExit('the working directory was imported')\n"


@pytest.mark.parametrize("shadowed", ["json", "runpy", "numpy", "accumcheck"])
def test_no_file_of_the_working_directory_is_imported(shadowed: str, tmp_path: Path) -> None:
    (tmp_path / f"{shadowed}.py").write_text(SHADOW, encoding="utf-8")
    command = module_command(sys.executable, "accumcheck.launch.imports", ['{"numpy": ["numpy"]}'])
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, 'accumcheck import: {"numpy": ""}\n'), done.stderr


def test_with_dash_m_it_would_be(tmp_path: Path) -> None:
    """What this is for."""
    (tmp_path / "numpy.py").write_text(SHADOW, encoding="utf-8")
    command = [sys.executable, "-m", "accumcheck.launch.imports", '{"numpy": ["numpy"]}']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "the working directory was imported" in done.stdout + done.stderr

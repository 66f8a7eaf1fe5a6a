"""CI's entry point parses, can be executed, and ends as make does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ROOT / ".ci" / "run"


def test_it_is_an_executable_shell_script() -> None:
    assert os.access(RUN, os.X_OK)
    subprocess.run(["bash", "-n", RUN], check=True)


def test_it_ends_as_make_does(tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "make $1" in "$(pwd)"\nexit 7\n', encoding="utf-8")
    make.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([RUN], env={**os.environ, "PATH": path}, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, f"make test in {ROOT}\n")

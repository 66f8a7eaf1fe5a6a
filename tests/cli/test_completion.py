"""Shell completion, in a real shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash"),
    pytest.mark.skipif(not Path(sys.executable).with_name("accumcheck").exists(), reason="no command is installed"),
]


def bash(script: str, home: Path) -> str:
    """What a bash prints that knows the command; ``home`` is the user's folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "HOME": str(home)}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def completed(words: str, home: Path) -> list[str]:
    """What the installed completion offers for the last of these words."""
    return bash(
        f"source ~/.bashrc; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1));"
        '_accumcheck_completion accumcheck; printf "%s\\n" "${COMPREPLY[@]}"',
        home,
    ).split()


def test_commands_and_options_are_completed_once_it_is_installed(tmp_path: Path) -> None:
    # bash runs the last command of a script in its own place, and it must be there to be recognised
    said = bash("accumcheck --install-completion; true", tmp_path)
    assert said.startswith(f"bash completion installed in {tmp_path}")
    assert completed("accumcheck se", tmp_path) == ["selftest"]
    assert completed("accumcheck schema re", tmp_path) == ["report"]
    assert completed("accumcheck run --stri", tmp_path) == ["--strict"]


def test_show_prints_it_and_installs_nothing(tmp_path: Path) -> None:
    said = bash("accumcheck --show-completion; true", tmp_path)
    assert said.endswith("complete -o default -F _accumcheck_completion accumcheck\n")
    assert list(tmp_path.iterdir()) == []

"""The hooks that other repositories can use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

HOOKS = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"


def test_the_manifest_is_valid_for_pre_commit_itself() -> None:
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-manifest", str(HOOKS)], check=True)


def test_the_hook_trains_only_when_asked_and_takes_no_file_names() -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    assert hook["id"] == "accumcheck"
    assert hook["stages"] == ["manual"]
    assert hook["entry"] == "accumcheck run"
    assert not hook["pass_filenames"]

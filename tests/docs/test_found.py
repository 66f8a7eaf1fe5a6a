"""The faults of docs/found: their scripts show what their reports say, and each report is whole."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import transformers

FOUND = Path(__file__).parents[2] / "docs" / "found"
REPORTS = sorted(path for path in FOUND.glob("*.md") if path.name != "README.md")
SEEN = "5.24.0"


@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.stem)
def test_a_report_has_what_trackers_ask_for_and_a_script(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == [
        "System Info",
        "Reproduction",
        "Expected behavior",
        "Looked up",
    ]
    script = report.with_suffix(".py")
    assert f"({script.name})" in text
    assert f"`python {script.name}" in text  # the command
    assert "accumcheck" not in script.read_text(encoding="utf-8")
    assert f"({report.name})" in (FOUND / "README.md").read_text(encoding="utf-8")


def _heads_with_an_outdated_flag() -> list[str]:
    """Classes of the installed transformers that have the flag, and pass what they are given to their loss function."""
    found = []
    for file in sorted(Path(transformers.__file__).parent.glob("models/*/modeling_*.py")):
        text = file.read_text(encoding="utf-8")
        if "accepts_loss_kwargs = False" not in text:
            continue
        for head in (one for one in ast.parse(text).body if isinstance(one, ast.ClassDef)):
            has_flag = any(ast.unparse(line) == "accepts_loss_kwargs = False" for line in head.body)
            calls = [one for one in ast.walk(head) if isinstance(one, ast.Call)]
            losses = [one for one in calls if ast.unparse(one.func) == "self.loss_function"]
            if has_flag and any(keyword.arg is None for one in losses for keyword in one.keywords):
                found.append(head.name)
    return found


@pytest.mark.skipif(transformers.__version__ != SEEN, reason=f"the heads were counted in transformers {SEEN}")
def test_the_heads_with_an_outdated_flag_are_as_many_as_the_report_says() -> None:
    heads = _heads_with_an_outdated_flag()
    text = (FOUND / "accepts_loss_kwargs.md").read_text(encoding="utf-8")
    assert f"{len(heads)} heads of {SEEN} have the flag" in text
    assert "Qwen3VLForConditionalGeneration" in heads
    assert not {"Gemma3ForConditionalGeneration", "Qwen2VLForConditionalGeneration"} & set(heads)


@pytest.mark.e2e
@pytest.mark.skipif(transformers.__version__ != SEEN, reason=f"the faults were seen with transformers {SEEN}")
@pytest.mark.parametrize("name", ["accepts_loss_kwargs", "router_aux_loss"])
def test_a_script_prints_what_its_report_shows(name: str) -> None:
    ran = subprocess.run(
        [sys.executable, FOUND / f"{name}.py"], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 1, ran.stderr
    (shown,) = re.findall(r"```\n(.+?)\n```", (FOUND / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)
    words = re.compile(r"[\d.e-]+ of its norm")  # rounding errors differ between machines
    assert words.sub("", ran.stdout.strip()) == words.sub("", shown)


@pytest.mark.process
@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.stem)
def test_a_script_that_cannot_run_ends_with_2(report: Path, tmp_path: Path) -> None:
    for package in ("torch", "tokenizers"):
        (tmp_path / f"{package}.py").write_text("raise ImportError('planted')\n", encoding="utf-8")
    script = report.with_suffix(".py")
    ended = subprocess.run(
        [sys.executable, script, "train_llada2.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "ImportError: planted" in ended.stderr


RATES = [f"step={step} loss=1.0 lr={1e-3 / step}" for step in range(1, 13)]
"""What the script that is run prints: the learning rate of each of the 12 steps."""


@pytest.mark.parametrize(
    ("one", "two", "code"), [(RATES, RATES[::-1], 1), (RATES, RATES, 0), ([], [], 2), (RATES, RATES[:6], 2)]
)
def test_learning_rates_are_compared_only_if_every_step_logged_one(
    one: Sequence[str], two: Sequence[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        lines = one if "--nproc_per_node=1" in command else two
        return subprocess.CompletedProcess(command, 0, "\n".join(lines), "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the script sets one of its own
    for arguments, expected in ((["train_llada2.py"], code), ([], 2)):
        monkeypatch.setattr(sys, "argv", ["train_llada2_schedule.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(FOUND / "train_llada2_schedule.py"), run_name="__main__")
        assert ended.value.code == expected

"""The faults of docs/found: their scripts show what their reports say, and each report is whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

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
    assert "accumcheck" not in script.read_text(encoding="utf-8")
    assert f"({report.name})" in (FOUND / "README.md").read_text(encoding="utf-8")


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

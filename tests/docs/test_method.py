"""The worked example on the page is what the script prints, and what one computes by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def printed() -> str:
    return subprocess.run([sys.executable, DOCS / "method.py"], capture_output=True, text=True, check=True).stdout


def without_rounding(text: str) -> str:
    """Numbers that are rounding errors differ from machine to machine."""
    return re.sub(r"\b\d(\.\d)?e-(0[789]|1\d)\b", "rounding", text)


def test_the_page_shows_what_the_script_prints() -> None:
    (block,) = re.findall(r"```\n(1\. Reference.*?)```", (DOCS / "method.md").read_text(encoding="utf-8"), re.DOTALL)
    assert without_rounding(block) == without_rounding(printed())


def test_the_recovered_weights_are_those_of_a_sum_of_means() -> None:
    rows = re.findall(
        r"^ +\d +([\d.]+) +[\d.]+$", printed().split("3. Recovery")[1].split("4. Naming")[0], re.MULTILINE
    )
    assert [float(weight) for weight in rows] == [3 / 12, 9 / 12, 4 / 20, 16 / 20]

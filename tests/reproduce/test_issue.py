"""The text of a bug report."""

from __future__ import annotations

import re

from accumcheck.reproduce.case import Outcome
from accumcheck.reproduce.issue import issue
from accumcheck.reproduce.script import script
from accumcheck.reproduce.search import Reproduction
from tests.reproduce.subjects import HEADING, case, report


def written(split: str = "1x1x2") -> str:
    made = report()
    shown = Reproduction(case(split), script(case(split), HEADING), Outcome(1, "loss 1.4, right 0.7 (x 2.000)"))
    return issue(made.findings[0], made, shown)


def test_it_says_what_where_versions_numbers_script_and_what_was_expected() -> None:
    text = written()
    assert (
        text.splitlines()[0] == "# Wrong loss and gradient of BertForSequenceClassification with gradient accumulation"
    )
    assert re.findall("^### (.*)$", text, re.MULTILINE) == [
        "System Info",
        "Reproduction",
        "Expected behavior",
        "Related",
    ]
    assert "\nWith 4x16x2, 4x1x32 (processes x per-device batch size x accumulation steps): loss" in text
    assert "`transformers/models/bert/modeling_bert.py:1126`" in text
    assert "- transformers: 4.49.0" in text
    assert "```\nloss 1.4, right 0.7 (x 2.000)\n```" in text
    assert "https://example.org/47688" in text
    (shown,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert shown == script(case(), HEADING)


def test_several_processes_are_started_by_torchrun() -> None:
    text = written("2x1x1")
    assert text.splitlines()[0].endswith("with several processes")
    assert "`torchrun --nproc_per_node 2 repro.py`" in text

"""Subjects, cases and reports made by hand, for tests of the reproduction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accumcheck.record import Finding, Report, Split
from accumcheck.reproduce.case import Case, Field, Heading, Subject
from tests.report.runs import llava_449

HEADING = Heading("BertForSequenceClassification is wrong: loss 2.00 times the reference's", ("transformers 5.24.0",))


def subject(asked: Mapping[str, Any]) -> Subject:
    """A classifier with the number of layers and rows, and the length of rows, that are asked for."""
    length, layers = asked.get("longest", 10), asked.get("layers") or 2
    row = {"input_ids": Field(list(range(5, 5 + length))), "labels": Field(1)}
    return Subject(
        "bert", {"num_hidden_layers": layers}, "BertForSequenceClassification", "rows", (row,) * asked["rows"]
    )


def case(split: str = "1x1x2", **changes: Any) -> Case:
    made = Case("trainer", Split.parse(split), subject({"rows": Split.parse(split).global_batch_size}))
    return replace(made, **changes)


def report(**config: Any) -> Report:
    """A run of Trainer whose splits with k > 1 follow token-mean*k."""
    made = llava_449()
    finding = Finding(
        "token-mean*k",
        "fail",
        ("4x16x2", "4x1x32"),
        loss_rule="token-mean*k",
        gradient_rule="token-mean*k",
        summary="loss 2.00, 32.0 times the reference's",
        explanation="Nothing divides by k.",
        source="transformers/models/bert/modeling_bert.py:1126",
        known=({"title": "Heads that ignore the count", "url": "https://example.org/47688"},),
    )
    return replace(made, findings=(finding,), config={**made.config, "stack": "trainer", **config})

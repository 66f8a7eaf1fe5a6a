"""Subjects, cases and reports made by hand, for tests of the reproduction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accumcheck.record import Finding, Report, Split
from accumcheck.reproduce.case import Case, Field, Heading, Subject
from accumcheck.reproduce.texts import program_of, subject_of_texts
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


def text_case(stack: str, split: str = "1x1x2", **arguments: Any) -> Case:
    """A case of a stack that trains on texts."""
    config: dict[str, Any] = {"stack": stack, "training_arguments": arguments, "trl": {"arguments": []}}
    config["sentence_transformers"] = {"loss": "CosineSimilarityLoss", "train": "nowhere.jsonl"}
    program = program_of(report(**config))
    asked = Split.parse(split)
    subject = subject_of_texts(program, asked.global_batch_size, 6)
    return Case(stack, asked, subject, program.arguments, program.loss)


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

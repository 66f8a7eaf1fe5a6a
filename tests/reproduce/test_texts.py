"""What a script of a stack that trains on texts takes over from the report of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accumcheck.reproduce.case import Case, Heading, NotReproducedError
from accumcheck.reproduce.script import script
from accumcheck.reproduce.texts import program_of, subject_of_texts
from tests.reproduce.subjects import HEADING, report, text_case

YAML = """
model_name_or_path: tiny/llama
dataset_name: tiny/trl
learning_rate: 2.0e-5
per_device_train_batch_size: 2
label_smoothing_factor: 0.1
bf16: false
"""


def test_arguments_that_change_a_loss_are_taken_from_file_command_line_and_configuration(tmp_path: Path) -> None:
    (tmp_path / "sft.yaml").write_text(YAML, encoding="utf-8")
    words = ["--config", f"{tmp_path}/sft.yaml", "--loss_type=dft", "--max_length", "64", "--padding_free"]
    given = {"average_tokens_across_devices": True, "per_device_train_batch_size": 4, "seed": 3}
    program = program_of(report(stack="trl-sft", trl={"arguments": words}, training_arguments=given))
    assert program.arguments == {
        "label_smoothing_factor": 0.1,
        "loss_type": "dft",
        "padding_free": True,
        "average_tokens_across_devices": True,
    }


def test_the_command_line_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "sft.yaml").write_text(YAML, encoding="utf-8")
    words = ["--config", f"{tmp_path}/sft.yaml", "--label_smoothing_factor", "0"]
    assert program_of(report(stack="trl-sft", trl={"arguments": words})).arguments == {}


def test_a_configuration_that_is_gone_is_said(tmp_path: Path) -> None:
    words = ["--config", f"{tmp_path}/gone.yaml"]
    with pytest.raises(NotReproducedError, match=r"gone\.yaml, the configuration of the run, cannot be read"):
        program_of(report(stack="trl-sft", trl={"arguments": words}))


@pytest.mark.parametrize(
    ("stack", "columns"),
    [("trl-sft", ["text"]), ("trl-dpo", ["prompt", "chosen", "rejected"]), ("trl-reward", ["chosen", "rejected"])],
)
def test_rows_have_the_columns_of_their_stack_and_differ_in_length(stack: str, columns: list[str]) -> None:
    made = subject_of_texts(program_of(report(stack=stack, trl={"arguments": []})), 4, 6)
    assert [list(row) for row in made.rows] == [columns] * 4
    lengths = {len(row[columns[-1]].values.split()) for row in made.rows}
    assert len(lengths) > 1
    assert max(lengths) <= 6


def test_rows_of_sentence_transformers_are_like_those_of_the_run(tmp_path: Path) -> None:
    row = {"anchor": "a text", "positive": "another", "negative": "a third", "label": 1}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    section = {"loss": "SoftmaxLoss", "loss_arguments": {"num_labels": 2}, "train": f"{tmp_path}/train.jsonl"}
    program = program_of(report(stack="sentence-transformers", sentence_transformers=section))
    assert program.loss == ("SoftmaxLoss", {"num_labels": 2})
    made = subject_of_texts(program, 3, 6)
    assert [list(one) for one in made.rows] == [["anchor", "positive", "negative", "label"]] * 3
    assert {type(one["label"].values) for one in made.rows} == {int}


def test_the_loss_is_made_with_its_arguments() -> None:
    made = text_case("sentence-transformers")
    assert "loss=all_losses.CosineSimilarityLoss(model))" in script(made, HEADING)
    other = Case(made.stack, made.split, made.subject, {}, ("TripletLoss", {"triplet_margin": 5}))
    assert "loss=all_losses.TripletLoss(model, triplet_margin=5))" in script(other, HEADING)


@pytest.mark.parametrize("name", ["Loss(x); import os #", "a.b", "lambda"])
def test_the_name_of_a_loss_cannot_be_code(name: str) -> None:
    made = text_case("sentence-transformers")
    with pytest.raises(ValueError, match="not the name of a loss"):
        script(Case(made.stack, made.split, made.subject, {}, (name, {})), HEADING)


def test_texts_of_rows_are_literals() -> None:
    made = text_case("trl-sft", label_smoothing_factor=0.1)
    assert "    label_smoothing_factor=0.1,\n" in script(made, Heading("x", ("y",)))

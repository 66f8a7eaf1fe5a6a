"""Where a program finds a split's numbers, and which of these places is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from accumcheck.capture.patches import Patches, Seam
from accumcheck.record import Split
from accumcheck.stacks.programs.handover import COMMAND_LINE, TRAINING_ARGUMENTS, Handover

SPLIT = Split(2, 3, 4)

TRAIN = """
model: tiny
max_steps: 1000
training: {micro_batch_size: 8, gradient_accumulation_steps: 1, learning_rate: 1.0e-3}
per_device_train_batch_size: 8
"""


@pytest.fixture
def handover() -> Iterator[Handover]:
    with Patches({Seam.YAML}) as patches:
        yield Handover(SPLIT, 5, patches)


def test_a_command_line_is_filled_and_named(handover: Handover) -> None:
    words = [
        "--batch",
        "{per_device_train_batch_size}",
        "--k={gradient_accumulation_steps}",
        "{num_processes}",
        "{steps}",
    ]
    assert handover.fill(words) == ["--batch", "3", "--k=4", "2", "5"]
    assert handover.ways == (COMMAND_LINE,)


def test_a_command_line_without_the_splits_numbers_hands_nothing_over(handover: Handover) -> None:
    assert handover.fill(["--steps", "{steps}", "--other", "{braces}"]) == ["--steps", "5", "--other", "{braces}"]
    assert handover.ways == ()


@pytest.mark.parametrize("words", [["--config", "{file}"], ["--config={file}"], ["{file}"]])
@pytest.mark.parametrize("opened", [True, False], ids=["stream", "text"])
def test_a_yaml_file_on_the_command_line_is_read_with_the_splits_numbers(
    tmp_path: Path, handover: Handover, words: list[str], opened: bool
) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(TRAIN, encoding="utf-8")
    handover.answer_yaml([word.format(file=file) for word in words])
    if opened:
        with file.open(encoding="utf-8") as stream:
            found = yaml.safe_load(stream)
    else:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.FullLoader)
    assert found == {
        "model": "tiny",
        "max_steps": 5,
        "training": {"micro_batch_size": 3, "gradient_accumulation_steps": 4, "learning_rate": 1e-3},
        "per_device_train_batch_size": 3,
    }
    assert handover.ways == ("train.yaml",)
    assert file.read_text(encoding="utf-8") == TRAIN


def test_other_files_are_read_as_they_are(tmp_path: Path, handover: Handover) -> None:
    named, other = tmp_path / "train.yaml", tmp_path / "other.yaml"
    named.write_text("max_steps: 9\nbatch: 8\n", encoding="utf-8")
    other.write_text(TRAIN, encoding="utf-8")
    handover.answer_yaml([str(named), str(tmp_path / "missing.yaml"), "--flag"])
    assert yaml.safe_load(other.read_text(encoding="utf-8"))["per_device_train_batch_size"] == 8
    assert yaml.safe_load(named.read_text(encoding="utf-8")) == {"max_steps": 5, "batch": 8}
    assert handover.ways == ()  # steps are no split


def test_the_ways_are_named_once_in_the_order_in_which_they_are_looked_for(handover: Handover) -> None:
    for way in ("train.yaml", TRAINING_ARGUMENTS, COMMAND_LINE, TRAINING_ARGUMENTS):
        handover.take(way)
    assert handover.ways == (COMMAND_LINE, TRAINING_ARGUMENTS, "train.yaml")


def test_placeholders_in_a_yaml_file_are_filled_as_numbers(tmp_path: Path, handover: Handover) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("accumulate: '{k*n}'\nname: run-{n}\nparts: [{batch: '{b}'}]\nother: '{epoch}'\n", encoding="utf-8")
    handover.answer_yaml([str(file)])
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert found == {"accumulate": 8, "name": "run-2", "parts": [{"batch": 3}], "other": "{epoch}"}
    assert handover.ways == ("train.yaml",)

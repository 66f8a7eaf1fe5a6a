"""Keys, types and descriptions from a record's fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from accumcheck.record import Report, Split, SplitResult
from accumcheck.record.in_json import LATER, followed_by, written_as
from accumcheck.saved.entries import description, entries

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Pair(Generic[Value]):
    """Two of one
    kind."""

    old: Value = field(metadata=written_as("from"))
    """What was,
    before."""
    new: Value
    extra: list[int] = field(default_factory=list, metadata=LATER)


@dataclass(frozen=True, slots=True)
class Row:
    """One row."""

    split: Split = field(metadata=followed_by("num_processes"))


def test_keys_types_and_descriptions() -> None:
    old, new, extra = entries(Pair[str])
    assert (old.key, old.name, old.annotation, old.description) == ("from", "old", str, "What was, before.")
    assert (new.key, new.name, new.annotation, new.description) == ("new", "new", str, "")
    assert extra.annotation == list[int]
    assert description(Pair[str]) == "Two of one kind."


def test_only_a_later_field_has_a_default_when_it_is_read() -> None:
    old, _, extra = entries(Pair[str])
    assert old.default is None
    assert extra.default is not None
    assert extra.default() == []


def test_attributes_of_a_value_follow_it() -> None:
    split, processes = entries(Row)
    assert (split.key, processes.key, processes.inside) == ("split", "num_processes", "split")
    assert processes.description == "One process per GPU."
    assert processes.of(Row(Split(4, 16, 2))) == 4


def test_every_field_of_a_report_that_has_a_text_is_found() -> None:
    about = {entry.key: entry.description for entry in entries(Report)}
    assert about["verdict"] == "Of the run as a whole."
    assert about["duration_seconds"] == ""
    assert [entry.key for entry in entries(SplitResult)][:4] == [
        "split",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "num_processes",
    ]

"""A field that a record gets later: one declaration, and it is written, read, described and missing in old files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from accumcheck.record.in_json import LATER, SplitLabel
from accumcheck.saved.models import checked
from accumcheck.saved.read import record_from
from accumcheck.saved.schema import schema_of
from accumcheck.saved.write import plain, to_json


@dataclass(frozen=True, slots=True)
class Update:
    """What one optimizer step did."""

    learning_rates: tuple[float, ...]
    clip: float | None


@dataclass(frozen=True, slots=True)
class Old:
    """A record as it was."""

    split: SplitLabel


@dataclass(frozen=True, slots=True)
class New:
    """The record with more."""

    split: SplitLabel
    kind: Literal["crashed", "hung"] | None = field(default=None, metadata=LATER)
    """Why it did not run; null: it ran."""
    updates: tuple[Update, ...] = field(default=(), metadata=LATER)
    names: dict[str, list[str]] = field(default_factory=dict, metadata=LATER)


NEW = New("4x16x2", "hung", (Update((1e-3, 0.0), None), Update((), float("inf"))), {"a": ["b"]})
WRITTEN = {
    "split": "4x16x2",
    "kind": "hung",
    "updates": [{"learning_rates": [1e-3, 0.0], "clip": None}, {"learning_rates": [], "clip": "Infinity"}],
    "names": {"a": ["b"]},
}


def test_it_is_written_and_read_back() -> None:
    assert plain(NEW) == WRITTEN
    assert json.loads(to_json(NEW)) == WRITTEN
    assert record_from(New, json.loads(to_json(NEW))) == NEW


def test_files_of_both_versions_are_read_by_both() -> None:
    assert record_from(New, plain(Old("1x2x4"))) == New("1x2x4")
    assert record_from(Old, plain(NEW)) == Old("4x16x2")


def test_the_schema_describes_it_and_asks_for_it() -> None:
    schema = schema_of(New, "a record")
    assert schema["description"] == "The record with more."
    assert schema["properties"]["kind"]["description"] == "Why it did not run; null: it ran."
    assert schema["$defs"]["Update"]["description"] == "What one optimizer step did."
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(WRITTEN)


@pytest.mark.parametrize(
    "change",
    [
        {"split": "4x16"},
        {"kind": "slow"},
        {"more": 1},
        {"names": {"a": [1]}},
        {"updates": [{"learning_rates": []}]},
        {"updates": [{"learning_rates": ["fast"], "clip": 1}]},
    ],
)
def test_the_schema_refuses_what_is_otherwise(change: dict[str, Any]) -> None:
    assert not Draft202012Validator(schema_of(New, "a record")).is_valid({**WRITTEN, **change})


def test_the_schema_refuses_a_record_that_lacks_a_key() -> None:
    for key in WRITTEN:
        lacking = {name: value for name, value in WRITTEN.items() if name != key}
        assert not Draft202012Validator(schema_of(New, "a record")).is_valid(lacking)


def test_a_type_that_json_has_no_place_for_is_a_fault_of_the_record() -> None:
    with pytest.raises(TypeError, match=r"complex.* cannot be saved"):
        checked(complex)

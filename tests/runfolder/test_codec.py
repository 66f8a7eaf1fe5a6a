"""Records go through JSON and come back; what is no such record is refused with its place."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from accumcheck.runfolder.codec import decode, decode_fields, encode, read_record, write_record


@dataclass(frozen=True)
class Point:
    x: float
    label: str | None = None


@dataclass(frozen=True)
class Shape:
    kind: Literal["line", "area"]
    points: tuple[Point, ...]
    ends: tuple[int, int] = (0, 1)
    by_number: dict[int, float] = field(default_factory=dict)
    setting: bool | int | str = 0


@dataclass(frozen=True)
class Filled:
    name: str
    values: np.ndarray[Any, Any]


SHAPE = Shape("area", (Point(1.5), Point(2.0, "b")), (3, 4), {7: 0.5}, setting="on")
PLAIN = {
    "kind": "area",
    "points": [{"x": 1.5, "label": None}, {"x": 2.0, "label": "b"}],
    "ends": [3, 4],
    "by_number": {"7": 0.5},
    "setting": "on",
}


def test_a_record_is_written_as_plain_json_and_read_back(tmp_path: Path) -> None:
    write_record(tmp_path / "shape.json", SHAPE)
    assert json.loads((tmp_path / "shape.json").read_text(encoding="utf-8")) == PLAIN
    assert read_record(Shape, tmp_path / "shape.json") == SHAPE
    assert [path.name for path in tmp_path.iterdir()] == ["shape.json"]


def test_numbers_that_are_not_finite_come_back(tmp_path: Path) -> None:
    write_record(tmp_path / "points.json", [Point(math.nan), Point(math.inf)])
    first, second = read_record(tuple[Point, ...], tmp_path / "points.json")
    assert math.isnan(first.x)
    assert second.x == math.inf


def test_fields_that_are_left_out_have_their_defaults() -> None:
    assert decode(Point, {"x": 1}) == Point(1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "cube"}, "kind is \"cube\"; expected 'line' or 'area'"),
        ({"points": [{"x": "far"}]}, 'points[0].x is "far"; expected a number'),
        ({"points": [{"x": 1, "y": 2}]}, "points[0] has unknown fields: y"),
        ({"points": [{}]}, "points[0] lacks x"),
        ({"points": {}}, "points is {}; expected a list"),
        ({"ends": [1, 2, 3]}, "ends is [1, 2, 3]; expected 2 entries"),
        ({"ends": [1, True]}, "ends[1] is true; expected int"),
        ({"setting": 0.5}, "setting is 0.5; expected bool or int or str"),
        ({"by_number": []}, "by_number is []; expected an object"),
    ],
)
def test_what_is_no_such_record_is_refused_with_its_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        decode(Shape, {**PLAIN, **change})


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "shape.json").write_text("[1, 2", encoding="utf-8")
    with pytest.raises(ValueError, match=r"^shape\.json: "):
        read_record(Shape, tmp_path / "shape.json")


def test_arrays_are_left_to_files_of_their_own() -> None:
    plain = encode(Filled("a", np.arange(3)))
    assert plain == {"name": "a"}
    assert decode_fields(Filled, plain) == {"name": "a"}


def test_a_long_list_of_numbers_is_checked_entry_by_entry() -> None:
    whole = decode(tuple[float, ...], [1, 2.5])
    assert whole == (1.0, 2.5)
    assert [type(one) for one in whole] == [float, float]
    with pytest.raises(ValueError, match=r"\[1\]"):
        decode(tuple[int, ...], [1, True])
    with pytest.raises(ValueError, match=r"\[2\]"):
        decode(tuple[float, ...], [1.0, 2.0, "3.0"])

"""What a program feeds beside tensors: dealt out by row, kept whole, or refused by name; and put back as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from accumcheck.errors import WorkloadError
from accumcheck.rows.fed import Rows, rows_in
from accumcheck.rows.fields import moved, size_of
from accumcheck.rows.row_collator import RowCollator

X = torch.tensor([[1, 2, 3], [4, 5, 6]])

BATCH: dict[str, Any] = {
    "x": X,
    "y": X[:, 0],
    "keep": torch.tensor([True, False]),
    "targets": [{"boxes": torch.rand(2, 4), "name": "a"}, {"boxes": torch.rand(1, 4), "name": "b"}],
    "sizes": (torch.tensor([3, 4]), torch.tensor([5, 6])),
    "names": ["first", "second"],
    "nested": {"inner": torch.tensor([[1.0], [2.0]]), "scale": 0.5},
    "array": np.array([[1], [2]]),
    "image_size": (224, 224),
    "return_dict": True,
    "temperature": 2.0,
    "step": np.int64(3),
    "mode": "train",
    "mask": None,
    "weights": torch.tensor([1.0, 2.0, 3.0]),
    "beta": torch.tensor(0.1),
}


def test_rows_put_together_are_the_batch_that_they_came_from() -> None:
    together = RowCollator(0)(rows_in(BATCH))
    assert list(together) == list(BATCH)
    assert torch.equal(together["x"], X)
    assert together["keep"].dtype == torch.bool
    assert [type(together[name]) for name in ("sizes", "names", "array")] == [tuple, list, np.ndarray]
    assert [target["name"] for target in together["targets"]] == ["a", "b"]
    assert torch.equal(together["targets"][1]["boxes"], BATCH["targets"][1]["boxes"])
    assert torch.equal(together["nested"]["inner"], BATCH["nested"]["inner"])
    plain = ("image_size", "return_dict", "temperature", "step", "mode", "mask")
    assert [together[name] for name in plain] == [(224, 224), True, 2.0, 3, "train", None]
    assert (together["weights"].tolist(), float(together["beta"])) == ([1.0, 2.0, 3.0], pytest.approx(0.1))


def test_a_row_alone_has_its_own_entries_and_what_is_whole() -> None:
    alone = RowCollator(0)(rows_in(BATCH)[1:])
    assert (alone["x"].tolist(), alone["names"], alone["nested"]["scale"]) == ([[4, 5, 6]], ["second"], 0.5)
    assert alone["weights"].tolist() == [1.0, 2.0, 3.0]


def test_a_field_that_every_row_shares_is_dealt_out_whatever_the_size_of_the_batch() -> None:
    shared = torch.tensor([[9, 9]])
    both = Rows(2).find({"x": X, "prefix": shared})
    assert both == (*Rows(1).find({"x": X[:1], "prefix": shared}), *Rows(1).find({"x": X[1:], "prefix": shared}))


@pytest.mark.parametrize(
    ("value", "later", "named"),
    [
        (torch.ones(5), torch.zeros(5), r"table of shape \(5,\) for 2 rows"),
        ([1, 2, 3], [1, 2, 4], "table of 3 entries for 2 rows"),
    ],
)
def test_what_has_no_entry_a_row_and_is_no_constant_is_refused(value: Any, later: Any, named: str) -> None:
    rows = Rows(2)
    rows.find({"x": X, "table": value})
    rows.find({"x": X + 1, "table": value})
    with pytest.raises(WorkloadError, match=named):
        rows.find({"x": X, "table": later})


def test_what_cannot_be_kept_is_refused_by_its_name_and_kind() -> None:
    with pytest.raises(WorkloadError, match=r"fed cache, a builtins\.object, which cannot be kept"):
        rows_in({"x": X, "cache": object()})


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        ({"weights": torch.ones(5), "x": torch.ones(2, 3), "y": torch.ones(2)}, 2),
        ({"images": [torch.ones(3, 4, 4), torch.ones(3, 5, 4)], "targets": [{"n": 1}, {"n": 2}]}, 2),
        ({"pixel_values": torch.ones(7, 3, 2, 2), "input_ids": torch.ones(3, 2)}, 3),
        ({"scale": 1.0}, 0),
    ],
)
def test_how_many_rows_a_batch_has(batch: dict[str, Any], size: int) -> None:
    assert size_of(batch) == size


def test_nested_tensors_are_moved_too() -> None:
    found = moved({"d": {"x": torch.ones(1)}, "l": [torch.ones(1)], "n": 3}, "meta")
    assert (found["d"]["x"].device.type, found["l"][0].device.type, found["n"]) == ("meta", "meta", 3)

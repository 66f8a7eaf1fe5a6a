"""By what a row is known again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from accumcheck.rows.fed import Rows
from accumcheck.rows.identity import fields_of, number_of
from accumcheck.rows.sample import KEPT_KINDS, Entry, Whole
from accumcheck.runfolder.fed_rows import read_fields, read_rows

ROW: dict[str, Any] = {
    "input_ids": torch.tensor([1, 2, 3]),
    "labels": torch.tensor([-100, 2, 3]),
    "target": torch.tensor([0.1, 123.4]),
    "boxes": Entry({"xy": torch.tensor([[0.5, 0.25]]), "kind": "cat"}, "list"),
    "flag": Whole(True),
    "scale": Whole(0.3),
}


@pytest.mark.parametrize(
    "other",
    [
        {"input_ids": torch.tensor([1, 2, 4])},
        {"labels": torch.tensor([-100, -100, 3])},
        {"target": torch.tensor([0.1, 124.9])},
        {"boxes": Entry({"xy": torch.tensor([[0.5, 0.75]]), "kind": "cat"}, "list")},
        {"boxes": Entry({"xy": torch.tensor([[0.5, 0.25]]), "kind": "dog"}, "list")},
        {"flag": Whole(False)},
        {"scale": Whole(0.4)},
        {"position_ids": torch.tensor([0, 2, 4])},
        {"attention_mask": torch.tensor([1, 0, 1])},
        {"token_type_ids": torch.tensor([0, 0, 1])},
    ],
)
def test_whatever_the_model_is_fed_tells_two_rows_apart(other: dict[str, Any]) -> None:
    assert number_of({**ROW, **other}) != number_of(ROW)


@pytest.mark.parametrize(
    "other",
    [
        {"target": ROW["target"].bfloat16()},
        {"target": ROW["target"].double()},
        {"labels": ROW["labels"].int()},
        {"position_ids": torch.tensor([0, 1, 2])},
        {"attention_mask": torch.tensor([True, True, True])},
        {"ref_logps": torch.tensor(-3.2)},
        {"num_items_in_batch": Whole(17)},
        {"head_mask": Whole(None)},
    ],
)
def test_dtypes_defaults_and_what_is_computed_do_not(other: dict[str, Any]) -> None:
    assert number_of({**ROW, **other}) == number_of(ROW)


def test_zeros_at_the_end_change_no_projection_and_another_number_does() -> None:
    row = torch.rand(50, generator=torch.Generator().manual_seed(0))
    field = fields_of({"x": row})["x"]
    padded = fields_of({"x": torch.cat([row, torch.zeros(20)])})["x"]
    assert padded.digest != field.digest
    assert padded.sketch == pytest.approx(field.sketch)
    assert fields_of({"x": row + torch.eye(50)[3]})["x"].sketch != pytest.approx(field.sketch, rel=1e-2)


def test_what_tells_rows_from_others_is_read_without_the_rows(tmp_path: Path) -> None:
    rows = Rows(2)
    first, second = rows.find({"x": torch.tensor([[1, 2], [3, 4]]), "y": torch.rand(2, 3), "flags": [True, False]})
    folder = tmp_path / "1x2x1"
    folder.mkdir()
    rows.write(folder, 0)
    found = read_fields(folder, 0)
    assert [found[number]["x"].values.tolist() for number in (first, second)] == [[1, 2], [3, 4]]  # type: ignore[union-attr]
    assert (found[first]["y"].shape, len(found[first]["y"].sketch), found[first]["flags"].shape) == ((3,), 5, ())
    assert read_fields(folder, 1) == {}
    assert read_rows(tmp_path, KEPT_KINDS)[second]["flags"] == Entry(False, "list")

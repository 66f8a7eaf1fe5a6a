"""What a program feeds its model, row by row: padding goes, images stay with their row, the unclear is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from accumcheck.errors import WorkloadError
from accumcheck.rows.fed import Rows, rows_in
from accumcheck.rows.identity import number_of
from accumcheck.rows.row_collator import RowCollator
from accumcheck.rows.sample import KEPT_KINDS
from accumcheck.runfolder.fed_rows import read_padding, read_rows

LLAVA = SimpleNamespace(image_token_index=9)
QWEN = SimpleNamespace(image_token_id=9, vision_config=SimpleNamespace(spatial_merge_size=2))


def text(*rows: list[int], mask: bool = True) -> dict[str, torch.Tensor]:
    """Rows of ids, padded with 0 on the right; every id is a label but the first of its row."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    labels = torch.tensor([[-100, *row[1:]] + [-100] * (longest - len(row)) for row in rows])
    attention = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "labels": labels, **({"attention_mask": attention} if mask else {})}


def test_a_row_is_the_same_beside_a_longer_one_and_alone() -> None:
    first, second = rows_in(text([1, 5, 6], [1, 5, 6, 7, 8]))
    assert (first["input_ids"].tolist(), first["labels"].tolist()) == ([1, 5, 6], [-100, 5, 6])
    assert second["input_ids"].tolist() == [1, 5, 6, 7, 8]
    (alone,) = rows_in(text([1, 5, 6]))
    assert number_of(alone) == number_of(first) != number_of(second)


def test_padding_is_never_guessed_from_equal_ids() -> None:
    first, _ = rows_in(text([1, 5, 6], [1, 5, 6, 7, 8], mask=False))
    assert first["input_ids"].tolist() == [1, 5, 6, 0, 0]


def test_rows_of_one_text_with_other_labels_or_another_image_are_others() -> None:
    batch = {**text([1, 9, 5]), "pixel_values": torch.ones(1, 3, 2, 2)}
    numbers = {
        Rows(1).find(batch),
        Rows(1).find({**batch, "labels": torch.tensor([[-100, -100, 5]])}),
        Rows(1).find({**batch, "pixel_values": torch.zeros(1, 3, 2, 2)}),
    }
    assert len(numbers) == 3


def test_images_go_with_the_row_that_has_their_placeholders() -> None:
    # two placeholders an image: rows of two images, none and one
    batch = text([1, 9, 9, 9, 9, 5], [1, 6, 7], [1, 9, 9, 8])
    batch["pixel_values"] = torch.arange(3.0).reshape(3, 1, 1, 1)
    found = [row.get("pixel_values") for row in rows_in(batch, LLAVA)]
    assert found[1] is None
    assert [value.flatten().tolist() for value in found if value is not None] == [[0.0, 1.0], [2.0]]


def test_patches_in_one_long_row_go_by_the_grid_of_their_image() -> None:
    # 1 x 4 x 4 patches make 4 tokens when 2 x 2 are merged, 1 x 2 x 4 make 2
    batch = text([1, 9, 9, 9, 9, 5], [1, 9, 9, 8])
    batch["image_grid_thw"] = torch.tensor([[1, 4, 4], [1, 2, 4]])
    batch["pixel_values"] = torch.arange(24.0).reshape(24, 1)
    first, second = rows_in(batch, QWEN)
    assert first["pixel_values"].flatten().tolist() == list(range(16))
    assert second["pixel_values"].flatten().tolist() == list(range(16, 24))
    assert second["image_grid_thw"].tolist() == [[1, 2, 4]]


@pytest.mark.parametrize(
    ("fields", "config", "named"),
    [
        ({"pixel_values": torch.zeros(3, 3, 2, 2)}, None, r"pixel_values of shape \(3, 3, 2, 2\) for 2 rows"),
        # four placeholders for three images
        ({"pixel_values": torch.zeros(3, 3, 2, 2)}, LLAVA, r"pixel_values of shape \(3, 3, 2, 2\) for 2 rows"),
        ({"pixel_values_videos": torch.zeros(8, 4)}, LLAVA, r"pixel_values_videos of shape \(8, 4\) for 2 rows"),
        ({"position_ids": torch.zeros(3, 4, 6)}, None, r"position_ids of shape \(3, 4, 6\) for 2 rows"),
    ],
)
def test_what_cannot_be_dealt_out_is_refused_with_its_shape(
    fields: dict[str, torch.Tensor], config: SimpleNamespace | None, named: str
) -> None:
    batch = {**text([1, 9, 9, 9, 5, 5], [1, 9, 6]), **fields}
    with pytest.raises(WorkloadError, match=f"{named}; which part belongs to which row is not known"):
        rows_in(batch, config)


def test_positions_of_several_kinds_are_dealt_out_and_put_together_again() -> None:
    # three kinds for two rows of 2 and 3 tokens, as Qwen2-VL has them
    positions = torch.arange(18).reshape(3, 2, 3)
    rows = rows_in({**text([1, 2], [3, 4, 5]), "position_ids": positions})
    assert [row["position_ids"].tolist() for row in rows] == [
        [[0, 1], [6, 7], [12, 13]],
        [[3, 4, 5], [9, 10, 11], [15, 16, 17]],
    ]
    together = RowCollator(0)(rows)
    assert together["position_ids"].shape == (3, 2, 3)
    assert together["position_ids"][:, 1].tolist() == positions[:, 1].tolist()
    assert together["input_ids"].tolist() == [[1, 2, 0], [3, 4, 5]]
    # one for each token in rows of one kind stays a field like any other
    (row,) = rows_in({**text([1, 2]), "position_ids": torch.tensor([[0, 1]])})
    assert RowCollator(0)([row])["position_ids"].tolist() == [[0, 1]]


FLAT = {
    "input_ids": torch.tensor([[1, 5, 1, 6, 7]]),
    "labels": torch.tensor([[-100, 5, -100, 6, 7]]),
    "position_ids": torch.tensor([[0, 1, 0, 1, 2]]),
}
"""Two texts of two and three tokens, padding-free."""
BOUNDS = {"cu_seq_lens_q": torch.tensor([0, 2, 5]), "cu_seq_lens_k": torch.tensor([0, 2, 5]), "max_length_q": 3}


@pytest.mark.parametrize(
    "batch",
    [FLAT, {**FLAT, **BOUNDS}, {**BOUNDS, "input_ids": FLAT["input_ids"], "labels": FLAT["labels"]}],
    ids=["positions", "both", "boundaries"],
)
def test_the_texts_of_a_padding_free_row_are_samples_the_same_as_in_rows_of_their_own(batch: dict[str, Any]) -> None:
    flat, padded = Rows(2), Rows(2)
    assert flat.find(batch) == padded.find(text([1, 5], [1, 6, 7]))
    assert flat.find(batch) == (*Rows(1).find(text([1, 5])), *Rows(1).find(text([1, 6, 7])))
    assert (flat.sample, padded.sample) == ("text of a padding-free row", "row")


def test_a_text_of_a_padding_free_row_is_kept_without_what_told_it_from_others(tmp_path: Path) -> None:
    (tmp_path / "1x2x1").mkdir()
    rows = Rows(2)
    first, second = rows.find({**FLAT, **BOUNDS})
    rows.write(tmp_path / "1x2x1", 0)
    kept = read_rows(tmp_path, KEPT_KINDS)
    assert sorted(kept[second]) == ["input_ids", "labels", "position_ids"]
    assert kept[second]["position_ids"].tolist() == [0, 1, 2]
    assert (kept[first]["input_ids"].tolist(), kept[second]["labels"].tolist()) == ([1, 5], [-100, 6, 7])


def test_several_texts_in_a_row_fed_alone_are_a_packed_row() -> None:
    rows = Rows(1)
    assert len(rows.find(FLAT)) == 1
    assert rows.sample == "packed row"


def test_packed_rows_without_padding_are_refused_for_no_row_is_known_again() -> None:
    with pytest.raises(WorkloadError, match="2 texts were fed as one row of 5 tokens, but the split has 4 rows"):
        Rows(4).find(FLAT)


def test_a_field_that_cannot_be_dealt_out_to_texts_is_refused_with_its_shape() -> None:
    with pytest.raises(WorkloadError, match=r"pixel_values of shape \(2, 3, 4, 4\) with 2 samples in one row"):
        Rows(2).find({**FLAT, "pixel_values": torch.zeros(2, 3, 4, 4)})


def test_rows_are_kept_for_whoever_reads_the_run(tmp_path: Path) -> None:
    (tmp_path / "1x2x1").mkdir()
    rows = Rows(2)
    numbers = rows.find(text([1, 5, 6], [1, 7]))
    rows.write(tmp_path / "1x2x1", 0)
    kept = read_rows(tmp_path, KEPT_KINDS)
    assert [kept[number]["input_ids"].tolist() for number in numbers] == [[1, 5, 6], [1, 7]]


def test_the_positions_of_padding_begin_no_text() -> None:
    padded = {
        "input_ids": torch.tensor([[0, 0, 1, 6, 7]]),
        "attention_mask": torch.tensor([[0, 0, 1, 1, 1]]),
        "position_ids": torch.tensor([[0, 0, 0, 1, 2]]),
    }
    rows = Rows(4)  # the last batch of the data, with one row left
    assert len(rows.find(padded)) == 1
    assert rows.sample == "row"


def test_rows_of_several_forwards_of_a_micro_batch_are_one_row_each() -> None:
    rows = Rows(2)
    anchor = rows.find({"x": torch.tensor([[1.0, 2.0], [3.0, 4.0]])})
    other = rows.find({"x": torch.tensor([[5.0, 6.0], [7.0, 8.0]])})
    joined = rows.join([anchor, other])
    assert len(set(joined)) == 2
    assert joined != rows.join([other, anchor])
    assert set(rows.fields[joined[0]]) == {"x", "x_2"}
    assert rows.join([anchor, other[:1]]) == (*anchor, *other[:1])  # not as many: they stay apart
    assert len(rows.join([anchor[:1], other[:1]])) == 1  # the last batch of the data, one row of two forwards


def test_rows_that_are_fed_one_by_one_are_the_rows_of_their_micro_batch() -> None:
    rows = Rows(2)
    first, second = (rows.find({"x": torch.tensor([[value, 2.0]])}) for value in (1.0, 3.0))
    assert rows.join([first, second]) == (*first, *second)
    assert set(rows.fields[first[0]]) == {"x"}


@pytest.mark.parametrize(("hidden", "known"), [([7, 7], 7), ([7, 3], None)])
def test_the_id_that_pads_micro_batches_is_written_if_there_is_one(
    tmp_path: Path, hidden: list[int], known: int | None
) -> None:
    (tmp_path / "1x2x1").mkdir()
    rows = Rows(2)
    shown = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    rows.find({"input_ids": torch.tensor([[5, 6, *hidden], [5, 6, 7, 8]]), "attention_mask": shown})
    rows.write(tmp_path / "1x2x1", 0)
    assert read_padding(tmp_path) == known


def test_a_process_with_several_ids_counts_though_another_has_one(tmp_path: Path) -> None:
    (tmp_path / "2x2x1").mkdir()
    for process, hidden in enumerate(([7, 7], [7, 3])):
        rows = Rows(2)
        shown = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
        rows.find({"input_ids": torch.tensor([[5, 6, *hidden], [5, 6, 7, 8]]), "attention_mask": shown})
        rows.write(tmp_path / "2x2x1", process)
    assert read_padding(tmp_path) is None


def test_rows_that_were_not_padded_have_none(tmp_path: Path) -> None:
    (tmp_path / "1x2x1").mkdir()
    rows = Rows(2)
    rows.find(text([1, 5, 6], [1, 5, 7]))
    rows.write(tmp_path / "1x2x1", 0)
    assert read_padding(tmp_path) is None

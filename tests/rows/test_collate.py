from __future__ import annotations

import pickle
from typing import Any

import torch

from accumcheck.rows.collate import Collator, collate
from accumcheck.rows.sample import Entry, Whole


def _text(*ids: Any, labels: Any) -> Any:
    return {
        "input_ids": torch.tensor(ids),
        "labels": torch.tensor(labels),
        "attention_mask": torch.ones(len(ids), dtype=torch.long),
        "token_type_ids": torch.ones(len(ids), dtype=torch.long),
    }


def test_text_is_padded_on_the_right() -> None:
    batch = collate([_text(5, 6, 7, labels=[-100, 6, 7]), _text(8, 9, labels=[8, 9])], pad_token_id=1)

    assert {name: value.tolist() for name, value in batch.items()} == {
        "input_ids": [[5, 6, 7], [8, 9, 1]],
        "labels": [[-100, 6, 7], [8, 9, -100]],
        "attention_mask": [[1, 1, 1], [1, 1, 0]],
        "token_type_ids": [[1, 1, 1], [1, 1, 0]],
    }


def test_images_stand_side_by_side_whatever_their_number() -> None:
    samples = [
        {
            **_text(5, 6, labels=[5, 6]),
            "pixel_values": torch.zeros(images, 3, 4, 4),
            "image_sizes": torch.ones(images, 2),
        }
        for images in (1, 2)
    ]
    batch = collate(samples, pad_token_id=0)

    assert batch["pixel_values"].shape == (3, 3, 4, 4)
    assert batch["image_sizes"].shape == (3, 2)


def test_what_is_neither_text_nor_image_is_stacked() -> None:
    batch = collate([{"x": torch.tensor([1.0, 2.0]), "labels": torch.tensor(1)}] * 3, pad_token_id=0)

    assert batch["x"].shape == (3, 2)
    assert batch["labels"].tolist() == [1, 1, 1]


def test_the_collator_travels_to_data_loader_processes() -> None:
    collator = pickle.loads(pickle.dumps(Collator(pad_token_id=9)))

    assert collator([_text(5, labels=[5]), _text(6, 7, labels=[6, 7])])["input_ids"].tolist() == [[5, 9], [6, 7]]


def test_rows_kept_from_a_program_become_its_lists_again() -> None:
    boxes = [{"boxes": torch.ones(count, 4)} for count in (1, 3)]
    masks = [torch.zeros(count, 2, 2) for count in (1, 3)]
    rows: list[Any] = [
        {"labels": Entry(box, "list"), "mask_labels": Entry(mask, "list"), "scale": Whole(2.5)}
        for box, mask in zip(boxes, masks, strict=True)
    ]
    batch = collate(rows, pad_token_id=0)
    assert batch["labels"] == boxes
    assert [mask.shape for mask in batch["mask_labels"]] == [(1, 2, 2), (3, 2, 2)]
    assert batch["scale"] == 2.5

from __future__ import annotations

from typing import Any

import pytest
import torch

from accumcheck.rows.fingerprint import SampleIndex, fingerprint, rows_of


def _row(*ids: Any) -> Any:
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.ones(len(ids), dtype=torch.long)}


SAMPLES = [_row(5, 6, 7), _row(8, 9), _row(5, 6)]


def _batch(ids: Any, mask: Any = None) -> Any:
    batch = {"input_ids": torch.tensor(ids)}
    return batch if mask is None else {**batch, "attention_mask": torch.tensor(mask)}


@pytest.mark.parametrize(
    "batch",
    [
        _batch([[8, 9, 0], [5, 6, 7], [3, 4, 0]], [[1, 1, 0], [1, 1, 1], [1, 1, 0]]),  # padded right
        _batch([[0, 8, 9], [5, 6, 7], [0, 3, 4]], [[0, 1, 1], [1, 1, 1], [0, 1, 1]]),  # padded left
        _batch([[8, 9, 0], [5, 6, 7], [3, 4, 0]]),  # no mask
        _batch([[8, 9, 0, 0], [5, 6, 7, 0], [3, 4, 0, 0]], [[1, 1, 1, 1]] * 3),  # a mask that does not mask
    ],
)
def test_rows_are_found_whatever_their_padding(batch: Any) -> None:
    assert SampleIndex(SAMPLES).find(batch) == (1, 0, -1)


def test_the_padding_of_one_sample_does_not_make_it_another() -> None:
    assert SampleIndex(SAMPLES).find(_batch([[5, 6, 0]], [[1, 1, 0]])) == (2,)


def test_pixels_of_several_rows_do_not_matter_where_there_are_ids() -> None:
    batch = _batch([[8, 9], [5, 6]], [[1, 1], [1, 1]])

    assert rows_of({**batch, "pixel_values": torch.rand(5, 3, 4, 4)}) == rows_of(batch)


def test_floats_identify_a_row_without_ids_whatever_their_dtype() -> None:
    pixels = torch.arange(48.0).reshape(3, 4, 4) / 64
    one, other = {"pixel_values": pixels}, {"pixel_values": pixels + 1}

    assert fingerprint(one) == fingerprint({"pixel_values": pixels.bfloat16()})
    assert fingerprint(one) != fingerprint(other)
    assert SampleIndex([one, other]).find({"pixel_values": torch.stack([pixels + 1, pixels])}) == (1, 0)


def test_a_batch_without_tensors_has_no_rows() -> None:
    assert SampleIndex(SAMPLES).find({}) == ()

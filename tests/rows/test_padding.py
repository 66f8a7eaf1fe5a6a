"""Padding goes where a mask of the field's own name says so, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from accumcheck.rows.padding import cut_images, unpadded

IDS = torch.tensor([[1, 5, 6, 0], [1, 7, 8, 9]])
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])


def kept(name: str, *, encoder_decoder: bool = False, **fields: torch.Tensor) -> list[object]:
    return [row.tolist() for row in unpadded(fields, encoder_decoder=encoder_decoder)[name]]


def test_a_label_that_is_predicted_stays_where_the_mask_hides_its_position() -> None:
    labels = torch.tensor([[-100, 5, 6, 3], [-100, 7, 8, 9]])
    assert kept("input_ids", input_ids=IDS, attention_mask=MASK, labels=labels)[0] == [1, 5, 6, 0]
    assert kept("attention_mask", input_ids=IDS, attention_mask=MASK, labels=labels)[0] == [1, 1, 1, 0]
    assert kept("labels", input_ids=IDS, attention_mask=MASK, labels=labels)[0] == [-100, 5, 6, 3]


def test_padding_on_the_left_goes_and_a_hidden_position_within_a_row_stays() -> None:
    mask = torch.tensor([[0, 1, 0, 1], [1, 1, 1, 1]])
    assert kept("input_ids", input_ids=IDS, attention_mask=mask)[0] == [5, 6, 0]
    assert kept("attention_mask", input_ids=IDS, attention_mask=mask)[0] == [1, 0, 1]


def test_the_last_token_of_a_row_without_a_mask_stays_though_it_has_no_label() -> None:
    labels = torch.tensor([[4, -100, -100, -100], [-100, 3, -100, -100]])
    fields: dict[str, Any] = {"input_ids": torch.tensor([[1, 5, 0, 0], [1, 7, 8, 8]]), "labels": labels}
    assert kept("input_ids", **fields) == fields["input_ids"].tolist()
    assert kept("labels", **fields) == labels.tolist()


@pytest.mark.parametrize("told", [True, False])
def test_labels_of_an_encoder_decoder_are_never_cut_with_the_encoders_mask(told: bool) -> None:
    """Source and target are equally long; ``told``: the model's config says that it has a decoder."""
    labels = torch.tensor([[4, 3, 2, 1], [4, 3, -100, -100]])
    decoder = torch.tensor([[0, 4, 3, 2], [0, 4, 3, 0]])
    fields: dict[str, Any] = {"input_ids": IDS, "attention_mask": MASK, "labels": labels}
    if not told:
        fields["decoder_input_ids"] = decoder
        assert kept("decoder_input_ids", **fields) == [[0, 4, 3, 2], [0, 4]]
    assert kept("labels", encoder_decoder=told, **fields) == [[4, 3, 2, 1], [4, 3]]
    assert kept("input_ids", encoder_decoder=told, **fields) == [[1, 5, 6], [1, 7, 8, 9]]


def test_a_decoder_has_a_mask_of_its_own() -> None:
    fields: dict[str, Any] = {
        "input_ids": IDS,
        "attention_mask": MASK,
        "decoder_input_ids": torch.tensor([[0, 4, 3, 2], [0, 4, 0, 0]]),
        "decoder_attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
        "labels": torch.tensor([[4, 3, 2, 1], [4, 1, -100, -100]]),
    }
    assert kept("decoder_input_ids", **fields) == [[0, 4, 3, 2], [0, 4]]
    assert kept("labels", **fields) == [[4, 3, 2, 1], [4, 1]]
    assert kept("input_ids", **fields)[0] == [1, 5, 6]


def test_masks_go_by_the_names_of_their_fields() -> None:
    short, long = torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]]), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    fields: dict[str, Any] = {
        "prompts": IDS,
        "prompt_attention_mask": short,
        "input_ids_chosen": IDS,
        "attention_mask_chosen": long,
        "query_input_ids": IDS,
        "query_attention_mask": MASK,
    }
    assert kept("prompts", **fields)[0] == [5, 6, 0]
    assert kept("input_ids_chosen", **fields)[0] == [1, 5]
    assert kept("query_input_ids", **fields)[0] == [1, 5, 6]


def test_labels_that_belong_to_no_text_end_with_the_last_that_is_predicted() -> None:
    labels = torch.tensor([[4, 3, -100], [-100, -100, -100]])
    assert kept("labels", input_values=torch.rand(2, 50), labels=labels) == [[4, 3], [-100]]


def test_choices_of_one_row_keep_the_longest() -> None:
    ids = torch.tensor([[[1, 2, 0, 0], [1, 2, 3, 0]]])
    assert kept("input_ids", input_ids=ids, attention_mask=(ids != 0).long()) == [[[1, 2, 0], [1, 2, 3]]]


def test_features_that_are_as_many_as_tokens_by_chance_stay() -> None:
    features = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]])
    assert kept("features", input_ids=IDS, attention_mask=MASK, features=features)[0] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4]
    )
    assert kept("bbox", input_ids=IDS, attention_mask=MASK, bbox=MASK[..., None] * 7)[0] == [[7], [7], [7]]


def test_what_is_added_to_scores_is_no_mask_of_padding() -> None:
    added = torch.tensor([[0.0, 0.0, 0.0, -1e9], [0.0, 0.0, 0.0, 0.0]])
    assert kept("input_ids", input_ids=IDS, attention_mask=added)[0] == [1, 5, 6, 0]


def test_an_image_is_cut_to_what_its_mask_shows() -> None:
    mask = torch.zeros(1, 4, 5)
    mask[:, :3, :2] = 1
    row = cut_images({"pixel_values": torch.rand(1, 3, 4, 5), "pixel_mask": mask})
    assert (row["pixel_values"].shape, row["pixel_mask"].shape) == ((1, 3, 3, 2), (1, 3, 2))

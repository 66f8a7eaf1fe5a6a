"""What a sample of each task is made of; causal text and images have files of their own above this folder."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from accumcheck.config.model import ModelConfig
from accumcheck.rows.sample import Sample
from accumcheck.workload.data import build_samples
from accumcheck.workload.model import build_model
from tests.releases import require_model_type
from tests.workload.tiny import check

COUNT = 16


def samples(model_type: str, architecture: str, **config: Any) -> list[Sample]:
    """Samples of a shrunk model with the class ``architecture``."""
    model = ModelConfig(config={"model_type": model_type, **config}, shrink=True, architecture=architecture)
    return build_samples(check(model), build_model(model, seed=0, device="cpu"), COUNT)


def test_masked_text_replaces_what_is_predicted() -> None:
    for sample in samples("bert", "BertForMaskedLM"):
        predicted = sample["labels"] != -100
        # of n tokens 15 % to 40 % are predicted, rounded, and at least one
        assert 0.15 * len(predicted) - 0.5 <= int(predicted.sum()) <= 0.40 * len(predicted) + 0.5
        changed = sample["input_ids"][predicted] != sample["labels"][predicted]
        assert bool(changed.any()) or len(changed) < 3  # the other id is drawn, and may be the same


def test_tags_are_classes_of_some_tokens() -> None:
    for sample in samples("bert", "BertForTokenClassification", num_labels=5):
        tags = sample["labels"][sample["labels"] != -100]
        assert 0.30 * len(sample["labels"]) - 0.5 <= len(tags)
        assert bool(((tags >= 0) & (tags < 5)).all())


def test_a_class_is_one_label_for_a_row() -> None:
    found = samples("bert", "BertForSequenceClassification", num_labels=3)
    assert {int(sample["labels"]) for sample in found} == {0, 1, 2}
    assert {sample["labels"].shape for sample in found} == {torch.Size([])}


def test_the_problem_type_decides_what_a_label_is() -> None:
    many = samples("bert", "BertForSequenceClassification", num_labels=3, problem_type="multi_label_classification")
    assert {sample["labels"].shape for sample in many} == {torch.Size([3])}
    assert set(torch.stack([sample["labels"] for sample in many]).flatten().tolist()) == {0.0, 1.0}
    (number, *_) = samples("bert", "BertForSequenceClassification", num_labels=1)
    assert number["labels"].is_floating_point()


def test_encoder_decoders_classify_at_the_end_of_text() -> None:
    found = samples("bart", "BartForSequenceClassification")
    assert len({int(sample["input_ids"][-1]) for sample in found}) == 1


def test_choices_are_texts_of_one_length_of_which_one_is_right() -> None:
    for sample in samples("bert", "BertForMultipleChoice"):
        assert sample["input_ids"].shape == sample["attention_mask"].shape
        assert len(sample["input_ids"]) == 4
        assert 0 <= int(sample["labels"]) < 4


def test_an_answer_is_a_span_of_rows_of_one_length() -> None:
    found = samples("bert", "BertForQuestionAnswering")
    (length,) = {len(sample["input_ids"]) for sample in found}
    for sample in found:
        assert 0 <= int(sample["start_positions"]) <= int(sample["end_positions"]) < length
        assert "labels" not in sample


def test_a_target_is_text_of_its_own_length() -> None:
    found = samples("t5", "T5ForConditionalGeneration")
    assert any(len(sample["labels"]) != len(sample["input_ids"]) for sample in found)
    assert not any(bool((sample["labels"] == -100).any()) for sample in found)


@pytest.mark.parametrize(
    ("model_type", "architecture", "field"),
    [
        ("vit", "ViTForImageClassification", "pixel_values"),
        ("whisper", "WhisperForAudioClassification", "input_features"),
        ("wav2vec2", "Wav2Vec2ForCTC", "input_values"),
        ("whisper", "WhisperForConditionalGeneration", "input_features"),
    ],
)
def test_pixels_and_sounds_have_one_shape_and_differ(model_type: str, architecture: str, field: str) -> None:
    found = samples(model_type, architecture)
    assert len({sample[field].shape for sample in found}) == 1
    assert len({sample[field].flatten()[:32].numpy().tobytes() for sample in found}) == COUNT


def test_a_label_of_ctc_has_a_frame_and_one_more_between() -> None:
    model = ModelConfig(config={"model_type": "wav2vec2"}, shrink=True, architecture="Wav2Vec2ForCTC")
    built = build_model(model, seed=0, device="cpu")
    for sample in build_samples(check(model), built, COUNT):
        frames = built(input_values=sample["input_values"][None]).logits.shape[1]
        assert 2 * len(sample["labels"]) <= frames


def test_the_next_sentence_is_one_label_for_a_row() -> None:
    found = samples("bert", "BertForNextSentencePrediction")
    assert {int(sample["labels"]) for sample in found} == {0, 1}


def test_pre_training_restores_tokens_and_labels_the_row() -> None:
    found = samples("bert", "BertForPreTraining")
    assert {int(sample["next_sentence_label"]) for sample in found} == {0, 1}
    assert all(bool((sample["labels"] == -100).any()) for sample in found)
    assert all(bool((sample["labels"] != -100).any()) for sample in found)


def test_pre_training_without_a_label_of_the_row_tells_what_was_replaced() -> None:
    found = samples("electra", "ElectraForPreTraining")
    assert {int(label) for sample in found for label in sample["labels"]} == {0, 1}
    assert all(sample["labels"].shape == sample["input_ids"].shape for sample in found)


def test_frames_of_a_sound_have_one_speaker_each() -> None:
    for sample in samples("wav2vec2", "Wav2Vec2ForAudioFrameClassification", num_labels=3)[:4]:
        assert sample["labels"].shape[-1] == 3
        assert bool((sample["labels"].sum(dim=-1) == 1).all())


def test_a_video_has_frames() -> None:
    (first, second, *_) = samples("videomae", "VideoMAEForVideoClassification")
    assert first["pixel_values"].ndim == 5
    assert first["pixel_values"].shape[2] == 3
    assert not torch.equal(first["pixel_values"], second["pixel_values"])


def test_objects_lie_in_their_image() -> None:
    found = samples("yolos", "YolosForObjectDetection", num_labels=5)
    assert {len(sample["labels"]["boxes"]) for sample in found} == {1, 2, 3}
    for sample in found:
        middle, size = sample["labels"]["boxes"][:, :2], sample["labels"]["boxes"][:, 2:]
        assert bool((middle - size / 2 >= -1e-6).all())
        assert bool((middle + size / 2 <= 1 + 1e-6).all())
        assert bool((sample["labels"]["class_labels"] < 5).all())
        assert sample["labels"]["masks"].shape[1:] == sample["pixel_values"].shape[2:]


def test_every_pixel_has_a_class() -> None:
    for sample in samples("segformer", "SegformerForSemanticSegmentation", num_labels=4)[:2]:
        assert sample["labels"].shape == sample["pixel_values"].shape[2:]
        assert bool(((sample["labels"] >= 0) & (sample["labels"] < 4)).all())


def test_segments_have_masks_that_share_out_the_image() -> None:
    for sample in samples("maskformer", "MaskFormerForInstanceSegmentation")[:2]:
        assert len(sample["mask_labels"]) == len(sample["class_labels"])
        assert bool((sample["mask_labels"].sum(dim=0) == 1).all())


@pytest.mark.parametrize(("model_type", "architecture"), [("bros", "BrosForTokenClassification")])
def test_tokens_that_stand_on_a_page_have_boxes(model_type: str, architecture: str) -> None:
    for sample in samples(model_type, architecture):
        assert sample["bbox"].shape == (len(sample["input_ids"]), 4)
        assert bool((sample["bbox"][:, 2:] > sample["bbox"][:, :2]).all())


def test_characters_need_no_table_of_embeddings() -> None:
    for sample in samples("canine", "CanineForTokenClassification"):
        assert int(sample["input_ids"].max()) < 256


def test_a_sound_in_a_text_has_a_token_for_each_of_its_features() -> None:
    (first, second, *_) = samples("qwen2_audio", "Qwen2AudioForConditionalGeneration")
    assert not torch.equal(first["input_features"], second["input_features"])
    assert bool((first["labels"] == -100).any())


def test_patches_with_their_grid_are_images_to_classify() -> None:
    require_model_type("siglip2")
    (sample, *_) = samples("siglip2", "Siglip2ForImageClassification")
    assert sample["pixel_values"].shape == (1, 4, 3 * 4 * 4)
    assert sample["spatial_shapes"].tolist() == [[2, 2]]
    assert sample["labels"].shape == ()


def test_a_detector_reads_a_name_for_each_class() -> None:
    require_model_type("grounding-dino")
    for sample in samples("grounding-dino", "GroundingDinoForObjectDetection", num_labels=3):
        # its delimiters are 101, 102, 1012 and 1029, of which the first two are in the small vocabulary
        ids = sample["input_ids"].tolist()
        assert ids[0] == 101
        assert [place for place, token in enumerate(ids) if token == 102] == [12, 24, 36]  # (8 + 64) / 2 / 3 tokens
        assert 101 not in ids[1:]
        assert sample["labels"]["class_labels"].max() < 3

from __future__ import annotations

from typing import Any

import pytest
import torch

from accumcheck.config.model import ModelConfig
from accumcheck.errors import NoMediaError
from accumcheck.rows.collate import Collator
from accumcheck.workload.data import build_samples
from accumcheck.workload.model import build_model
from tests.releases import require_model_type, since
from tests.workload.tiny import LLAVA, check


def _llava(**fields: Any) -> Any:
    config = ModelConfig(config={**LLAVA, **fields})
    return config, build_model(config, seed=0, device="cpu")


@pytest.mark.parametrize(("strategy", "features"), [("default", 4), ("full", 5)])
def test_llava_gets_one_token_per_image_feature(strategy: Any, features: Any) -> None:
    config, model = _llava(vision_feature_select_strategy=strategy)
    sample = build_samples(check(config), model, 1)[0]

    assert int((sample["input_ids"] == 95).sum()) == features
    assert model.config.image_seq_length == features
    assert sample["pixel_values"].shape == (1, 3, 32, 32)


def test_image_tokens_are_never_predicted() -> None:
    config, model = _llava()

    for sample in build_samples(check(config), model, 16):
        assert bool((sample["labels"][sample["input_ids"] == 95] == -100).all())


def test_lengths_do_not_count_an_images_tokens() -> None:
    config, model = _llava()
    samples = build_samples(check(config, min_length=10, max_length=10, images_per_sample=3), model, 2)

    assert [len(sample["input_ids"]) for sample in samples] == [10 + 3 * 4] * 2
    assert samples[0]["pixel_values"].shape == (3, 3, 32, 32)


def test_pixels_are_the_same_in_every_dtype() -> None:
    pixels = []
    for dtype in ("float32", "bfloat16"):
        config = ModelConfig(config=LLAVA, dtype=dtype)
        model = build_model(config, seed=0, device="cpu")
        pixels.append(build_samples(check(config), model, 1)[0]["pixel_values"])

    assert [value.dtype for value in pixels] == [torch.float32, torch.bfloat16]
    assert torch.equal(pixels[0], pixels[1].float())
    assert float(pixels[0].std()) > 1


def test_a_sample_may_have_no_image() -> None:
    config, model = _llava()

    assert set(build_samples(check(config, images_per_sample=0), model, 1)[0]) == {
        "input_ids",
        "labels",
        "attention_mask",
    }


def test_a_default_image_token_beyond_a_small_vocabulary_moves_into_it() -> None:
    config = ModelConfig(config={name: value for name, value in LLAVA.items() if name != "image_token_index"})
    model = build_model(config, seed=0, device="cpu")

    assert int((build_samples(check(config), model, 1)[0]["input_ids"] == 95).sum()) == 4


GUESSED = ["blip", "blip-2", "git", "fuyu", "idefics", "lfm2_vl", "deepseek_vl_hybrid"]
"""Whose images are found by what the model says of guesses."""


@pytest.mark.parametrize("model_type", GUESSED)
def test_a_guessed_layout_gives_every_sample_its_own_image(model_type: str) -> None:
    config = ModelConfig(config={"model_type": model_type}, shrink=True, dtype="float64")
    model = build_model(config, seed=0, device="cpu")
    samples = build_samples(check(config, max_length=16), model, 2)
    collator = Collator.of(model)
    assert not torch.equal(samples[0]["pixel_values"], samples[1]["pixel_values"])
    changed = {**samples[0], "pixel_values": samples[1]["pixel_values"]}
    with torch.no_grad():
        alone, together, other = (float(model(**collator(some)).loss) for some in ([samples[0]], samples, [changed]))
    assert alone != pytest.approx(other, rel=1e-6)  # the image is seen
    assert together != pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("model_type", ["llava_next", "paligemma", "gemma3", "qwen2_vl", "qwen2_5_vl", "idefics3"])
@since("4.57.0", "some of these models take their images in another way")
def test_a_batch_has_the_token_weighted_mean_loss_of_its_samples(model_type: str, images: Any) -> None:
    require_model_type(model_type)
    config = ModelConfig(config={"model_type": model_type}, shrink=True, dtype="float64")
    model = build_model(config, seed=0, device="cpu")
    samples = build_samples(check(config, max_length=16, images_per_sample=images), model, 3)
    collator = Collator.of(model)
    with torch.no_grad():
        alone = [float(model(**collator([sample])).loss) for sample in samples]
        together = float(model(**collator(samples)).loss)
    tokens = [int((sample["labels"][1:] != -100).sum()) for sample in samples]

    expected = sum(loss * count for loss, count in zip(alone, tokens, strict=True)) / sum(tokens)
    assert together == pytest.approx(expected, rel=1e-5)


def test_an_architecture_that_takes_no_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModelConfig(config={"model_type": "git"}, shrink=True)
    model = build_model(config, seed=0, device="cpu")
    monkeypatch.setattr("accumcheck.workload.image_search._said", lambda *_: "ValueError: not like this")

    with pytest.raises(NoMediaError, match=r"for model type 'git' \(ValueError: not like this\)"):
        build_samples(check(config), model, 1)


def test_a_patch_gets_the_width_that_the_model_names() -> None:
    config = ModelConfig(
        config={"model_type": "pix2struct"}, shrink=True, architecture="Pix2StructForConditionalGeneration"
    )
    model = build_model(config, seed=0, device="cpu")
    patches = build_samples(check(config), model, 1)[0]["flattened_patches"]

    assert patches.shape == (4, 2 + model.config.vision_config.patch_embed_hidden_size)
    assert patches[:, :2].tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_every_token_attends_to_every_image() -> None:
    config = ModelConfig(config={"model_type": "idefics"}, shrink=True, architecture="IdeficsForVisionText2Text")
    model = build_model(config, seed=0, device="cpu")
    samples = build_samples(check(config, images_per_sample=2), model, 2)
    batch = Collator.of(model)(samples)

    for sample in samples:
        assert sample["image_attention_mask"].shape == (1, len(sample["input_ids"]), 2)
        assert bool((sample["image_attention_mask"] == 1).all())
    longest = max(len(sample["input_ids"]) for sample in samples)
    assert batch["image_attention_mask"].shape == (2, longest, 2)


def test_a_mask_marks_the_placeholders_of_a_model_without_an_image_token() -> None:
    config = ModelConfig(config={"model_type": "kosmos-2"}, shrink=True)
    model = build_model(config, seed=0, device="cpu")
    for sample in build_samples(check(config), model, 2):
        marked = sample["image_embeds_position_mask"][0].bool()
        assert int(marked.sum()) == model.config.latent_query_num == 64
        assert len(set(sample["input_ids"][marked].tolist())) == 1
        assert bool((sample["labels"][marked] == -100).all())

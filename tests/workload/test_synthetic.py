from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from accumcheck.config.model import ModelConfig
from accumcheck.errors import WorkloadError
from accumcheck.workload.data import build_samples
from accumcheck.workload.model import build_model
from tests.workload.tiny import LLAMA, LLAVA, check

MODEL = ModelConfig(config={**LLAMA, "bos_token_id": 40, "eos_token_id": 41, "pad_token_id": 42})


@pytest.fixture(scope="module")
def model() -> Any:
    return build_model(MODEL, seed=0, device="cpu")


def _lengths(samples: Any) -> Any:
    return [len(sample["input_ids"]) for sample in samples]


def _predicted(samples: Any) -> Any:
    """Predicted tokens per sample: the label at position 0 is never predicted by a causal model."""
    return [int((sample["labels"][1:] != -100).sum()) for sample in samples]


def test_lengths_are_spread_over_the_range_and_neighbours_differ(model: Any) -> None:
    lengths = _lengths(build_samples(check(MODEL, min_length=8, max_length=64), model, 200))

    assert min(lengths) >= 8
    assert max(lengths) <= 64
    assert min(lengths) < 12
    assert max(lengths) > 60
    assert all(abs(a - b) > 7 for a, b in pairwise(lengths))


def test_equal_lengths_have_equal_labels_too(model: Any) -> None:
    samples = build_samples(
        check(MODEL, min_length=8, max_length=24, prompt_fraction=(0.0, 0.5), lengths="equal"), model, 16
    )

    assert set(_lengths(samples)) == {16}
    assert set(_predicted(samples)) == {12}  # a prompt of a quarter of 16


def test_the_prompt_is_a_masked_prefix_and_all_else_is_predicted(model: Any) -> None:
    samples = build_samples(check(MODEL, prompt_fraction=(0.2, 0.5)), model, 64)

    for sample in samples:
        masked = sample["labels"] == -100
        prompt = int(masked.sum())
        assert bool(masked[:prompt].all())
        assert torch.equal(sample["labels"][prompt:], sample["input_ids"][prompt:])
        assert 0.2 * len(masked) - 1 < prompt <= 0.5 * len(masked)


def test_a_fraction_from_zero_leaves_some_samples_without_prompt(model: Any) -> None:
    samples = build_samples(check(MODEL, prompt_fraction=(0.0, 0.5)), model, 64)

    assert 8 <= sum(int(sample["labels"][0]) != -100 for sample in samples) <= 32


def test_at_least_two_tokens_are_predicted_however_short_the_sample(model: Any) -> None:
    samples = build_samples(check(MODEL, min_length=1, max_length=4, prompt_fraction=(1.0, 1.0)), model, 32)

    assert min(_predicted(samples)) == 2
    assert min(_lengths(samples)) == 3


def test_no_sample_holds_a_special_token_or_repeats_another(model: Any) -> None:
    samples = build_samples(check(MODEL, min_length=3, max_length=5), model, 300)

    assert not {40, 41, 42} & {int(token) for sample in samples for token in sample["input_ids"]}
    assert len({tuple(sample["input_ids"].tolist()) for sample in samples}) == 300


def test_a_sample_depends_on_the_seed_and_its_place_only(model: Any) -> None:
    few, many = (build_samples(check(MODEL), model, count) for count in (4, 9))
    other = build_samples(check(MODEL, seed=1), model, 4)

    assert all(torch.equal(a["input_ids"], b["input_ids"]) for a, b in zip(few, many, strict=False))
    assert not any(torch.equal(a["input_ids"], b["input_ids"]) for a, b in zip(few, other, strict=True))


def test_a_vocabulary_without_ordinary_ids_is_refused() -> None:
    tiny = ModelConfig(config={**LLAMA, "vocab_size": 3, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2})
    model = build_model(tiny, seed=0, device="cpu")

    with pytest.raises(WorkloadError, match="all 3 ids of the vocabulary are special tokens"):
        build_samples(check(tiny), model, 2)


def test_an_architecture_without_samples_is_named() -> None:
    speech = ModelConfig(config={"model_type": "speecht5"}, shrink=True, architecture="SpeechT5ForSpeechToSpeech")
    bare = ModelConfig(config=LLAVA, architecture="LlamaModel")

    with pytest.raises(
        WorkloadError,
        match=r"SpeechToSpeech: no samples can be made .* supported tasks: audio-classification, ",
    ):
        build_samples(check(speech), build_model(speech, seed=0, device="cpu"), 2)
    with pytest.raises(WorkloadError, match=r"LlamaModel computes no loss"):
        build_samples(check(bare), build_model(bare, seed=0, device="cpu"), 2)

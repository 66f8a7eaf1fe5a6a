"""The task of a class, by its registry or its name."""

from __future__ import annotations

import pytest

from accumcheck.survey.tasks import named_task, registry_task


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("DetrForObjectDetection", "object-detection"),
        ("BertForPreTraining", "pre-training"),
        ("XForCausalLM", "causal-lm"),
        ("XLMWithLMHeadModel", "causal-lm"),
        ("WavForCTC", "ctc"),
        ("UniSpeechSatForXVector", "audio-xvector"),
        ("EncoderDecoderModel", "encoder-decoder-model"),
    ],
)
def test_by_name(name: str, task: str) -> None:
    assert named_task(name) == task


@pytest.mark.parametrize(
    ("registry", "task"),
    [("CAUSAL_LM", "causal-lm"), ("VISION_2_SEQ", "image-text-to-text"), ("AUDIO_XVECTOR", "audio-xvector")],
)
def test_by_registry(registry: str, task: str) -> None:
    assert registry_task(registry) == task

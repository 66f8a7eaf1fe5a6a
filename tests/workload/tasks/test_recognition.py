"""Which task a head is: what it is called, what it takes, whether it generates."""

from __future__ import annotations

import pytest
import transformers

from accumcheck.errors import WorkloadError
from accumcheck.workload.tasks.protocol import Head
from accumcheck.workload.tasks.registry import TASKS, task_of

TEXT, IMAGES, BOTH = {"input_ids", "labels"}, {"pixel_values", "labels"}, {"input_ids", "pixel_values", "labels"}


def fitting(name: str, takes: set[str], *, generates: bool = False, encodes: bool = False) -> list[str]:
    """Every task that fits, the first of which is taken."""
    head = Head((name, "PreTrainedModel"), frozenset(takes), generates, encodes)
    return [task.name for task in TASKS if task.fits(head)]


@pytest.mark.parametrize(
    ("name", "takes", "generates", "encodes", "task"),
    [
        ("MineForCausalLM", TEXT, True, False, "causal-text"),
        ("MineForConditionalGeneration", BOTH, True, False, "image-text"),
        ("MineForConditionalGeneration", TEXT, True, True, "seq2seq-text"),
        ("MineForConditionalGeneration", {"input_features", "labels"}, True, True, "speech-seq2seq"),
        ("MineForMaskedLM", TEXT, False, False, "masked-text"),
        ("MineForSequenceClassification", TEXT, False, False, "sequence-classification"),
        ("MineForTokenClassification", TEXT, False, False, "token-classification"),
        ("MineForMultipleChoice", TEXT, False, False, "multiple-choice"),
        ("MineForQuestionAnswering", {"input_ids", "start_positions"}, False, False, "question-answering"),
        ("MineForImageClassification", IMAGES, False, False, "image-classification"),
        ("MineForAudioClassification", {"input_values", "labels"}, False, False, "audio-classification"),
        ("MineForCTC", {"input_values", "labels"}, False, False, "ctc"),
    ],
)
def test_a_head_is_known_by_its_name_and_inputs(
    name: str, takes: set[str], generates: bool, encodes: bool, task: str
) -> None:
    assert fitting(name, takes, generates=generates, encodes=encodes)[:1] == [task]


@pytest.mark.parametrize(
    ("name", "takes", "generates"),
    [
        ("MineForCausalLM", TEXT, False),  # computes no loss for what it generates
        ("MineForCausalLM", {*TEXT, "input_features"}, True),  # sound beside text
        ("MineForImageClassification", TEXT, False),  # takes no pixels
        ("MineForNextSentencePrediction", TEXT, False),
    ],
)
def test_what_fits_no_task_is_none(name: str, takes: set[str], generates: bool) -> None:
    assert fitting(name, takes, generates=generates) == []


def test_one_that_is_registered_to_generate_is_not_masked() -> None:
    # XLM is in transformers' registries of causal and of masked heads
    assert fitting("XLMWithLMHeadModel", TEXT, generates=True) == ["causal-text"]
    assert fitting("XLMWithLMHeadModel", TEXT) == ["masked-text"]


def test_the_head_is_read_off_the_model() -> None:
    sizes = {"d_model": 8, "d_ff": 8, "d_kv": 4, "num_layers": 1, "num_heads": 2, "vocab_size": 32}
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes))
    head = Head.of(model)
    assert (head.classes[0], head.generates, head.encodes) == ("T5ForConditionalGeneration", True, True)
    assert {"input_ids", "labels"} <= head.takes
    assert task_of(model).name == "seq2seq-text"


def test_no_two_tasks_share_a_name() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS) == 12


def test_an_unknown_head_is_an_error_with_what_is_known() -> None:
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = transformers.BertForNextSentencePrediction(transformers.BertConfig(vocab_size=32, **sizes))
    with pytest.raises(WorkloadError) as raised:
        task_of(model)
    assert str(raised.value) == (
        "BertForNextSentencePrediction: no samples can be made for this architecture; supported are "
        "audio-classification, causal-text, ctc, image-classification, image-text, masked-text, multiple-choice, "
        "question-answering, seq2seq-text, sequence-classification, speech-seq2seq, token-classification"
    )

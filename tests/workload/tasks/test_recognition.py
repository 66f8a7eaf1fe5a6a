"""Which task a head is: what it is called, what it takes, whether it generates."""

from __future__ import annotations

from pathlib import Path

import pytest
import transformers

from accumcheck.config.model import ModelConfig
from accumcheck.errors import WorkloadError
from accumcheck.workload import tasks
from accumcheck.workload.model import build_model
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
        ("MineForCausalLM", {*TEXT, "input_features"}, True, False, "audio-text"),
        ("MineForConditionalGeneration", BOTH, True, True, "image-seq2seq"),
        ("MineForNextSentencePrediction", TEXT, False, False, "next-sentence-prediction"),
        ("MineForPreTraining", {*TEXT, "next_sentence_label"}, False, False, "pre-training"),
        ("MineForXVector", {"input_values", "labels"}, False, False, "audio-classification"),
        ("MineForAudioFrameClassification", {"input_values", "labels"}, False, False, "audio-frame-classification"),
        ("MineForVideoClassification", IMAGES, False, False, "video-classification"),
        ("MineForObjectDetection", IMAGES, False, False, "objects"),
        ("MineForSemanticSegmentation", IMAGES, False, False, "dense-images"),
        ("MineForDepthEstimation", IMAGES, False, False, "dense-images"),
        (
            "MineForUniversalSegmentation",
            {"pixel_values", "mask_labels", "class_labels"},
            False,
            False,
            "universal-segmentation",
        ),
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
        ("MineForImageClassification", TEXT, False),  # takes no pixels
        ("MineForEntityClassification", TEXT, False),
        ("MineForPreTraining", {*TEXT, "pixel_values"}, False),  # of images beside text
    ],
)
def test_a_head_of_no_known_kind_is_fed_what_its_documentation_says(
    name: str, takes: set[str], generates: bool
) -> None:
    assert fitting(name, takes, generates=generates) == ["documented"]


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("MineForSpeechToSpeech", {"input_values", "labels"}),
        ("MineModel", {"input_ids", "pixel_values"}),  # without labels
        ("MineForPointing", {"pixel_values", "input_labels"}),  # the points of a prompt
    ],
)
def test_what_fits_no_task_is_none(name: str, takes: set[str]) -> None:
    assert fitting(name, takes) == []


def test_one_that_is_registered_to_generate_is_not_masked() -> None:
    # XLM is in transformers' registries of causal and of masked heads
    assert fitting("XLMWithLMHeadModel", TEXT, generates=True)[0] == "causal-text"
    assert fitting("XLMWithLMHeadModel", TEXT)[0] == "masked-text"


def test_the_head_is_read_off_the_model() -> None:
    sizes = {"d_model": 8, "d_ff": 8, "d_kv": 4, "num_layers": 1, "num_heads": 2, "vocab_size": 32}
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes))
    head = Head.of(model)
    assert (head.classes[0], head.generates, head.encodes) == ("T5ForConditionalGeneration", True, True)
    assert {"input_ids", "labels"} <= head.takes
    assert task_of(model).name == "seq2seq-text"


def test_every_file_has_a_task_of_its_own_name() -> None:
    files = {path.stem for path in Path(tasks.__file__).parent.glob("*.py")} - {"__init__", "protocol", "registry"}
    assert len({task.name for task in TASKS}) == len(TASKS) == len(files)


def test_an_unknown_head_is_an_error_with_what_is_known() -> None:
    speech = ModelConfig(config={"model_type": "speecht5"}, shrink=True, architecture="SpeechT5ForSpeechToSpeech")
    model = build_model(speech, seed=0, device="cpu")
    with pytest.raises(WorkloadError) as raised:
        task_of(model)
    known = ", ".join(sorted(task.name for task in TASKS))
    assert str(raised.value) == (
        f"SpeechT5ForSpeechToSpeech: no samples can be made for this architecture; supported tasks: {known}"
    )

"""The JSON Schema and the loader accept and reject the same."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from accumcheck.config.load import load_config
from accumcheck.config.model import CheckConfig
from accumcheck.config.schema import config_schema
from accumcheck.config.values import SplitKeys
from accumcheck.declare.keys import Number, Section, keys_of
from accumcheck.errors import ConfigError
from accumcheck.record.texts import texts_below_fields

SMALL = "model: {name_or_path: gpt2}\nglobal_batch_size: 8\n"
WITH_SPLITS = SMALL + "splits: [1x8x1]\n"
BATCH = "global_batch_size: 8\nsplits: [1x8x1]\n"

ACCEPTED = [
    WITH_SPLITS,
    SMALL + "splits: auto",
    SMALL + "splits: [' 1 X 8 x 1 ', {n: 1, b: 2, k: 4}, {num_processes: 1, micro_batch_size: 4, k: 2}]",
    WITH_SPLITS + "model_revision: v1",
    WITH_SPLITS + "sequence_len: 32",
    WITH_SPLITS + "tolerances: {loss: auto, grad_norm: 0.1, gradient: null}",
    WITH_SPLITS + "severity: {token-mean*k: warn, sample-mean/k*n: fail, unshifted-device-mean/n: ignore}",
    WITH_SPLITS
    + "severity: {dropped-samples: warn, duplicated-samples: warn, unsynchronised: warn, unexplained: warn}",
    WITH_SPLITS + "data: {synthetic: {prompt_fraction: [0, 0.9]}}",
    WITH_SPLITS + "data: {synthetic: null, jsonl: null, dataset: {name_or_path: a}, text_column: t}",
    WITH_SPLITS + "launcher: {device: gpu, nnodes: 2, node_rank: 1, rdzv_endpoint: 'h:1'}",
    WITH_SPLITS + "training_arguments: {a: [1, {b: null}]}",
    WITH_SPLITS + "{steps: 2, trajectory_steps: 3, stack: trainer, seed: 4}".strip("{}").replace(", ", "\n"),
    BATCH + "base_model: gpt2",
    BATCH + "base_model: gpt2\nmodel: {dtype: half}",
    BATCH + "model: {config: {model_type: llama, x: 1}, name_or_path: null}",
    "model: {name_or_path: gpt2}\nsplits: [1x8x1]\ntrain_batch_size: 8",
]
REJECTED = [
    "[]",
    "{}",
    SMALL,
    BATCH,
    BATCH + "model: {}",
    BATCH + "model: gpt2",
    BATCH + "model: {name_or_path: null}",
    BATCH + "model: {name_or_path: gpt2, config: {model_type: llama}}",
    BATCH + "base_model: gpt2\nmodel: {config: {model_type: llama}}",
    BATCH + "base_model: gpt2\nmodel: {name_or_path: gpt2}",
    BATCH + "model: {config: {}}",
    BATCH + "model: {name_or_path: gpt2, dtype: int8}",
    BATCH + "model: {name_or_path: gpt2, dtype: fp16, torch_dtype: fp16}",
    BATCH + "model: {name_or_path: gpt2, architecture: A B}",
    BATCH + "model: {name_or_path: '  '}",
    BATCH + "model: {name_or_path: gpt2, extra: 1}",
    WITH_SPLITS + "train_batch_size: 8",
    WITH_SPLITS + "stepz: 3",
    WITH_SPLITS + "steps: '3'",
    WITH_SPLITS + "steps: true",
    WITH_SPLITS + "steps: 0",
    WITH_SPLITS + "steps:",
    WITH_SPLITS + "seed: 4294967296",
    WITH_SPLITS + "stack: llamafactory",
    WITH_SPLITS + "script: {path: train.py}",
    WITH_SPLITS + "micro_batch_size: 3",
    WITH_SPLITS + "sequence_len: 1",
    WITH_SPLITS + "training_arguments: {max_steps: 3}",
    WITH_SPLITS + "training_arguments: []",
    WITH_SPLITS + "severity: {micro-mean: warn}",
    WITH_SPLITS + "severity: {token-mean*k*k: warn}",
    WITH_SPLITS + "severity: {token-mean: error}",
    WITH_SPLITS + "tolerances: {loss: 0}",
    WITH_SPLITS + "tolerances: {loss: auto8}",
    WITH_SPLITS + "launcher: {timeout: 0}",
    WITH_SPLITS + "launcher: {oversubscribe: 1}",
    WITH_SPLITS + "launcher: {rdzv_endpoint: host}",
    WITH_SPLITS + "data: {synthetic: {min_length: 1}}",
    WITH_SPLITS + "data: {synthetic: {prompt_fraction: [0.5]}}",
    WITH_SPLITS + "data: {synthetic: {prompt_fraction: [0.5, 1]}}",
    WITH_SPLITS + "data: {synthetic: {}, dataset: {name_or_path: a}}",
    WITH_SPLITS + "data: {dataset: {split: train}}",
    WITH_SPLITS + "data: {dataset: {name_or_path: a}, text_column: a, messages_column: b}",
    SMALL + "splits: []",
    SMALL + "splits: 1x8x1",
    SMALL + "splits: [1x8x1, 1x8x1]",
    SMALL + "splits: [1x8]",
    SMALL + "splits: [0x8x1]",
    SMALL + "splits: [[1, 8, 1]]",
    SMALL + "splits: [{n: 1, b: 8}]",
    SMALL + "splits: [{n: 1, num_processes: 1, b: 8, k: 1}]",
    SMALL + "splits: [{n: 1, b: 8, k: 1, x: 1}]",
]


def test_it_is_a_schema_of_its_draft() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())
    assert config_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("text", ACCEPTED)
def test_both_accept(text: str, tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text(text)
    load_config(tmp_path / "check.yaml")
    jsonschema.Draft202012Validator(config_schema()).validate(yaml.safe_load(text))


@pytest.mark.parametrize("text", REJECTED)
def test_both_reject(text: str, tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load_config(tmp_path / "check.yaml")
    assert not jsonschema.Draft202012Validator(config_schema()).is_valid(yaml.safe_load(text))


def test_the_quickstart_fits_the_schema() -> None:
    text = (Path(__file__).parents[2] / "configs" / "quickstart.yaml").read_text()
    jsonschema.Draft202012Validator(config_schema()).validate(yaml.safe_load(text))


def test_a_key_says_its_meaning_its_choices_and_its_default() -> None:
    properties = config_schema()["properties"]
    assert properties["launcher"]["properties"]["timeout"] == {
        "description": "Seconds that one split may take.",
        "type": "number",
        "minimum": 1,
        "maximum": 2592000,
        "default": 600.0,
    }
    assert properties["data"]["properties"]["synthetic"]["anyOf"][0]["properties"]["lengths"] == {
        "description": "Whether samples differ in length; equal ones hide faults.",
        "type": "string",
        "enum": ["varied", "equal"],
        "default": "varied",
    }
    assert properties["tolerances"]["properties"]["loss"]["default"] == "auto"
    assert "default" not in properties["model"]["properties"]["weights"]
    assert properties["base_model"]["description"] == "Another name of model.name_or_path."


def sections(section: type[Section]) -> Iterator[type[Section]]:
    yield section
    for declared in keys_of(section).values():
        if declared.section is not None:
            yield from sections(declared.section)


@pytest.mark.parametrize("section", [*sections(CheckConfig), SplitKeys], ids=lambda section: section.__name__)
def test_every_key_is_declared_with_its_meaning_and_every_number_has_bounds(section: type[Section]) -> None:
    assert list(keys_of(section)) == [place.name for place in dataclasses.fields(section)]  # type: ignore[arg-type]
    meaning = config_schema() if section is CheckConfig else {"properties": {}}
    described = {
        **texts_below_fields(section),
        **{name: key["description"] for name, key in meaning["properties"].items()},
    }
    for name, declared in keys_of(section).items():
        assert described[name].endswith(".")
        assert (declared.kind in (int, float)) == (declared.find(Number) is not None)

"""The subject of a script for a stack that trains on texts: a small model, short texts, and relevant arguments."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from accumcheck.record import Report
from accumcheck.reproduce.case import Field, NotReproducedError, Subject
from accumcheck.reproduce.scripts.registry import SET_BY_TEXTS
from accumcheck.reproduce.scripts.texts import SPECIAL, WORDS
from accumcheck.starters.training_arguments import GRADIENT_FIELDS

_LLAMA = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}
_BERT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
_COMMON = {"vocab_size": 32, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
_MODELS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "trl-sft": ("llama", _LLAMA, "LlamaForCausalLM"),
    "trl-dpo": ("llama", _LLAMA, "LlamaForCausalLM"),
    "trl-reward": ("llama", _LLAMA, "LlamaForSequenceClassification"),
    "sentence-transformers": ("bert", _BERT, "BertModel"),
}
"""The model's type, sizes and class, by stack."""
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "trl-sft": ("text",),
    "trl-dpo": ("prompt", "chosen", "rejected"),
    "trl-reward": ("chosen", "rejected"),
}
_LENGTHS = (6, 2, 4, 3, 5, 2, 6, 3)
"""The number of words in the texts of each row. Micro-batches differ in length too."""
_PAIRS = {"sentence1": "", "sentence2": "", "score": 0.5}
"""The row for sentence-transformers if the data of the report cannot be read."""
OF_TRL = (
    "assistant_only_loss",
    "beta",
    "center_rewards_coefficient",
    "completion_only_loss",
    "discopop_tau",
    "dpo_alpha",
    "f_divergence_type",
    "label_smoothing",
    "ld_alpha",
    "loss_type",
    "loss_weights",
    "packing",
    "padding_free",
    "reference_free",
    "rpo_alpha",
    "use_logits_to_keep",
    "use_weighting",
)
"""Fields of TRL's own classes that can change a loss or a gradient."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a report says about a program that trains on texts.

    Attributes:
        stack: the name of the stack.
        arguments: training arguments that can change a loss or a gradient.
        loss: for sentence-transformers, the class of the loss and its arguments.
        row: one row of the data. Only its columns and the types of its values are used.
    """

    stack: str
    arguments: Mapping[str, Any]
    loss: tuple[str, Mapping[str, Any]]
    row: Mapping[str, Any]


def program_of(report: Report) -> Program:
    """The program of a report.

    Raises:
        NotReproducedError: the configuration names no loss, or a file that it needs cannot be read.
    """
    config = report.config
    stack = str(config.get("stack", ""))
    given = dict(config.get("training_arguments") or {})
    if stack == "sentence-transformers":
        section = config.get("sentence_transformers")
        if not isinstance(section, Mapping) or not isinstance(section.get("loss"), str):
            raise NotReproducedError("the report's configuration names no loss")
        loss = section["loss"], dict(section.get("loss_arguments") or {})
        return Program(stack, _relevant(given), loss, _first_row(str(section.get("train", ""))))
    section = config.get("trl")
    words = section.get("arguments", []) if isinstance(section, Mapping) else []
    flags = dict(_flags_in([str(word) for word in words]))
    return Program(stack, _relevant({**flags, **given}), ("", {}), dict.fromkeys(_COLUMNS[stack], ""))


def subject_of_texts(program: Program, rows: int, longest: int) -> Subject:
    """A small model, and rows of texts with different lengths.

    Args:
        program: the rows have its columns and types.
        rows: the number of rows.
        longest: the number of words in the longest text.
    """
    model_type, sizes, model_class = _MODELS[program.stack]
    drawn = random.Random(0)
    made = tuple(
        {
            name: Field(_value(value, drawn, min(_LENGTHS[at % len(_LENGTHS)], longest)))
            for name, value in program.row.items()
        }
        for at in range(rows)
    )
    config = {**sizes, **_COMMON}
    if model_type == "bert":
        config = {name: value for name, value in config.items() if name not in ("bos_token_id", "eos_token_id")}
    return Subject(model_type, config, model_class, "rows", made)


def _value(like: Any, drawn: random.Random, length: int) -> Any:
    if isinstance(like, str):
        letters = [word for word in WORDS if word not in SPECIAL]
        return " ".join(drawn.choices(letters, k=length))
    if isinstance(like, int):
        return drawn.randint(0, 1)
    return round(drawn.random(), 1)


def _relevant(flags: Mapping[str, Any]) -> dict[str, Any]:
    fields = {*GRADIENT_FIELDS, *OF_TRL} - SET_BY_TEXTS
    return {name: value for name, value in flags.items() if name in fields and value not in (None, False, "", [], {})}


def _flags_in(words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The flags of a command line with their values. Those in a YAML file on the command line come first."""
    pairs: list[tuple[str, Any]] = []
    for at, word in enumerate(words):
        name, is_joined, value = word.partition("=")
        if not name.startswith("--"):
            continue
        following = words[at + 1] if at + 1 < len(words) else ""
        text = value if is_joined else "true" if not following or following.startswith("--") else following
        if name == "--config":
            yield from _of_yaml(text)
        elif "{" not in text:
            pairs.append((name.removeprefix("--").replace("-", "_"), _typed(text)))
    yield from pairs


def _of_yaml(name: str) -> Iterator[tuple[str, Any]]:
    try:
        flags = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise NotReproducedError(f"{name}, the configuration of the run, cannot be read: {error}") from None
    if isinstance(flags, dict):
        yield from ((str(key), value) for key, value in flags.items())


def _typed(text: str) -> Any:
    if re.fullmatch(r"-?\d+(\.\d*)?([eE][-+]?\d+)?", text):
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return {"true": True, "false": False, "none": None, "null": None}.get(text.lower(), text)


def _first_row(name: str) -> dict[str, Any]:
    try:
        with Path(name).open(encoding="utf-8") as stream:
            row = json.loads(stream.readline())
    except (OSError, ValueError):
        return dict(_PAIRS)
    kinds = (str, int, float)
    return row if isinstance(row, dict) and all(isinstance(one, kinds) for one in row.values()) else dict(_PAIRS)

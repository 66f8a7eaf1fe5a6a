"""Choose correct runs at random. Case number N is always the same check."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.model import CheckConfig
from accumcheck.record import Split
from accumcheck.selftest.case import LLAMA, PROGRAM

SPLITS = (
    ("1x8x1", "1x2x4", "2x2x2"),
    ("1x8x1", "1x1x8", "2x1x4"),
    ("1x9x1", "1x3x3", "1x1x9"),
    ("1x15x1", "1x5x3", "1x3x5"),
    ("1x14x1", "1x2x7", "2x1x7"),
    ("1x10x1", "1x2x5", "2x1x5"),
    ("1x21x1", "1x3x7", "1x7x3"),
    ("1x6x1", "1x2x3", "2x1x3"),
    ("1x11x1", "1x1x11"),
    ("2x13x1", "2x1x13"),
    ("1x1x7", "1x7x1"),
    ("1x1x4", "2x1x2"),
)
"""Odd global batches, prime accumulation steps, one sample per micro-batch, one and two processes."""

LENGTHS = {
    "usual": (6, 24),
    "very short": (2, 4),
    "short to long": (2, 160),
    "very long": (180, 256),
    "equal": (12, 12),
}
MODELS: dict[str, dict[str, Any]] = {
    "Llama": {"config": LLAMA},
    "Llama, tied": {"config": {**LLAMA, "tie_word_embeddings": True}},
    "GPT-2": {"config": {"model_type": "gpt2"}, "shrink": True},
    "Qwen2": {"config": {"model_type": "qwen2"}, "shrink": True},
    "Gemma": {"config": {"model_type": "gemma"}, "shrink": True},
    "GPT-NeoX": {"config": {"model_type": "gpt_neox"}, "shrink": True},
    "OPT": {"config": {"model_type": "opt"}, "shrink": True},
    "LLaVA": {"config": {"model_type": "llava"}, "shrink": True},
    "ViT": {"config": {"model_type": "vit"}, "architecture": "ViTForImageClassification", "shrink": True},
    "BERT": {"config": {"model_type": "bert"}, "architecture": "BertForSequenceClassification", "shrink": True},
}
COUNTED = ("Llama", "Llama, tied", "Qwen2", "Gemma", "LLaVA", "ViT")
"""Models that the current Trainer trains correctly. For the others the benchmark counts the tokens itself: under
transformers 5.24.0, one label per row too many is counted for GPT-2 and similar models, and BERT's heads ignore the
count."""
OF_TEXT = tuple(name for name in MODELS if name not in ("ViT", "LLaVA"))
DATA = Path(__file__).parents[2] / "reports" / "clean-data"
"""The inputs of TRL's scripts and sentence-transformers, made by `clean_runs.py` with configs/examples/make_tiny.py."""
DTYPES = ("float64", "float32", "bfloat16", "float16")


KINDS = (
    *("trainer",) * 5,
    *("accelerate",) * 2,
    *("callable",) * 3,
    *("script",) * 2,
    "trl-sft",
    "sentence-transformers",
)


@dataclass(frozen=True)
class Case:
    """One correct run: its traits in words, and its check."""

    number: int
    traits: Mapping[str, str]
    check: CheckConfig


def case(number: int) -> Case:
    """The case of that number."""
    draw = random.Random(number)
    kind = draw.choice(KINDS)
    splits = draw.choice(SPLITS)
    n, b, k = map(int, splits[0].split("x"))
    traits = {"stack": kind, "splits": " ".join(splits)}
    made: dict[str, Any] = {
        "global_batch_size": n * b * k,
        "steps": draw.choice((1, 2)),
        "splits": list(splits),
        "launcher": {"device": "cpu", "timeout": 300},
        "seed": number,
    }
    programs = {"callable": _callable, "script": _script, "trl-sft": _trl, "sentence-transformers": _sentences}
    more = programs.get(kind, _loop)(draw, traits, made["global_batch_size"])
    if "epoch" in traits:
        del made["steps"]
    check = read_config(json.dumps({**made, **more}), Place(f"case {number}"), Path())
    if traits.get("count") == "own":
        check = replace(check, stack="planted:none")
    return Case(number, traits, check)


def _loop(draw: random.Random, traits: dict[str, str], size: int) -> dict[str, Any]:
    """A loop with a model and samples made by accumcheck."""
    name, dtype, lengths = draw.choice(tuple(MODELS)), draw.choice(DTYPES), draw.choice(tuple(LENGTHS))
    if traits["stack"] == "accelerate" and name not in OF_TEXT:
        name = "Llama"
    if name not in OF_TEXT or name == "BERT":
        lengths = "usual"
    shortest, longest = LENGTHS[lengths]
    splits = [Split.parse(split) for split in traits["splits"].split()]
    traits.update(model=name, dtype=dtype, lengths=lengths)
    arguments: dict[str, Any] = {}
    data: dict[str, Any] = {"synthetic": {"min_length": shortest, "max_length": longest}}
    if traits["stack"] == "trainer":
        if name not in COUNTED:
            traits["count"] = "own"
        if draw.random() < 0.25 and name.startswith("Llama"):
            arguments["gradient_checkpointing"] = True
            traits["checkpointing"] = "yes"
        if draw.random() < 0.2 and dtype == "float32":
            arguments["bf16"] = True
            traits["autocast"] = "bf16"
        if draw.random() < 0.2 and _ends_evenly(splits, size):
            data.update(epochs=1, samples=size + size // 2)
            traits["epoch"] = "with a short last step"
    return {
        "model": {**MODELS[name], "dtype": dtype},
        "data": data,
        "stack": traits["stack"],
        **({"training_arguments": arguments} if arguments else {}),
    }


def _ends_evenly(splits: Sequence[Split], size: int) -> bool:
    """Whether half a global batch fills the micro-batches of every process. If not, the data loader repeats samples."""
    return size % 2 == 0 and all(
        split.num_processes == 1 or size // 2 % (split.num_processes * split.per_device_train_batch_size) == 0
        for split in splits
    )


def _callable(draw: random.Random, traits: dict[str, str], _: int) -> dict[str, Any]:
    """A user's Trainer."""
    kind, dtype = draw.choice(("plain", "frozen", "tied", "lora")), draw.choice(("float32", "bfloat16"))
    lengths, checkpointing = draw.choice(tuple(LENGTHS)), draw.random() < 0.25
    shortest, longest = LENGTHS[lengths]
    traits.update(model=kind, dtype=dtype, lengths=lengths, checkpointing="yes" if checkpointing else "no")
    given = {"kind": kind, "shortest": max(shortest, 3), "longest": longest, "dtype": dtype}
    return {
        "stack": "callable",
        "callable": "clean.trainers:build",
        "callable_arguments": {**given, "checkpointing": checkpointing},
    }


def _script(draw: random.Random, traits: dict[str, str], _: int) -> dict[str, Any]:
    """A user's training loop."""
    kind = draw.choice(("none", "clips-once", "tied"))
    traits["model"] = f"loop, {kind}"
    numbers = ["{per_device_train_batch_size}", "{gradient_accumulation_steps}", "{steps}"]
    return {"stack": "script", "script": {"module": PROGRAM, "arguments": [kind, *numbers]}}


def _trl(draw: random.Random, traits: dict[str, str], _: int) -> dict[str, Any]:
    """TRL's script for supervised fine-tuning. Its bf16 is true by default if the hardware supports it."""
    dtype, autocast, checkpointing = draw.choice(("float32", "bfloat16")), draw.random() < 0.3, draw.random() < 0.3
    everything, smoothing = draw.random() < 0.5, draw.random() < 0.3
    traits.update(model="Llama of TRL's", dtype=dtype, checkpointing="yes" if checkpointing else "no")
    if autocast:
        traits["autocast"] = "bf16"
    arguments = ["--model_name_or_path", DATA / "llama", "--dataset_name", DATA / "trl", "--output_dir", DATA / "saves"]
    arguments += ["--max_length", 256, "--dtype", dtype, "--bf16", autocast, "--gradient_checkpointing", checkpointing]
    arguments += ["--completion_only_loss", not everything, "--label_smoothing_factor", 0.1 if smoothing else 0.0]
    return {"stack": "trl-sft", "trl": {"arguments": [str(one) for one in arguments]}}


def _sentences(draw: random.Random, traits: dict[str, str], _: int) -> dict[str, Any]:
    """A loss on pairs of sentences that is a mean over the pairs."""
    autocast = draw.random() < 0.3
    traits.update(model="embedder", dtype="float32")
    if autocast:
        traits["autocast"] = "bf16"
    trained = {"model": str(DATA / "embedder"), "train": str(DATA / "sentences" / "train.jsonl")}
    return {
        "stack": "sentence-transformers",
        "sentence_transformers": {**trained, "loss": "CosineSimilarityLoss"},
        **({"training_arguments": {"bf16": True}} if autocast else {}),
    }

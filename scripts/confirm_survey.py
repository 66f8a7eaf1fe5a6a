"""Confirm verdicts of a survey without accumcheck: python scripts/confirm_survey.py SURVEY.json.

Text classes that the survey checked are chosen at random. Each is made small with a few lines of code and trained for
one step by transformers' Trainer with SGD at learning rate 1: once with one micro-batch of 8 rows, and once with 8
micro-batches of 1 row. The change of the weights is the gradient; the loss is the logged one. A class is safe if both
agree. Prints a line for each class, and exits with 1 if a verdict differs from the survey's.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers import AutoConfig, Trainer, TrainingArguments
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

ROWS, VOCABULARY, IGNORED = 8, 128, -100
SECONDS = 120
SAME = 2e-3
"""The largest relative difference of two gradients that count as equal in float32."""
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "d_model": 32,
    "n_embd": 32,
    "intermediate_size": 64,
    "ffn_dim": 64,
    "d_ff": 64,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "num_hidden_layers": 2,
    "n_layer": 2,
    "num_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_attention_heads": 4,
    "n_head": 4,
    "num_heads": 4,
    "num_key_value_heads": 4,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "n_positions": 128,
    "embedding_size": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
Row = dict[str, Any]


class Found(NamedTuple):
    """The comparison of both runs: logged losses, gradient norms, and the difference of the gradients."""

    losses: tuple[float, float]
    norms: tuple[float, float]
    apart: float

    @property
    def safe(self) -> bool:
        """Whether accumulation changes nothing."""
        return self.apart < SAME and abs(self.losses[1] / self.losses[0] - 1) < SAME


def labels_of(task: str) -> Callable[[random.Random, list[int]], Row] | None:
    """The labels of a row of a task; None if the task is not confirmed here."""

    def some(draw: random.Random, ids: list[int]) -> list[int]:
        return [one if draw.random() < 0.4 or at == 1 else IGNORED for at, one in enumerate(ids)]

    def answer(draw: random.Random, ids: list[int]) -> list[int]:
        prompt = draw.randrange(0, len(ids) // 2)
        return [IGNORED] * prompt + ids[prompt:]

    found: dict[str, Callable[[random.Random, list[int]], Row]] = {
        "causal-lm": lambda draw, ids: {"labels": answer(draw, ids)},
        "seq2seq-lm": lambda draw, ids: {"labels": [draw.randrange(4, VOCABULARY) for _ in range(len(ids))]},
        "masked-lm": lambda draw, ids: {"labels": some(draw, ids)},
        "token-classification": lambda draw, ids: {"labels": some(draw, [draw.randrange(2) for _ in ids])},
        "sequence-classification": lambda draw, _: {"labels": draw.randrange(2)},
    }
    return found.get(task)


def config_of(model_type: str) -> Any:
    """A small configuration of a model type."""
    config = AutoConfig.for_model(model_type)
    for name, value in SIZES.items():
        if hasattr(config, name):
            setattr(config, name, value)
    for name in list(vars(config)):
        if any(word in name for word in ("drop", "jitter")) and isinstance(getattr(config, name), float):
            setattr(config, name, 0.0)
    config.use_cache = False
    return config


def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
    """Pad on the right."""
    longest = max(len(row["input_ids"]) for row in rows)
    batch: dict[str, list[Any]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for row in rows:
        room = longest - len(row["input_ids"])
        batch["input_ids"].append(row["input_ids"] + [0] * room)
        batch["attention_mask"].append([1] * len(row["input_ids"]) + [0] * room)
        labels = row["labels"]
        batch["labels"].append(labels + [IGNORED] * (longest - len(labels)) if isinstance(labels, list) else labels)
    return {name: torch.tensor(value) for name, value in batch.items()}


def trained(name: str, model_type: str, rows: list[Row], size: int) -> tuple[float, torch.Tensor]:
    """The logged loss and the gradient of one step over all rows, ``size`` of them in a micro-batch."""
    torch.manual_seed(0)
    model = getattr(transformers, name)(config_of(model_type)).train()
    before = torch.cat([one.detach().flatten().clone() for one in model.parameters()])
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=ROWS // size,
            max_steps=1,
            learning_rate=1.0,
            lr_scheduler_type="constant",
            optim="sgd",
            max_grad_norm=0.0,
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
            save_strategy="no",
            use_cpu=True,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate)
        trainer.train()
    loss = next(one["loss"] for one in trainer.state.log_history if "loss" in one)
    after = torch.cat([one.detach().flatten() for one in model.parameters()])
    return loss, before - after


def compared(name: str, model_type: str, task: str) -> Found:
    """Train a class both ways."""
    draw, labels = random.Random(name), labels_of(task)
    assert labels is not None
    rows = []
    for _ in range(ROWS):
        ids = [draw.randrange(4, VOCABULARY) for _ in range(draw.randrange(6, 20))]
        rows.append({"input_ids": ids, **labels(draw, ids)})
    (loss, whole), (other, parts) = (trained(name, model_type, rows, size) for size in (ROWS, 1))
    norms = float(whole.norm()), float(parts.norm())
    return Found((loss, other), norms, float((whole - parts).norm()) / max(norms[0], 1e-12))


def in_a_process(work: Callable[[], str]) -> str:
    """The result of ``work`` in its own process; empty if it fails or takes too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            os.write(writing, work().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return text


def _said(one: dict[str, str]) -> str:
    return json.dumps(compared(one["name"], one["model_type"], one["task"]))


def main() -> int:
    """Choose classes, train and compare. Returns 1 if a verdict differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("survey", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    survey = json.loads(asked.survey.read_text(encoding="utf-8"))
    drawn = [one for one in survey["classes"] if one["verdict"] != "not checked" and labels_of(one["task"])]
    drawn = [one for one in drawn if one["model_type"] in CONFIG_MAPPING_NAMES]
    random.Random(asked.seed).shuffle(drawn)
    confirmed, wrong, left_out = 0, 0, 0
    for one in drawn:
        if confirmed + wrong == asked.count:
            break
        text = in_a_process(partial(_said, one))
        if not text:
            left_out += 1
            continue
        (losses, norms, apart) = json.loads(text)
        found = Found(tuple(losses), tuple(norms), apart)
        # an unshifted count is equally wrong under every split: a warning that a comparison of splits does not show
        same = found.safe == (one["verdict"] in ("pass", "warn"))
        confirmed, wrong = confirmed + same, wrong + (not same)
        loss, norm = losses[1] / losses[0], norms[1] / max(norms[0], 1e-12)
        said = f"loss x {loss:.3f}, gradient's norm x {norm:.3f}, apart by {apart:.1e}"
        print(f"{'confirmed' if same else 'NOT SO':<10} {one['name']:<45} {one['verdict']:<5} {said}", flush=True)
    print(
        f"{confirmed} of {confirmed + wrong} confirmed; {left_out} could not be made with the few lines of this script"
    )
    return 1 if wrong or confirmed < asked.count else 0


if __name__ == "__main__":
    sys.exit(main())

"""A user's Trainer under a mutant, for ``stack: callable``. Its own optimizer, schedule and clipping are observed."""

from __future__ import annotations

from typing import Any

from mutation.freely import model_of, rows_of
from mutation.mutants import apply


def build(mutant: str) -> Any:
    """The Trainer. accumcheck sets the batch size, the accumulation steps and the number of steps."""
    from transformers import Trainer, TrainingArguments

    if mutant not in ("none", "trace"):
        apply(mutant)
    arguments = TrainingArguments(
        "unused", report_to=[], learning_rate=1e-3, max_grad_norm=0.05, weight_decay=0.1, warmup_steps=1
    )
    return Trainer(model_of(), arguments, train_dataset=rows_of(64))

"""Real trainings with a Guard, started by the tests as its user would: ``python program.py FOLDER WORDS...``.

Each WORDS, joined by commas, is one training; one after the other, since imports take longer than any of them.
Words: ``faulty`` (the model ignores the token count), ``stop``, ``dropout``, ``unguarded``, ``mean-of-means``,
``smoothing``, ``hotfix``, ``unsynchronised``, ``schedule-k`` (the schedule is stepped at each micro-batch), ``steps-k``
(the optimizer is), ``schedule-n`` (accelerate steps the schedule once for each process), ``longer`` (which is made that
much longer for it), ``undivided`` (every process is fed all of the data). It says which begins, and writes what it
logged and the sum of its weights to FOLDER/WORDS-RANK.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.scheduler import AcceleratedScheduler
from torch.utils.data import DataLoader
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    get_linear_schedule_with_warmup,
    set_seed,
)

from accumcheck import Guard

RANK = os.environ.get("RANK", "0")


class FaultyForCausalLM(LlamaForCausalLM):
    def forward(self, input_ids: Any = None, attention_mask: Any = None, labels: Any = None, **kwargs: Any) -> Any:
        kwargs.pop("num_items_in_batch", None)
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs)


class AtEachMicroBatch(TrainerCallback):
    """Steps what it is told to after each micro-batch but the last one of a window, after which Trainer does."""

    def __init__(self, what: str) -> None:
        self.what = what

    def on_substep_end(self, args: Any, state: Any, control: Any, **seen: Any) -> None:
        if self.what == "schedule":
            seen["lr_scheduler"].step()
        else:
            seen["optimizer"].optimizer.step()


class ByAccelerate(Trainer):
    """Its schedule is one that accelerate has prepared."""

    longer = 1

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        made = get_linear_schedule_with_warmup(optimizer or self.optimizer, 0, num_training_steps * self.longer)
        self.lr_scheduler = AcceleratedScheduler(made, [])
        return self.lr_scheduler


def rows(count: int) -> list[dict[str, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    made = []
    for _ in range(count):
        length = int(torch.randint(4, 24, (), generator=draw))
        ids = torch.randint(3, 128, (24,), generator=draw)
        labels = torch.where(torch.arange(24) < length, ids, -100)
        labels[0] = -100  # what no causal model predicts, and what releases count or not
        made.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
    return made


def train(folder: Path, words: list[str]) -> dict[str, Any]:
    set_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=128,
        attention_dropout=0.2 if "dropout" in words else 0.0,
    )
    model = (FaultyForCausalLM if "faulty" in words else LlamaForCausalLM)(config)
    arguments = TrainingArguments(
        output_dir=str(folder / "output"),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=4,
        max_steps=4,
        learning_rate=1e-3,
        logging_steps=3,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        **(
            {"average_tokens_across_devices": True}
            if hasattr(TrainingArguments, "average_tokens_across_devices")
            else {}
        ),
        label_smoothing_factor=0.1 if "smoothing" in words else 0.0,
        ddp_backend="gloo" if "RANK" in os.environ else None,
    )
    trainer_class = ByAccelerate if "schedule-n" in words else Trainer
    trainer = trainer_class(model=model, args=arguments, train_dataset=rows(64))
    if "longer" in words:
        trainer.longer = int(os.environ["WORLD_SIZE"])
    for word, what in (("schedule-k", "schedule"), ("steps-k", "optimizer")):
        if word in words:
            trainer.add_callback(AtEachMicroBatch(what))
    if "undivided" in words:
        trainer.get_train_dataloader = lambda: DataLoader(cast(Any, rows(64)), batch_size=2)
    if "mean-of-means" in words:
        trainer.model_accepts_loss_kwargs = False
    if "hotfix" in words:
        pasted: dict[str, Any] = {"__name__": "pasted"}
        shown = subprocess.run(
            [sys.executable, "-m", "accumcheck", "hotfix", "show", "token-mean"],
            capture_output=True,
            text=True,
            check=True,
        )
        exec(shown.stdout, pasted)  # as a user would have pasted it
        pasted["token_mean"](trainer)
    if "unsynchronised" in words:
        trainer.accelerator.prepare_model = lambda model, **_: (
            model
        )  # the gradients of the processes are never averaged
    if "unguarded" not in words:
        trainer.add_callback(Guard("stop" if "stop" in words else "warn", every=4))
    trainer.train()
    return {
        "weights": sum(float(parameter.detach().double().abs().sum()) for parameter in model.parameters()),
        "random": float(torch.rand(())),
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }


for name in sys.argv[2:]:
    if RANK == "0":
        print(f"== {name}", file=sys.stderr, flush=True)
    told = train(Path(sys.argv[1]), name.split(","))
    Path(sys.argv[1], f"{name}-{RANK}.json").write_text(json.dumps(told))
    sys.stdout.flush()
    sys.stderr.flush()
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
os._exit(0)  # gloo's threads may not outlive the interpreter: it aborts now and then while it shuts down

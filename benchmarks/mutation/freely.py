"""Real training under a mutant in one process. An equivalent mutant does not change a bit of it.

It uses AdamW, a falling learning rate, clipping and accumulation, over two epochs whose last steps are short, in
Trainer with the token count, without it, and with label smoothing, and in a loop with accelerate.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from typing import Any

from mutation.forked import forked

USUAL: dict[str, Any] = {
    "use_cpu": True,
    "disable_tqdm": True,
    "report_to": [],
    "save_strategy": "no",
    "logging_steps": 1,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 3,
    "num_train_epochs": 2,
    "learning_rate": 1e-2,
    "max_grad_norm": 0.5,
}


def outcome(mutant: str) -> str:
    """A hash of all weights and of the losses, norms and learning rates in the logs; or the exception."""
    return forked(mutant, _train_all)


def outcome_of_sft(mutant: str) -> str:
    """The same for TRL's SFTTrainer with its default loss, with dft and with label smoothing."""
    return forked(mutant, _train_sft)


def _train_sft() -> str:
    found = hashlib.sha256()
    for part in (_sft(), _sft(loss_type="dft"), _sft(label_smoothing_factor=0.1)):
        for line in part:
            found.update(line.encode())
    return found.hexdigest()


def _train_all() -> str:
    found = hashlib.sha256()
    for part in (_trainer(), _trainer(counted=False), _trainer(label_smoothing_factor=0.1), _loop()):
        for line in part:
            found.update(line.encode())
    return found.hexdigest()


def model_of() -> Any:
    """A tiny Llama, always the same."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    set_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, **sizes))


def rows_of(count: int) -> list[dict[str, Any]]:
    """``count`` padded rows of varied length."""
    import torch

    draw = torch.Generator().manual_seed(1)
    rows = []
    for length in torch.randint(3, 13, (count,), generator=draw).tolist():
        ids = torch.randint(1, 64, (12,), generator=draw)
        mask = (torch.arange(12) < length).long()
        rows.append({"input_ids": ids, "attention_mask": mask, "labels": torch.where(mask == 1, ids, -100)})
    return rows


def _weights(model: Any) -> Iterator[str]:
    for name, tensor in model.state_dict().items():
        yield f"{name} {hashlib.sha256(tensor.numpy().tobytes()).hexdigest()}"


def _trainer(*, counted: bool = True, **arguments: Any) -> Iterator[str]:
    from transformers import Trainer, TrainingArguments

    model = model_of()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, TrainingArguments(folder, **USUAL, **arguments), train_dataset=rows_of(16))
        if not counted:
            trainer.model_accepts_loss_kwargs = False
        trainer.train()
    yield from _logs(trainer)
    yield from _weights(model)


def _sft(**arguments: Any) -> Iterator[str]:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from mutation.suites import DATA

    model = model_of()
    tokenizer = AutoTokenizer.from_pretrained(DATA / "llama")
    kept = [{name: row[name][row["attention_mask"] == 1].tolist() for name in row} for row in rows_of(16)]
    rows = Dataset.from_list([{name: row[name] for name in ("input_ids", "labels")} for row in kept])
    with tempfile.TemporaryDirectory() as folder:
        told = SFTConfig(folder, **USUAL, bf16=False, gradient_checkpointing=False, **arguments)
        trainer = SFTTrainer(model, told, train_dataset=rows, processing_class=tokenizer)
        trainer.train()
    yield from _logs(trainer)
    yield from _weights(model)


def _logs(trainer: Any) -> Iterator[str]:
    for entry in trainer.state.log_history:
        values = [entry.get(name) for name in ("step", "loss", "grad_norm", "learning_rate")]
        yield repr([None if value is None else float(value) for value in values])  # a tensor is the same number


def _loop() -> Iterator[str]:
    import torch
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState
    from torch.utils.data import DataLoader

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=3)
    model = model_of()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda turn: 0.8**turn)
    rows: Any = rows_of(16)
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, DataLoader(rows, batch_size=2), schedule)
    for _ in range(2):
        for batch in loader:
            with accelerator.accumulate(model):
                loss = model(**batch).loss
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    yield repr(float(accelerator.clip_grad_norm_(model.parameters(), 0.5)))
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            yield repr((float(loss), schedule.get_last_lr()))
    yield from _weights(model)

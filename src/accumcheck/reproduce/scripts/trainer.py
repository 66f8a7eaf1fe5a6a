"""The script of the stack trainer: transformers' Trainer."""

from __future__ import annotations

from accumcheck.reproduce.scripts.recipe import Recipe

RECIPE = Recipe(
    stack="trainer",
    feeds="tensors",
    imports="from transformers import AutoConfig, PrinterCallback, Trainer, TrainingArguments, {model_class}",
    loop="""\
arguments = TrainingArguments(
    tempfile.mkdtemp(), per_device_train_batch_size=B, gradient_accumulation_steps=K, max_steps=1, logging_steps=1,
    max_grad_norm=0.0, save_strategy="no", report_to=[], use_cpu=True, remove_unused_columns=False, disable_tqdm=True,
{more})
trainer = Trainer(model, arguments, collate, ROWS, optimizers=(optimizer, None))
trainer.remove_callback(PrinterCallback)
trainer.train()
loss = trainer.state.log_history[0]["loss"]""",
)

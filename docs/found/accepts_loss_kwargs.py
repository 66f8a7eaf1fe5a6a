"""Qwen3VLForConditionalGeneration under Trainer: a mean of micro-batch means, because of accepts_loss_kwargs = False.

Four rows of 3, 5, 9 and 23 tokens, in one micro-batch of 4 and in four micro-batches of 1. The reference computes each
row alone and weights it by its number of predicted tokens. Run it on a CPU: python accepts_loss_kwargs.py
Exit code: 1 if the fault is there, 0 if it is not, 2 if the script cannot run.
"""

import os
import sys
import tempfile
import traceback


def cannot_run(kind, error, trace):
    """End with 2: an error of the script is not the fault."""
    traceback.print_exception(kind, error, trace)
    sys.stdout.flush()
    os._exit(2)


sys.excepthook = cannot_run

import torch
from transformers import PrinterCallback, Qwen3VLConfig, Qwen3VLForConditionalGeneration, Trainer, TrainingArguments

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "head_dim": 16,
    "num_key_value_heads": 2,
    "vocab_size": 128,
    "pad_token_id": 0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]},
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "depth": 1, "num_heads": 2, "out_hidden_size": 32}
CONFIG = Qwen3VLConfig(
    text_config=TEXT,
    vision_config={**VISION, "deepstack_visual_indexes": [0]},
    image_token_id=125,
    video_token_id=126,
    vision_start_token_id=123,
    vision_end_token_id=124,
)
generator = torch.Generator().manual_seed(0)
ROWS = [{"ids": torch.randint(1, 120, (length,), generator=generator)} for length in (3, 5, 9, 23)]


def collate(rows):
    """Pad on the right; the labels are the tokens, -100 where padded."""
    pad = torch.nn.utils.rnn.pad_sequence
    ids = [row["ids"] for row in rows]
    mask = pad([torch.ones_like(row) for row in ids], batch_first=True)
    return {
        "input_ids": pad(ids, batch_first=True),
        "attention_mask": mask,
        "labels": pad(ids, batch_first=True, padding_value=-100),
    }


def gradient(model):
    """The gradient of all parameters that have one, in one vector."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def train(model, batch_size, folder):
    """The gradient that one optimizer step of Trainer applies to the four rows."""
    seen = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(lambda *_: seen.append(gradient(model)))
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=len(ROWS) // batch_size,
        max_steps=1,
        max_grad_norm=0.0,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        remove_unused_columns=False,
        disable_tqdm=True,
    )
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    trainer = Trainer(model, arguments, collate, ROWS, optimizers=(optimizer, constant))
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return seen[0]


torch.manual_seed(0)
model = Qwen3VLForConditionalGeneration(CONFIG).train()
counts = [len(row["ids"]) - 1 for row in ROWS]
sum(model(**collate([row])).loss * count for row, count in zip(ROWS, counts, strict=False)).div(sum(counts)).backward()
right = gradient(model)
model.zero_grad()

wrong = 0
with tempfile.TemporaryDirectory() as folder:
    for flag in (Qwen3VLForConditionalGeneration.accepts_loss_kwargs, True):
        model.accepts_loss_kwargs = flag
        for size in (4, 1):
            off = ((train(model, size, folder) - right).norm() / right.norm()).item()
            model.zero_grad()
            wrong += not off <= 0.001 and flag is not True
            print(f"accepts_loss_kwargs = {flag}, {size} x {4 // size}: gradient off by {off:.2g} of its norm")
sys.exit(1 if wrong else 0)

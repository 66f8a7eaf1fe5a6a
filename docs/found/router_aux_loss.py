"""MixtralForCausalLM under Trainer: the router's auxiliary loss counts once per micro-batch, k times per step.

Eight rows in micro-batches of one, with 1, 2, 4 and 8 accumulation steps. With k steps the auxiliary term of the
gradient should be the mean over the k micro-batches; it is the sum. Run it on a CPU: python router_aux_loss.py
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
from transformers import MixtralConfig, MixtralForCausalLM, PrinterCallback, Trainer, TrainingArguments

CONFIG = MixtralConfig(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=128,
    num_local_experts=4,
    num_experts_per_tok=2,
    output_router_logits=True,
    router_aux_loss_coef=0.02,
)
generator = torch.Generator().manual_seed(0)
ROWS = [{"input_ids": torch.randint(1, 128, (12,), generator=generator)} for _ in range(8)]


def collate(rows):
    """Rows of one length: no padding."""
    ids = torch.stack([row["input_ids"] for row in rows])
    return {"input_ids": ids, "labels": ids}


def gradient(model):
    """The gradient of all parameters, in one vector."""
    return torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in model.parameters()])


def gradients_of(model, rows):
    """The mean over the rows, each alone, of the gradients of the language-model loss and of the auxiliary loss."""
    parts = []
    for part in ("language", "auxiliary"):
        model.zero_grad()
        for row in rows:
            outputs = model(**collate([row]))
            auxiliary = CONFIG.router_aux_loss_coef * outputs.aux_loss
            ((auxiliary if part == "auxiliary" else outputs.loss - auxiliary) / len(rows)).backward()
        parts.append(gradient(model))
    model.zero_grad()
    return parts


def train(model, rows, folder):
    """The gradient that one optimizer step of Trainer applies to the rows, in micro-batches of one."""
    seen = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(lambda *_: seen.append(gradient(model)))
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=len(rows),
        max_steps=1,
        max_grad_norm=0.0,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        remove_unused_columns=False,
        disable_tqdm=True,
    )
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    trainer = Trainer(model, arguments, collate, rows, optimizers=(optimizer, constant))
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return seen[0]


torch.manual_seed(0)
model = MixtralForCausalLM(CONFIG).train()
wrong = 0
with tempfile.TemporaryDirectory() as folder:
    for k in (1, 2, 4, 8):
        language, auxiliary = gradients_of(model, ROWS[:k])
        applied = train(model, ROWS[:k], folder)
        model.zero_grad()
        weights = torch.linalg.lstsq(
            torch.stack([language, auxiliary], 1).double(), applied[:, None].double()
        ).solution.flatten()
        wrong += not abs(weights[1].item() - 1) <= 0.01
        counts = f"the language-model loss counts {weights[0]:.3f} times, the auxiliary loss {weights[1]:.3f} times"
        print(f"k = {k}: {counts}")
sys.exit(1 if wrong else 0)

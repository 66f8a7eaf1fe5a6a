"""The script of the stack accelerate: a loop with accelerate."""

from __future__ import annotations

from accumcheck.reproduce.scripts.recipe import Recipe

RECIPE = Recipe(
    stack="accelerate",
    feeds="tensors",
    imports="from accelerate import Accelerator\nfrom transformers import AutoConfig, {model_class}",
    loop="""\
accelerator = Accelerator(gradient_accumulation_steps=K, cpu=True)
loader = torch.utils.data.DataLoader(ROWS, B, collate_fn=lambda rows: (collate(rows), sum(map(count, rows))))
prepared, optimizer, loader = accelerator.prepare(model, optimizer, loader)
loss = torch.zeros(())
for batch, labels in loader:
    with accelerator.accumulate(prepared):
        share = prepared(**batch).loss * labels / sum(map(count, ROWS))  # of the mean over all labels
        loss += share.detach()
        accelerator.backward(share * N * K)  # accelerate divides by K, DDP by N
        optimizer.step()
        optimizer.zero_grad()
loss = accelerator.reduce(loss, "sum").item()""",
)

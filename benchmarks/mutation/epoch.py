"""A user's loop with accelerate under a mutant, for ``stack: script``: an epoch whose last step is short.

``backward`` divides by the accumulation steps, so each loss is multiplied by them and divided by the micro-batches that
its own step has.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]


def main() -> None:
    """Train 12 rows of one length, 8 in a step."""
    import torch
    from accelerate import Accelerator
    from torch.utils.data import DataLoader

    from accumcheck import report_loss
    from mutation.freely import model_of
    from mutation.mutants import apply

    options = argparse.ArgumentParser()
    options.add_argument("--mutant", default="none")
    options.add_argument("--batch", type=int)
    options.add_argument("--accumulate", type=int)
    given = options.parse_args()
    if given.mutant not in ("none", "trace"):
        apply(given.mutant)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=given.accumulate)
    model = model_of()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    rows = torch.randint(1, 64, (12, 9), generator=torch.Generator().manual_seed(1))
    loader = DataLoader([{"input_ids": row, "labels": row} for row in rows], batch_size=given.batch)  # type: ignore[arg-type,var-annotated]
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    shown = 0.0
    for at, batch in enumerate(loader):
        first = at - at % given.accumulate
        with accelerator.accumulate(model):
            in_step = min(given.accumulate, len(loader) - first)
            loss = model(**batch).loss
            accelerator.backward(loss * given.accumulate / in_step)
            optimizer.step()
            optimizer.zero_grad()
        shown += float(loss.detach()) / in_step
        if accelerator.sync_gradients:
            report_loss(shown)
            shown = 0.0


if __name__ == "__main__":
    main()

"""A training loop whose collator hides tokens at random, as for masked language models; every row predicts as much."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

WORDS = 20
HIDDEN = 1


class Model(torch.nn.Module):
    """Guesses every token from the sum of those that are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(WORDS, 8)
        self.head = torch.nn.Linear(8, WORDS)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        state = (self.embed(input_ids) * attention_mask.unsqueeze(-1)).sum(dim=1, keepdim=True)
        logits = self.head(state + self.embed(input_ids))
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
        # a mean for each row, and over rows: no row counts more than another
        return {"loss": (loss.sum(dim=1) / (labels != -100).sum(dim=1)).mean(), "logits": logits}


class Masks:
    """Pads rows, and hides half of their tokens."""

    def __init__(self, *, by_numpy: bool) -> None:
        self.by_numpy = by_numpy

    def __call__(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        shown = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        if self.by_numpy:
            hidden = torch.from_numpy(np.random.rand(*ids.shape) < 0.5)
        else:
            hidden = torch.bernoulli(torch.full(ids.shape, 0.5)).bool()
        labels = ids.masked_fill(shown == 0, -100)
        return {"input_ids": ids.masked_fill(hidden, HIDDEN), "labels": labels, "attention_mask": shown}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--accumulate", type=int, required=True)
    parser.add_argument("--numpy", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = Model()
    data = [[2 + (row * 7 + at) % 18 for at in range(2 + row % 5)] for row in range(64)]
    collate: Any = Masks(by_numpy=options.numpy)
    loader: Any = torch.utils.data.DataLoader(data, batch_size=options.batch, collate_fn=collate)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for at, batch in enumerate(loader, start=1):
        (model(**batch)["loss"] / options.accumulate).backward()
        if at % options.accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()


if __name__ == "__main__":
    main()

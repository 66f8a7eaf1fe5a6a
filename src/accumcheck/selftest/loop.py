"""The correct training loop of the self-test: every predicted token of the global batch has the same weight."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from accumcheck import report_loss
from accumcheck.selftest.tiny import Batch, llama, padded, rows, tokens


class Loop:
    """The correct loop."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        self.b, self.k, self.steps = b, k, steps
        self.rank, self.n = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        torch.manual_seed(0)
        self.rows = rows(steps * b * k * self.n)
        self.model = self.make_model()
        self.net = DistributedDataParallel(self.model) if self.n > 1 else self.model
        self.optimizer = torch.optim.AdamW([one for one in self.model.parameters() if one.requires_grad], lr=1e-3)

    def make_model(self) -> torch.nn.Module:
        """The model, before it is wrapped."""
        model: torch.nn.Module = llama()
        return model

    def numbers(self, step: int, turn: int) -> list[int]:
        """The rows of one micro-batch."""
        first = ((step * self.k + turn) * self.n + self.rank) * self.b
        return list(range(first, first + self.b))

    def batch(self, step: int, turn: int) -> Batch:
        """The input of one micro-batch."""
        return padded([self.rows[number] for number in self.numbers(step, turn)])

    def loss(self, batch: Batch, total: int) -> torch.Tensor:
        """The share of a micro-batch in the loss of the step. The mean over processes is undone."""
        mean: torch.Tensor = self.net(**batch).loss
        return mean * tokens(batch) / total * self.n

    def micro_batch(self, batch: Batch, total: int, *, last: bool) -> float:
        """Forward and backward. Returns the share in the loss of the step."""
        quiet: Any = self.net.no_sync if self.n > 1 and not last else contextlib.nullcontext
        with quiet():
            loss = self.loss(batch, total)
            torch.autograd.backward(loss)
        return float(loss) / self.n

    def step(self) -> None:
        """Apply the gradient and reset it."""
        self.optimizer.step()
        self.optimizer.zero_grad()

    def after(self, turn: int) -> None:
        """Called after every micro-batch."""
        if turn == self.k - 1:
            self.step()

    def run(self) -> None:
        """Make every step."""
        for step in range(self.steps):
            window = [self.batch(step, turn) for turn in range(self.k)]
            total = int(self.summed(float(sum(map(tokens, window)))))
            loss = 0.0
            for turn, batch in enumerate(window):
                loss += self.micro_batch(batch, total, last=turn == self.k - 1)
                self.after(turn)
            report_loss(self.summed(loss))

    def summed(self, value: float) -> float:
        """The sum over processes."""
        whole = torch.tensor(value, dtype=torch.float64)
        if self.n > 1:
            dist.all_reduce(whole)
        return float(whole)

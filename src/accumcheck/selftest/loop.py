"""The self-test's training loop, right as it stands: every predicted token of the global batch weighs the same."""

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
    """The right one."""

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
        """What one micro-batch is fed."""
        return padded([self.rows[number] for number in self.numbers(step, turn)])

    def loss(self, batch: Batch, total: int) -> torch.Tensor:
        """Of a micro-batch, its part of the step's; the mean over processes is undone."""
        mean: torch.Tensor = self.net(**batch).loss
        return mean * tokens(batch) / total * self.n

    def micro_batch(self, batch: Batch, total: int, *, last: bool) -> float:
        """Forward and backward; returns its part of the step's loss."""
        quiet: Any = self.net.no_sync if self.n > 1 and not last else contextlib.nullcontext
        with quiet():
            loss = self.loss(batch, total)
            torch.autograd.backward(loss)
        return float(loss) / self.n

    def step(self) -> None:
        """Apply the gradient, and begin the next."""
        self.optimizer.step()
        self.optimizer.zero_grad()

    def after(self, turn: int) -> None:
        """What follows a micro-batch."""
        if turn == self.k - 1:
            self.step()

    def run(self) -> None:
        """Every step."""
        for step in range(self.steps):
            window = [self.batch(step, turn) for turn in range(self.k)]
            total = int(self.summed(float(sum(map(tokens, window)))))
            loss = 0.0
            for turn, batch in enumerate(window):
                loss += self.micro_batch(batch, total, last=turn == self.k - 1)
                self.after(turn)
            report_loss(self.summed(loss))

    def summed(self, value: float) -> float:
        """Over processes."""
        whole = torch.tensor(value, dtype=torch.float64)
        if self.n > 1:
            dist.all_reduce(whole)
        return float(whole)

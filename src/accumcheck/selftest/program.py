"""A user's training loop for the self-test: ``python -m accumcheck.selftest.program FAULT B K STEPS``.

Each subclass of the correct `Loop` plants one fault. `FAULTS` lists them by name.
"""
# ruff: noqa: D102 (methods are documented in `Loop`)

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import torch
import torch.distributed as dist

from accumcheck.selftest.loop import Loop
from accumcheck.selftest.tiny import IGNORED, Batch, llama, own_loss, padded, rows


class SameMicroBatch(Loop):
    """Each micro-batch makes a new iterator, so the first micro-batch is trained k times."""

    def numbers(self, step: int, turn: int) -> list[int]:  # noqa: ARG002
        return super().numbers(step, 0)


class RowTwice(Loop):
    """The last row of a window repeats the first one."""

    def numbers(self, step: int, turn: int) -> list[int]:
        mine = super().numbers(step, turn)
        return [*mine[:-1], super().numbers(step, 0)[0]] if 0 < turn == self.k - 1 else mine


class Overlap(Loop):
    """The second process starts one row too early."""

    def numbers(self, step: int, turn: int) -> list[int]:
        return [number - self.rank for number in super().numbers(step, turn)]


class SeedPerProcess(Loop):
    """Each process shuffles with its own seed before it takes its part."""

    def numbers(self, step: int, turn: int) -> list[int]:
        order = torch.randperm(len(self.rows), generator=torch.Generator().manual_seed(self.rank)).tolist()
        return [order[number] if self.n > 1 else number for number in super().numbers(step, turn)]


class Skipped(Loop):
    """The first micro-batch of every window is read and thrown away."""

    def numbers(self, step: int, turn: int) -> list[int]:
        return (
            super().numbers(step, turn + 1)
            if self.k > 1 and step * self.k + turn + 1 < self.steps * self.k
            else [*super().numbers(step, turn)]
        )


class Cut(Loop):
    """Rows are cut to the shortest of their micro-batch."""

    def batch(self, step: int, turn: int) -> Batch:
        mine = [self.rows[number] for number in self.numbers(step, turn)]
        shortest = min(map(len, mine))
        return padded([row[:shortest] for row in mine])


class Labels(Loop):
    """With accumulation, the first half of the labels of each micro-batch is masked."""

    def batch(self, step: int, turn: int) -> Batch:
        batch = super().batch(step, turn)
        if self.k > 1:
            batch["labels"][:, :4] = IGNORED
        return batch


class Positions(Loop):
    """Positions start at another number in the second process."""

    def batch(self, step: int, turn: int) -> Batch:
        batch = super().batch(step, turn)
        places = torch.arange(batch["input_ids"].shape[1]).expand_as(batch["input_ids"])
        return {**batch, "position_ids": places + 3 * self.rank}


class NoMask(Loop):
    """Rows are padded on the left. With accumulation, no attention mask hides the padding."""

    def batch(self, step: int, turn: int) -> Batch:
        batch = padded([self.rows[number] for number in self.numbers(step, turn)], left=True)
        if self.k > 1:
            del batch["attention_mask"]
        return batch


class OwnLossUndivided(Loop):
    """The loop computes its own cross entropy on rows of equal length. The micro-batch's mean is not divided by k."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        super().__init__(b, k, steps)
        self.rows = rows(len(self.rows), equal=12)

    def micro_batch(self, batch: Batch, total: int, *, last: bool) -> float:  # noqa: ARG002
        quiet: Any = self.net.no_sync if self.n > 1 and not last else contextlib.nullcontext
        with quiet():
            mean = own_loss(self.net, batch)
            torch.autograd.backward(mean)
        return float(mean) / self.k / self.n


class RowMean(Loop):
    """With accumulation, every row has the same weight, whatever its length."""

    def loss(self, batch: Batch, total: int) -> torch.Tensor:
        if self.k == 1:
            return super().loss(batch, total)
        each = [self.net(**{name: field[row : row + 1] for name, field in batch.items()}).loss for row in range(self.b)]
        return torch.stack(each).mean() / self.k


class StepEach(Loop):
    """The optimizer steps after every micro-batch."""

    def after(self, turn: int) -> None:  # noqa: ARG002
        self.step()


class StepFirst(Loop):
    """The optimizer steps after the first micro-batch of a window instead of the last."""

    def after(self, turn: int) -> None:
        if turn == 0:
            self.step()


class Frozen(Loop):
    """With several processes, the head is not trained."""

    def make_model(self) -> Any:
        model: Any = llama()
        model.lm_head.weight.requires_grad_(self.n == 1)
        return model


class Schedule(Loop):
    """The learning rate falls after every micro-batch instead of every step."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        super().__init__(b, k, steps)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda turn: 0.9**turn)

    def after(self, turn: int) -> None:
        super().after(turn)
        self.schedule.step()


class ScheduleByProcess(Loop):
    """The learning rate falls n times as fast: the schedule is stepped once for each process."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        super().__init__(b, k, steps)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda turn: 0.9**turn)

    def step(self) -> None:
        super().step()
        for _ in range(self.n):
            self.schedule.step()


class Warmup(Loop):
    """The warm-up is counted in micro-batches."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        super().__init__(b, k, steps)
        warmup_steps = 4 * k
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda turn: min(1.0, (turn + 1) / warmup_steps)
        )

    def step(self) -> None:
        super().step()
        self.schedule.step()


class EndsEarly(Loop):
    """Steps are counted in micro-batches, so training ends after a part of the data."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        super().__init__(b, k, steps)
        self.steps = max(1, steps // k)


class LearningRate(Loop):
    """The learning rate is multiplied by the accumulation steps."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        super().__init__(b, k, steps)
        self.optimizer.param_groups[0]["lr"] *= k


class Decay(Loop):
    """Weights only decay without accumulation."""

    def __init__(self, b: int, k: int, steps: int) -> None:
        super().__init__(b, k, steps)
        self.optimizer.param_groups[0]["weight_decay"] = 0.1 if k == 1 else 0.0


class ClipsByK(Loop):
    """The clipping norm is divided by the accumulation steps."""

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.1 / self.k)
        super().step()


class ClipsOnce(Loop):
    """Correct: the gradient is clipped when it is complete."""

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.1)
        super().step()


class Tied(Loop):
    """Correct: the head shares the embedding's weights, and the first layer is not trained."""

    def make_model(self) -> Any:
        model: Any = llama(tie_word_embeddings=True)
        model.model.layers[0].requires_grad_(requires_grad=False)
        return model


FAULTS: dict[str, type[Loop]] = {
    "none": Loop,
    "same-microbatch": SameMicroBatch,
    "row-twice": RowTwice,
    "overlap": Overlap,
    "seed-per-process": SeedPerProcess,
    "skipped": Skipped,
    "cut": Cut,
    "labels": Labels,
    "positions": Positions,
    "no-mask": NoMask,
    "own-loss-undivided": OwnLossUndivided,
    "row-mean": RowMean,
    "step-each": StepEach,
    "step-first": StepFirst,
    "frozen": Frozen,
    "schedule": Schedule,
    "schedule-by-process": ScheduleByProcess,
    "warmup": Warmup,
    "ends-early": EndsEarly,
    "learning-rate": LearningRate,
    "decay": Decay,
    "clips-by-k": ClipsByK,
    "clips-once": ClipsOnce,
    "tied": Tied,
}


if __name__ == "__main__":
    fault, *split = sys.argv[1:]
    loop = FAULTS[fault]
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("gloo")
    loop(*map(int, split)).run()
    if dist.is_initialized():
        dist.destroy_process_group()

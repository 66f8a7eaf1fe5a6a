"""A split of a global batch, and the words for its outcome."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from accumcheck.record.in_json import Count

Verdict = Literal["pass", "warn", "fail", "error", "skipped"]
Status = Literal["ran", "skipped", "error"]
Severity = Literal["ignore", "warn", "fail"]

_SHORT = re.compile(r"\s*(\d+)\s*[xX]\s*(\d+)\s*[xX]\s*(\d+)\s*")


@dataclass(frozen=True, slots=True, order=True)
class Split:
    """One way to spread a global batch: ``n`` processes, ``b`` samples each, ``k`` accumulation steps."""

    num_processes: Count
    """One process per GPU."""
    per_device_train_batch_size: Count
    """Samples of one micro-batch."""
    gradient_accumulation_steps: Count
    """Micro-batches of one process in one optimizer step."""

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read the short form ``n x b x k``, for example ``4x16x2``.

        Raises:
            ValueError: the text is not three positive whole numbers joined by ``x``.
        """
        match = _SHORT.fullmatch(text)
        if match is None or "0" in [number.lstrip("0") or "0" for number in match.groups()]:
            raise ValueError(f"{text!r} is not a split; write n x b x k, for example 4x16x2")
        n, b, k = (int(number) for number in match.groups())
        return cls(n, b, k)

    @property
    def replicas(self) -> int:
        """The number of processes that see different samples: ``n`` in every rule.

        That is all of them: each process has the whole model, or a shard of it that is gathered before use.
        """
        return self.num_processes

    @property
    def global_batch_size(self) -> int:
        """``B = b * k * n``, the samples of one optimizer step, with n `replicas`."""
        return self.replicas * self.per_device_train_batch_size * self.gradient_accumulation_steps

    def __str__(self) -> str:
        return f"{self.num_processes}x{self.per_device_train_batch_size}x{self.gradient_accumulation_steps}"


SPLIT_ALIASES: dict[str, str] = {
    "n": "num_processes",
    "num_gpus": "num_processes",  # DeepSpeed
    "world_size": "num_processes",  # torch.distributed
    "nproc_per_node": "num_processes",  # torchrun
    "b": "per_device_train_batch_size",
    "micro_batch_size": "per_device_train_batch_size",  # axolotl
    "train_micro_batch_size_per_gpu": "per_device_train_batch_size",  # DeepSpeed
    "k": "gradient_accumulation_steps",
    "gradient_accumulation": "gradient_accumulation_steps",
}
"""Names of a split's numbers in accelerate, axolotl, DeepSpeed and torchrun -> the name used here."""

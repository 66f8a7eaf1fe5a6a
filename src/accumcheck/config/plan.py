"""The plan of a check: the configuration with its splits resolved, and the control among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from accumcheck.config.splits import auto_splits, control_of

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Split


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be run. ``config.splits`` equals ``splits``; ``devices`` is the number assumed for ``auto``."""

    config: CheckConfig
    splits: tuple[Split, ...]
    control: Split
    devices: int

    def rows(self) -> list[dict[str, Any]]:
        """One row per split under the report's names; ``samples_per_step`` is ``n * b * k``."""
        return [
            {
                "split": str(split),
                "num_processes": split.num_processes,
                "per_device_train_batch_size": split.per_device_train_batch_size,
                "gradient_accumulation_steps": split.gradient_accumulation_steps,
                "samples_per_step": split.global_batch_size,
                "is_control": split == self.control,
            }
            for split in self.splits
        ]


def make_plan(config: CheckConfig, devices: int) -> Plan:
    """Resolve ``splits: auto`` for this many devices (at least 1 is assumed), and choose the control."""
    splits = config.splits
    if splits is None:
        splits = auto_splits(config.global_batch_size, max(1, devices))
    return Plan(replace(config, splits=splits), splits, control_of(splits), devices)

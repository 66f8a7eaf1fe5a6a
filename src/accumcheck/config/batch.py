"""The global batch size derived from the splits, if a check does not give one."""

from __future__ import annotations

import json
from typing import Any

from accumcheck.config.faults import Faults, Place
from accumcheck.config.reading import read_splits
from accumcheck.config.yaml_positions import read_document
from accumcheck.errors import ConfigError
from accumcheck.record import Split


def batch_of(splits: Any) -> int:
    """The global batch size derived from the splits.

    Args:
        splits: as in a configuration: a list of texts, mappings or `Split`; None if there are none.

    Raises:
        ConfigError: the splits do not determine it.
    """
    batches = {split.global_batch_size: split for split in reversed(listed_splits(splits))}
    if len(batches) > 1:
        each = ", ".join(f"{split} of {batch}" for batch, split in reversed(batches.items()))
        raise ConfigError(f"splits: {each} samples; all splits of a check have the same global batch, n x b x k")
    return next(iter(batches))


def listed_splits(splits: Any) -> list[Split]:
    """Splits that are listed one by one.

    Args:
        splits: as for `batch_of`.

    Raises:
        ConfigError: they are not listed, or one is not a split.
    """
    if splits in (None, "auto"):
        found = "missing" if splits is None else "found 'auto'"
        raise ConfigError(
            f"splits: {found}; give for example splits=['1x8x1', '1x2x4'] (n x b x k), or global_batch_size"
        )
    faults = Faults()
    item = read_document(json.dumps(splits, default=str), Place("splits", on_command_line=True), faults)
    read = [] if item is None else [split for _, split in read_splits(item, faults)]
    faults.raise_any()
    return read

"""Configurations of several machines."""

from __future__ import annotations

from pathlib import Path

from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.model import CheckConfig
from accumcheck.record import Split


def check_of(splits: list[str], launcher: str = "{}") -> CheckConfig:
    """A check with these splits of one global batch."""
    text = f"""
        model: {{config: {{model_type: llama}}}}
        global_batch_size: {Split.parse(splits[0]).global_batch_size}
        splits: [{", ".join(splits)}]
        launcher: {launcher}
        """
    return read_config(text, Place("check.yaml"), Path.cwd())

"""DeepSpeed's engine in the reference's process: with the program's settings, but without partitioning.

A program that calls ``deepspeed.initialize`` has no model without an engine. In the reference's process the engine is
made at stage 0, which partitions neither parameters nor gradients, so that the model can be trained row by row and read
like any other. Weights that the engine casts to 16 bits are cast in the reference's process as well.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from accumcheck.capture.patches import Patches, Seam
from accumcheck.record.observed import Engine
from accumcheck.runfolder.layout import split_folders
from accumcheck.runfolder.of_split import read_trained

ADAMS = ("adam", "adamw")
"""Optimizers in DeepSpeed's configuration that DeepSpeed would compile although torch has them."""


def engine_of_splits(run: Path) -> Engine | None:
    """The engine that trained in the splits of this run; None if none did. All splits must have ended."""
    for folder in split_folders(run):
        trained = read_trained(folder)
        if trained is not None and trained.engine is not None:
            return trained.engine
    return None


def leave_models_whole(patches: Patches) -> None:
    """Make all further engines of this process at stage 0, see `at_stage_0`."""
    config = importlib.import_module("deepspeed.runtime.config").DeepSpeedConfig

    def whole(original: Any) -> Any:
        @functools.wraps(original)
        def initialize(self: Any, settings: Mapping[str, Any]) -> None:
            original(self, at_stage_0(settings))

        return initialize

    patches.wrap(Seam.ENGINE_CONFIG, config, whole)


def at_stage_0(settings: Mapping[str, Any]) -> dict[str, Any]:
    """DeepSpeed's configuration changed to stage 0, without offload and with torch's optimizer.

    Losses in float16 are not scaled: the weights are not trained here, and a scale could make the engine skip a
    step, whose gradient cannot be read.
    """
    found = {**settings, "zero_optimization": {"stage": 0}}
    kinds = settings.get("data_types")
    if isinstance(kinds, Mapping):  # stage 0 has no choice of the dtype in which gradients are accumulated
        found["data_types"] = {name: kind for name, kind in kinds.items() if name != "grad_accum_dtype"}
    optimizer = settings.get("optimizer")
    if isinstance(optimizer, Mapping) and str(optimizer.get("type", "")).lower() in ADAMS:
        found["optimizer"] = {**optimizer, "params": {**optimizer.get("params", {}), "torch_adam": True}}
    half = settings.get("fp16")
    if isinstance(half, Mapping):
        found["fp16"] = {**half, "loss_scale": 1.0}
    return found


def cast_as(engine: Engine, model: torch.nn.Module) -> None:
    """Cast a model without an engine to the dtype to which the engine of the splits cast it."""
    dtype = getattr(torch, engine.dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.data = parameter.data.to(dtype)
        for buffer in model.buffers() if engine.casts_buffers else ():
            if buffer.is_floating_point():
                buffer.data = buffer.data.to(dtype)

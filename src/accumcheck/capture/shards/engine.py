"""The steps of DeepSpeed's engine: the torch optimizer in it only gets the engine's buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.capture.gradient import StepGradient
from accumcheck.capture.patches import Patches
from accumcheck.capture.shards import zero
from accumcheck.capture.shards.zero import around_steps, check_engine, check_norm, engine_of, loss_scale_of
from accumcheck.record.observed import Engine

OnStep = Callable[[Any, StepGradient, float], None]
"""Called with the engine, the whole gradient that it is about to apply, and the scale of the losses."""


class EngineWatch:
    """Watches the engine that trains a model, if there is one.

    Args:
        patches: undo what is done to the engine.
        on_step: called before each step that updates parameters.
    """

    def __init__(self, patches: Patches, on_step: OnStep) -> None:
        self._patches = patches
        self._on_step = on_step
        self._engine: Any = None
        self._norm = 0.0

    @property
    def found(self) -> bool:
        """Whether an engine trains the model; then torch's optimizers do not show its steps."""
        return self._engine is not None

    @property
    def record(self) -> Engine | None:
        """The engine's release and the dtype of its weights; None if no engine trains the model."""
        return None if self._engine is None else zero.described(self._engine)

    def look_for(self, model: torch.nn.Module, reader: GradientReader) -> None:
        """Look for the engine of this model, unless it is known already.

        Raises:
            UnsupportedError: the engine uses a feature that accumcheck has not been validated with.
        """
        if self._engine is not None:
            return
        engine = self._engine = engine_of(model)
        if engine is None:
            return
        check_engine(engine)

        def before() -> None:
            entries, self._norm = reader.read(model)
            self._on_step(engine, StepGradient(entries, np.array([self._norm]), 1.0), loss_scale_of(engine))

        around_steps(self._patches, engine, before, lambda: check_norm(engine, self._norm))


def optimizer_of(engine: Any) -> torch.optim.Optimizer | None:
    """The torch optimizer in an engine, which has the learning rates; None if there is none."""
    optimizer = getattr(engine, "basic_optimizer", None)
    return optimizer if isinstance(optimizer, torch.optim.Optimizer) else None

"""What a Trainer logs, read through its callback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transformers import TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerControl, TrainerState


class TrainerLog(TrainerCallback):  # type: ignore[misc]
    """Passes on what Trainer logs (the step, counted from 1, and the numbers), and the end of its training."""

    def __init__(
        self, told: Callable[[int, Mapping[str, Any]], None], ended: Callable[[], None] = lambda: None
    ) -> None:
        self._told = told
        self._ended = ended

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Called by Trainer after each log line."""
        self._told(state.global_step, logs or {})

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Called by Trainer when the last step is done."""
        self._ended()

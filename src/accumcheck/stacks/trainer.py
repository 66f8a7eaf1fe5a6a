"""The installed ``transformers.Trainer``, unmodified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerControl, TrainerState

from accumcheck.capture.observer import Observer
from accumcheck.hotfixes.apply import apply
from accumcheck.record import TrajectoryPoint
from accumcheck.stacks.protocol import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NEVER_CLIPS = 1e30
"""A ``max_grad_norm`` under which Trainer still logs the gradient's norm but scales nothing."""


class _Log(TrainerCallback):  # type: ignore[misc]
    """Passes on what Trainer logs: the step, counted from 1, and the numbers."""

    def __init__(self, told: Callable[[int, Mapping[str, Any]], None]) -> None:
        self._told = told

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


class TrainerStack:
    """``stack: trainer``."""

    def train(self, task: Task, observer: Observer) -> None:
        """See `Stack.train`. Held still by a learning rate of 0; clipping is kept out of the way but logged."""
        held_still = {
            "learning_rate": 0.0,
            "lr_scheduler_type": "constant",
            "optim": "sgd",  # at learning rate 0 no optimizer state matters, and none is allocated
            "weight_decay": 0.0,
            "max_grad_norm": NEVER_CLIPS,
        }
        epochs = task.check.data.epochs
        length = {"max_steps": task.check.steps} if epochs is None else {"num_train_epochs": epochs}
        self._run(task, {**held_still, **length}, observer.told, observer.trained_by)

    def train_freely(self, task: Task) -> list[TrajectoryPoint]:
        """See `Stack.train_freely`."""
        points: list[TrajectoryPoint] = []

        def told(step: int, logs: Mapping[str, Any]) -> None:
            if "loss" in logs:
                points.append(TrajectoryPoint(step, float(logs["loss"]), _number(logs.get("grad_norm"))))

        self._run(task, {"max_steps": task.check.trajectory_steps}, told)
        return points

    def trainer(self, task: Task, **arguments: Any) -> Trainer:  # noqa: ARG002
        """The Trainer that is run; ``arguments`` are those of its constructor."""
        return Trainer(**arguments)

    def _run(
        self,
        task: Task,
        fixed: dict[str, Any],
        told: Callable[[int, Mapping[str, Any]], None],
        seen: Callable[[Trainer], None] | None = None,
    ) -> None:
        on_cpu = task.device == "cpu"
        arguments = TrainingArguments(
            **{
                "report_to": [],
                "disable_tqdm": True,
                "save_strategy": "no",
                "remove_unused_columns": False,  # the samples are made for the model: nothing in them is unused
                "dataloader_pin_memory": not on_cpu,
                "seed": task.check.seed,
                **task.check.training_arguments,
                "output_dir": str(task.folder / "output"),
                "per_device_train_batch_size": task.split.per_device_train_batch_size,
                "gradient_accumulation_steps": task.split.gradient_accumulation_steps,
                "logging_strategy": "steps",
                "logging_steps": 1,
                "logging_nan_inf_filter": False,  # a NaN must reach the log, not be averaged away
                "use_cpu": on_cpu,
                "ddp_backend": task.backend if task.split.num_processes > 1 else None,
                **fixed,
            }
        )
        trainer = self.trainer(
            task,
            model=task.model,
            args=arguments,
            train_dataset=_Rows(task.samples),
            data_collator=task.collator,
            callbacks=[_Log(told)],
        )
        if task.check.hotfix is not None:
            apply(task.check.hotfix, trainer)
        if seen is not None:
            seen(trainer)
        trainer.train()


class _Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """The samples as the map-style data set that Trainer users have."""

    def __init__(self, samples: Any) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        return dict(self._samples[position])


def _number(value: Any) -> float | None:
    return None if value is None else float(value)

"""The installed ``transformers.Trainer``, unmodified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.stacks.protocol import UNUSED_BY_TRAINER, LoopSpec, Training
from accumcheck.stacks.updates.arguments import STILL, overridden

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from transformers import Trainer

    from accumcheck.capture.observer import Observer
    from accumcheck.record import TrajectoryPoint


class TrainerLoop:
    """``stack: trainer``."""

    def train(self, training: Training, observer: Observer) -> None:
        """See `Loop.train`. If the user's update is not run, a learning rate of 0 holds the weights still."""
        epochs = training.check.data.epochs
        length = {"max_steps": training.check.steps} if epochs is None else {"num_train_epochs": epochs}
        update = overridden(training.check.training_arguments, real=training.updates)
        still = {} if training.updates else STILL
        self._run(training, {**update, **still, **length}, observer.told, observer.trained_by)

    def train_freely(self, training: Training) -> list[TrajectoryPoint]:
        """See `Loop.train_freely`."""
        from accumcheck.record import TrajectoryPoint

        points: list[TrajectoryPoint] = []

        def told(step: int, logs: Mapping[str, Any]) -> None:
            if "loss" in logs:
                points.append(TrajectoryPoint(step, float(logs["loss"]), _number(logs.get("grad_norm"))))

        self._run(training, {"max_steps": training.check.trajectory_steps}, told)
        return points

    def trainer(self, training: Training, **arguments: Any) -> Trainer:  # noqa: ARG002
        """The Trainer to run; ``arguments`` are those of its constructor."""
        from transformers import Trainer

        return Trainer(**arguments)

    def _run(
        self,
        training: Training,
        fixed: dict[str, Any],
        told: Callable[[int, Mapping[str, Any]], None],
        seen: Callable[[Trainer], None] | None = None,
    ) -> None:
        from transformers import TrainingArguments

        from accumcheck.capture.trainer_log import TrainerLog
        from accumcheck.hotfixes.apply import apply

        on_cpu = training.device == "cpu"
        arguments = TrainingArguments(
            **{
                "report_to": [],
                "disable_tqdm": True,
                "save_strategy": "no",
                "remove_unused_columns": False,  # the samples are made for the model and have no unused columns
                "dataloader_pin_memory": not on_cpu,
                "seed": training.check.seed,
                **training.check.training_arguments,
                "output_dir": str(training.folder / "output"),
                "per_device_train_batch_size": training.split.per_device_train_batch_size,
                "gradient_accumulation_steps": training.split.gradient_accumulation_steps,
                "logging_strategy": "steps",
                "logging_steps": 1,
                "logging_nan_inf_filter": False,  # a NaN must reach the log, not be averaged away
                "use_cpu": on_cpu,
                "ddp_backend": training.backend if training.split.num_processes > 1 else None,
                **fixed,
            }
        )
        trainer = self.trainer(
            training,
            model=training.model,
            args=arguments,
            train_dataset=_Rows(training.samples),
            data_collator=training.collator,
            callbacks=[TrainerLog(told)],
        )
        if training.check.hotfix is not None:
            apply(training.check.hotfix, trainer)
        if seen is not None:
            seen(trainer)
        trainer.train()


class _Rows:
    """The samples as a map-style data set, as Trainer's users write it."""

    def __init__(self, samples: Any) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        return dict(self._samples[position])


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


SPEC = LoopSpec(
    name="trainer",
    help="the installed transformers.Trainer",
    package="transformers",
    preload=("transformers.trainer",),
    unused=UNUSED_BY_TRAINER,
    make=lambda _: TrainerLoop(),
)

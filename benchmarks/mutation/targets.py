"""The functions that are mutated: everything between a micro-batch's loss and the optimizer's step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A module and functions in it, by qualified name; ``suite``: the checks that run them."""

    suite: str
    module: str
    functions: tuple[str, ...]


TARGETS = (
    Target(
        "trainer",
        "transformers.trainer",
        (
            "Trainer.compute_loss",
            "Trainer.training_step",
            "Trainer.get_batch_samples",
            "Trainer._get_num_items_in_batch",
            "Trainer._run_epoch",
            "Trainer._inner_training_loop",
            "Trainer._clip_grad_norm",
            "Trainer._get_grad_norm",
            "Trainer._maybe_log_save_evaluate",
        ),
    ),
    Target(
        "accelerate",
        "accelerate.accelerator",
        (
            "Accelerator.backward",
            "Accelerator.accumulate",
            "Accelerator._do_sync",
            "Accelerator.no_sync",
            "Accelerator.clip_grad_norm_",
        ),
    ),
    Target(
        "accelerate",
        "accelerate.state",
        (
            "GradientState.num_steps",
            "GradientState.sync_with_dataloader",
            "GradientState.end_of_dataloader",
            "GradientState._set_sync_gradients",
        ),
    ),
    Target("accelerate", "accelerate.optimizer", ("AcceleratedOptimizer.step", "AcceleratedOptimizer.zero_grad")),
    Target("sft", "trl.trainer.sft_trainer", ("SFTTrainer.compute_loss", "SFTTrainer.training_step")),
)

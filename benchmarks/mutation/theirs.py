"""The assertions of transformers' own tests of gradient accumulation, restated: would they find a mutant?

Source: TrainerGradientAccumulationTest in transformers' tests/trainer/test_trainer.py (5.x), with one process and
without a download. The logged losses of 5 steps agree within 0.01 between a batch of 8 and 2 micro-batches of 4, with
the model's loss and with a ``compute_loss_func``. A regression with half the batch and 2 accumulation steps ends with
the same weights. Every batch of the data loader is used, whether or not the length is a multiple.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from mutation.forked import forked

CLOSE = 0.01
STEPS = 5


def noticed(mutant: str) -> str:
    """The test that fails under a mutant, tried in a separate process; empty if none does."""
    return forked(mutant, _first_that_fails)


def _first_that_fails() -> str:
    for test in TESTS:
        try:
            test()
        except Exception as error:
            return f"{test.__name__}: {type(error).__name__}"
    return ""


def _train(
    model: Any, rows: Any, seed: int, callbacks: Any = (), func: Any = None, spy: Any = None, **arguments: Any
) -> Any:
    from transformers import Trainer, TrainingArguments, set_seed

    set_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        told = TrainingArguments(
            folder, use_cpu=True, disable_tqdm=True, report_to=[], save_strategy="no", logging_steps=1, **arguments
        )
        trainer = Trainer(model, told, train_dataset=rows, callbacks=[*callbacks], compute_loss_func=func)
        if spy is not None:
            spy(trainer)
        trainer.train()
    return trainer


def _losses(func: Callable[..., Any] | None, **arguments: Any) -> list[float]:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback, set_seed

    class Store(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.losses: list[float] = []

        def on_log(self, *_: Any, logs: Any = None, **__: Any) -> None:
            if "loss" in logs:
                self.losses.append(logs["loss"])

    set_seed(42)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=128, **sizes))
    draw = torch.Generator().manual_seed(1)
    rows = []
    for length in torch.randint(3, 17, (40,), generator=draw).tolist():
        ids = torch.randint(1, 128, (16,), generator=draw)
        mask = (torch.arange(16) < length).long()
        rows.append({"input_ids": ids, "attention_mask": mask, "labels": torch.where(mask == 1, ids, -100)})
    store = Store()
    _train(model, rows, 42, [store], func, max_steps=STEPS, learning_rate=3e-4, **arguments)
    return store.losses


def _aligned(func: Callable[..., Any] | None) -> None:
    whole = _losses(func)
    parts = _losses(func, gradient_accumulation_steps=2, per_device_train_batch_size=4)
    assert max(abs(one - other) for one, other in zip(whole, parts, strict=True)) < CLOSE
    assert len(whole) == STEPS


def aligned_with_the_models_loss() -> None:
    """test_gradient_accumulation_loss_alignment_with_model_loss."""
    _aligned(None)


def aligned_with_a_loss_function() -> None:
    """test_gradient_accumulation_loss_alignment_with_loss_func."""
    from torch.nn.functional import cross_entropy

    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        logits = outputs["logits"][:, :-1].flatten(0, 1).float()
        how = "mean" if num_items_in_batch is None else "sum"
        found = cross_entropy(logits, labels[:, 1:].flatten(), ignore_index=-100, reduction=how)
        return found if num_items_in_batch is None else found / num_items_in_batch

    _aligned(loss)


def _regression(length: int = 64, spy: Any = None, **arguments: Any) -> Any:
    import torch

    class Line(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.zeros(()))
            self.b = torch.nn.Parameter(torch.zeros(()))

        def forward(self, input_x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            y = input_x * self.a + self.b
            return (y,) if labels is None else (torch.nn.functional.mse_loss(y, labels), y)

    draw = torch.Generator().manual_seed(42)
    x = torch.randn(length, generator=draw)
    y = 2 * x + 3 + 0.1 * torch.randn(length, generator=draw)
    rows = [{"input_x": one, "labels": two} for one, two in zip(x, y, strict=True)]
    return _train(Line(), rows, 42, spy=spy, learning_rate=0.1, **arguments)


def same_weights_with_accumulation() -> None:
    """test_gradient_accumulation."""
    import torch

    whole = _regression()
    parts = _regression(gradient_accumulation_steps=2, per_device_train_batch_size=4)
    torch.testing.assert_close(parts.model.a, whole.model.a)
    torch.testing.assert_close(parts.model.b, whole.model.b)


def every_batch_is_taken() -> None:
    """test_num_batches_in_training_with_gradient_accumulation, which needs several GPUs in transformers."""
    for epochs in (1, 2):
        for length in (123, 120):
            taken: list[int] = []

            def spy(trainer: Any, taken: list[int] = taken) -> None:
                original = trainer.get_batch_samples

                def watched(iterator: Any, count: int, device: Any) -> Any:
                    assert count > 0
                    samples, items = original(iterator, count, device)
                    assert len(samples) == count
                    taken.append(count)
                    return samples, items

                trainer.get_batch_samples = watched

            trainer = _regression(
                length, spy, per_device_train_batch_size=4, gradient_accumulation_steps=5, num_train_epochs=epochs
            )
            assert sum(taken) == len(trainer.get_train_dataloader()) * epochs


TESTS = (
    aligned_with_the_models_loss,
    aligned_with_a_loss_function,
    same_weights_with_accumulation,
    every_batch_is_taken,
)

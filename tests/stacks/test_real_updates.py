"""The installed Trainer and the loop with accelerate make the user's own updates, from the same weights each time."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from accumcheck.capture.observer import Observer
from accumcheck.capture.patches import Patches
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.errors import RefusedError
from accumcheck.record import Split, StepObservation
from accumcheck.rows.fingerprint import SampleIndex
from accumcheck.runfolder.steps import read_observed, read_weights
from accumcheck.stacks.accelerate import AccelerateLoop
from accumcheck.stacks.protocol import Loop, Training
from accumcheck.stacks.trainer import SPEC as TRAINER
from accumcheck.stacks.trainer import TrainerLoop
from accumcheck.stacks.updates.real import real_updates, runs_updates

RATE, STEPS, LIMIT, DECAY = 1e-3, 2, 0.5, 0.25
ASKED = {"learning_rate": RATE, "max_grad_norm": LIMIT, "weight_decay": DECAY, "optim": "adamw_torch"}
ADAM_EPSILON = 1e-8


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def model_of() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes))


def samples() -> list[dict[str, torch.Tensor]]:
    draw = torch.Generator().manual_seed(1)
    ids = [torch.randint(1, 32, (6,), generator=draw) for _ in range(4 * STEPS)]
    return [{"input_ids": one, "attention_mask": torch.ones_like(one), "labels": one} for one in ids]


def trained(
    folder: Path, loop: Loop, asked: dict[str, Any], update: str = "auto", dtype: torch.dtype = torch.float32
) -> tuple[LlamaForCausalLM, tuple[StepObservation, ...]]:
    split = Split(1, 2, 2)
    check = CheckConfig(ModelConfig(), 4, (split,), steps=STEPS, training_arguments=asked, update=update)
    model, rows = model_of().to(dtype), samples()
    stack = dict.fromkeys(rows[0], torch.stack)

    def collate(batch: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        return {name: put([row[name] for row in batch]) for name, put in stack.items()}

    training = Training(check, split, model, rows, collate, folder, "cpu", "gloo", updates=runs_updates(check))
    observer = Observer(folder, 0, SampleIndex(rows), lambda _: None, accumulation_steps=2)
    with Patches(TRAINER.seams) as patches, real_updates(training, observer, patches):
        loop.train(training, observer)
        observer.stop()
    observer.write()
    return model, read_observed(folder, 1)


def flat(model: torch.nn.Module, of: Callable[[torch.nn.Parameter], torch.Tensor]) -> np.ndarray:
    return np.concatenate([of(one).detach().reshape(-1).numpy() for one in model.parameters()])


def gradient_of(rows: list[dict[str, torch.Tensor]]) -> np.ndarray:
    """Of the mean over all labels, by autograd; the rows are of one length."""
    model = model_of()
    loss = model(**{name: torch.stack([row[name] for row in rows]) for name in rows[0]}).loss
    torch.autograd.backward(loss)
    return flat(model, lambda one: one.grad if one.grad is not None else torch.zeros_like(one))


def rows_of(step: StepObservation) -> list[dict[str, torch.Tensor]]:
    """Those that it was fed: Trainer shuffles."""
    every = samples()
    return [every[row] for batch in step.micro_batches for row in batch.samples]


@pytest.mark.parametrize(
    ("loop", "rates", "decays"),
    [
        # Trainer: linear to 0 over two steps, and no decay of norms; ours: constant, and of all
        (TrainerLoop(), [(RATE, RATE), (RATE / 2, RATE / 2)], (DECAY, 0.0)),
        (AccelerateLoop(), [(RATE,), (RATE,)], (DECAY,)),
    ],
)
def test_the_optimizer_is_the_users_and_each_step_begins_with_the_same_weights(
    tmp_path: Path, loop: Loop, rates: list[tuple[float, ...]], decays: tuple[float, ...]
) -> None:
    asked = ASKED if isinstance(loop, TrainerLoop) else {n: v for n, v in ASKED.items() if n != "optim"}
    model, steps = trained(tmp_path, loop, asked)
    begun = flat(model_of(), lambda one: one)
    assert np.array_equal(flat(model, lambda one: one), begun)
    assert [step.learning_rates for step in steps] == [pytest.approx(one) for one in rates]
    assert [step.weight_decays for step in steps] == [decays, decays]
    held = read_weights(tmp_path)
    assert held is not None
    assert np.array_equal(held.values, begun)
    for step in steps:
        right = gradient_of(rows_of(step))
        norm = float(np.linalg.norm(right))
        assert norm > LIMIT
        assert step.gradients[0] == pytest.approx(right, rel=1e-4, abs=1e-6)  # before it is clipped
        assert step.clip_coefficient == pytest.approx(LIMIT / norm, rel=1e-4)
        assert step.logged_grad_norm == pytest.approx(norm, rel=1e-4)
        assert step.change is not None
    # the first step of Adam moves an entry by the rate, whatever its size, and decays it
    applied = gradient_of(rows_of(steps[0])) * steps[0].clip_coefficient
    due = -RATE * applied / (np.abs(applied) + ADAM_EPSILON)
    decaying = np.concatenate(
        [np.full(one.numel(), len(decays) == 1 or "norm" not in name) for name, one in model_of().named_parameters()]
    )
    due = due - RATE * DECAY * begun * decaying
    clear = np.abs(applied) > 1e-4
    assert clear.mean() > 0.5
    assert steps[0].change is not None
    assert steps[0].change[clear] == pytest.approx(due[clear], rel=1e-3, abs=1e-6)


def test_what_trainer_logs_is_kept(tmp_path: Path) -> None:
    _, steps = trained(tmp_path, TrainerLoop(), ASKED)
    assert [step.logged_learning_rate for step in steps] == pytest.approx([RATE, RATE / 2])
    assert [(step.schedule_steps, step.schedule_steps_after) for step in steps] == [((0,), (1,)), ((1,), (2,))]


@pytest.mark.parametrize("loop", [TrainerLoop(), AccelerateLoop()])
def test_with_update_off_nothing_moves_and_nothing_is_said_of_it(tmp_path: Path, loop: Loop) -> None:
    model, steps = trained(tmp_path, loop, {"max_grad_norm": LIMIT}, update="off")
    assert np.array_equal(flat(model, lambda one: one), flat(model_of(), lambda one: one))
    for step in steps:
        assert (step.learning_rates, step.clip_coefficient, step.change) == ((), 1.0, None)
        assert math.isfinite(step.grad_norms[0])


class Shrinks(TrainerLoop):
    """Moves weights outside of its optimizer's step."""

    def trainer(self, training: Training, **arguments: Any) -> Trainer:
        class Shrinking(Trainer):
            def training_step(self, model: torch.nn.Module, *args: Any, **more: Any) -> torch.Tensor:
                loss: torch.Tensor = super().training_step(model, *args, **more)
                with torch.no_grad():
                    for one in model.parameters():
                        one.mul_(0.99)
                return loss

        return Shrinking(**arguments)


def test_weights_that_something_else_moves_are_no_test_of_one_set_of_weights(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="something other than an optimizer step changed"):
        trained(tmp_path, Shrinks(), ASKED)


def test_the_defaults_are_those_of_transformers(tmp_path: Path) -> None:
    """As far as a check knows them without asking: where nothing is written, the norm is clipped to 1."""
    from accumcheck.judge.detectors.asked_clipping import DEFAULT

    assert TrainingArguments(str(tmp_path)).max_grad_norm == DEFAULT


@pytest.mark.parametrize(("optimizer", "spoils"), [("adamw_torch", True), ("adamw_torch_fused", False)])
def test_adam_that_computes_in_float16_makes_weights_that_are_not_finite(
    tmp_path: Path, optimizer: str, spoils: bool
) -> None:
    # in float16 an epsilon of 1e-8 is 0, and so is the square of a gradient below 1.7e-4; the fused Adam uses float32
    model, steps = trained(tmp_path, TrainerLoop(), {**ASKED, "optim": optimizer}, dtype=torch.float16)
    assert all(math.isfinite(step.grad_norms[0]) for step in steps)
    assert steps[0].change_norm is not None
    assert math.isfinite(steps[0].change_norm) is not spoils
    begun = flat(model_of().to(torch.float16), lambda one: one)
    assert np.array_equal(flat(model, lambda one: one), begun)

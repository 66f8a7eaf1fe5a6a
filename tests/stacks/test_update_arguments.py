"""Which training arguments are overridden so that weights can be held still, and which are the user's own."""

from __future__ import annotations

from typing import Any

import pytest
from transformers.training_args import OptimizerNames

from accumcheck.stacks.updates.arguments import is_sharding, overridden

NO_NOISE = {"neftune_noise_alpha": None}
NOT_RUN = {**NO_NOISE, "optim": "sgd", "weight_decay": 0.0, "max_grad_norm": 1e30}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"optim": "adamw_torch", "max_grad_norm": 0.3, "weight_decay": 0.1, "learning_rate": 1e-3},
        {"optim": "adafactor", "lr_scheduler_type": "cosine", "fsdp": "", "deepspeed": None, "fsdp_config": {}},
    ],
)
def test_the_users_own_update_is_run(asked: dict[str, Any]) -> None:
    assert overridden(asked, real=True) == NO_NOISE


@pytest.mark.parametrize(
    "asked", [{"fsdp": "full_shard"}, {"fsdp": ["full_shard"]}, {"deepspeed": {"zero_optimization": {"stage": 2}}}]
)
def test_of_a_model_that_is_cut_up_it_is_not(asked: dict[str, Any]) -> None:
    assert overridden(asked, real=True) == NOT_RUN


def test_nor_where_the_environment_cuts_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_sharding({})
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert overridden({}, real=True) == NOT_RUN


def test_nor_where_it_is_switched_off() -> None:
    assert overridden({"learning_rate": 1.0}, real=False) == NOT_RUN


@pytest.mark.parametrize("optim", ["lomo", OptimizerNames.GALORE_ADAMW_LAYERWISE])
def test_an_optimizer_that_steps_as_gradients_come_is_another(optim: Any) -> None:
    assert overridden({"optim": optim}, real=True) == {**NO_NOISE, "optim": "sgd"}


def test_a_schedule_that_follows_an_evaluation_has_none_to_follow() -> None:
    asked = {"lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": {"patience": 2}}
    assert overridden(asked, real=True) == {**NO_NOISE, "lr_scheduler_type": "constant", "lr_scheduler_kwargs": {}}

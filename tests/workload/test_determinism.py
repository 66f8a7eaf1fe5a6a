"""What is random, or depends on earlier forwards, is turned off in an existing model."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
import transformers

from accumcheck.workload.determinism import turn_off_config_dropout, turn_off_dropout


def by_parametrization(module: torch.nn.Linear) -> torch.nn.Module:
    return torch.nn.utils.parametrizations.spectral_norm(module)


def by_hook(module: torch.nn.Linear) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.nn.utils.spectral_norm(module)


@pytest.mark.parametrize("make", [by_parametrization, by_hook])
def test_a_spectral_norm_does_not_change_with_the_number_of_forwards(
    make: Callable[[torch.nn.Linear], torch.nn.Module],
) -> None:
    torch.manual_seed(0)
    model, row = torch.nn.Sequential(make(torch.nn.Linear(50, 70)), torch.nn.Tanh()), torch.ones(1, 50)
    model.train()
    assert not torch.equal(model(row), model(row))
    turn_off_dropout(model)
    assert torch.equal(model(row), model(row))


def test_dropout_is_turned_off() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(0.5))
    turn_off_dropout(model)
    assert model(torch.ones(64)).tolist() == [1.0] * 64


def test_noisy_queries_are_turned_off() -> None:
    config = transformers.RTDetrConfig()
    assert config.num_denoising > 0
    turn_off_config_dropout(config)
    assert config.num_denoising == 0

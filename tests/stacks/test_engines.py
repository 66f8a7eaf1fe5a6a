"""The engine's configuration in the reference's process, and how that process knows the engine of the splits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from accumcheck.record import Coordinates, TrainedRecord
from accumcheck.record.observed import Engine
from accumcheck.runfolder.of_split import write_trained
from accumcheck.stacks.programs.engines import at_stage_0, cast_as, engine_of_splits

NOTHING = Coordinates((), (), (), 0)


def test_partitioning_and_offload_are_removed_and_all_else_is_kept() -> None:
    asked = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 8,
        "zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}},
        "optimizer": {"type": "AdamW", "params": {"lr": 0.1}},
        "bf16": {"enabled": True},
        "data_types": {"grad_accum_dtype": "fp32", "param_dtype": "bf16"},
    }
    assert at_stage_0(asked) == {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 8,
        "zero_optimization": {"stage": 0},
        "optimizer": {"type": "AdamW", "params": {"lr": 0.1, "torch_adam": True}},
        "bf16": {"enabled": True},
        "data_types": {"param_dtype": "bf16"},
    }
    assert asked["zero_optimization"] == {
        "stage": 3,
        "offload_optimizer": {"device": "cpu"},
    }  # the program's own mapping is unchanged


def test_losses_in_float16_are_not_scaled_and_other_optimizers_are_kept() -> None:
    sgd = {"type": "SGD", "params": {"lr": 0.1}}
    found = at_stage_0({"fp16": {"enabled": True, "initial_scale_power": 16}, "optimizer": sgd})
    assert found["fp16"] == {"enabled": True, "initial_scale_power": 16, "loss_scale": 1.0}
    assert found["optimizer"] == sgd
    assert "data_types" not in found


@pytest.mark.parametrize("engine", [None, Engine("0.19.0", "bfloat16", casts_buffers=True)])
def test_the_engine_of_the_splits_is_read_from_their_records(tmp_path: Path, engine: Engine | None) -> None:
    (tmp_path / "reference").mkdir()
    for split, found in (("1x2x2", None), ("2x1x2", engine)):
        (tmp_path / split).mkdir()
        write_trained(tmp_path / split, 0, TrainedRecord(NOTHING, engine=found))
    (tmp_path / "4x1x1").mkdir()  # it ended with an error
    assert engine_of_splits(tmp_path) == engine


@pytest.mark.parametrize("casts_buffers", [False, True])
def test_a_model_is_cast_as_the_engine_casts(casts_buffers: bool) -> None:
    model = torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        model.weight.fill_(1 + 2**-10)  # bfloat16 has no number between 1 and 1 + 2^-7
    cast_as(Engine("0.19.0", "bfloat16", casts_buffers), model)
    assert model.weight.dtype == torch.bfloat16
    assert model.weight.tolist() == [1.0, 1.0]
    assert model.running_mean is not None
    assert model.num_batches_tracked is not None
    assert model.running_mean.dtype == (torch.bfloat16 if casts_buffers else torch.float32)
    assert model.num_batches_tracked.dtype == torch.int64

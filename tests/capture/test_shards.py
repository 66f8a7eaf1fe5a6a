"""Gradients and weights gathered whole, in two real processes, beside those of one that has the model to itself."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import torch

from accumcheck.capture.shards import canonical, parameters_of
from accumcheck.capture.shards.asked import check_gpus_are_not_shared, check_shards_were_made
from accumcheck.errors import WorkloadError
from tests.capture.sharded_program import KINDS, ROWS, SOME, Small
from tests.capture.two_processes import in_two_processes

GATHERED = [kind for kind in KINDS if kind != "whole" and not kind.startswith("unreduced")]
NAMES = ("embed.weight", "second.weight", "second.bias", "norm.weight", "norm.bias")  # first is frozen, out is embed


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """By kind, what each of the two processes read."""
    return in_two_processes("sharded_program.py", tmp_path_factory.mktemp("shards"), (*KINDS, "asked"))


@pytest.fixture(scope="module")
def truth() -> dict[str, torch.Tensor]:
    """The mean of all rows' losses, differentiated by one process in one pass; rows are of one length."""
    model = Small()
    model(ROWS).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("kind", GATHERED)
def test_every_process_has_the_whole_gradient(
    read: dict[str, list[dict[str, Any]]], truth: dict[str, torch.Tensor], kind: str
) -> None:
    right = torch.cat([truth[name].flatten() for name in NAMES]).numpy()
    close = 2e-2 if kind == "bfloat16" else 1e-6  # arithmetic in bfloat16 has three digits
    for seen in read[kind]:
        assert seen["entries"].dtype == np.float32
        assert np.linalg.norm(seen["entries"] - right) < close * np.linalg.norm(right)
        assert seen["norm"] == pytest.approx(float(np.linalg.norm(right)), rel=close)
    assert np.array_equal(read[kind][0]["entries"], read[kind][1]["entries"])


@pytest.mark.parametrize("kind", GATHERED)
def test_the_same_few_entries_are_kept_as_of_a_model_that_is_whole(
    read: dict[str, list[dict[str, Any]]], kind: str
) -> None:
    # each process of "whole" has the gradient of its own rows, of which there are half as many
    mean = sum(seen["some"] for seen in read["whole"]) / 2
    assert len(mean) == SOME
    close = 2e-2 if kind == "bfloat16" else 1e-6
    assert np.linalg.norm(read[kind][0]["some"] - mean) < close * np.linalg.norm(mean)
    assert all(seen["names"] == NAMES for seen in read[kind])  # also where the reader came after the shards


@pytest.mark.parametrize("kind", GATHERED)
def test_weights_are_gathered_to_the_bit(read: dict[str, list[dict[str, Any]]], kind: str) -> None:
    model = Small()
    for seen in read[kind]:
        assert {name: value.tolist() for name, value in seen["values"].items()} == {
            name: parameter.flatten().tolist() for name, parameter in model.named_parameters()
        }
        assert seen["sums"] == read["whole"][0]["sums"]


def test_a_gradient_that_was_never_reduced_is_no_gradient_or_an_error(
    read: dict[str, list[dict[str, Any]]],
) -> None:
    assert [seen["norm"] for seen in read["unreduced"]] == [0, 0]  # fully_shard hands the optimizer none
    for seen in read["unreduced-flat"]:
        # embed 21, norm 6, in the unit of the model itself: 27 entries, 14 for each process with one of padding
        assert "has 27 entries in this process, but its shard has 14: it was not reduced" in seen["error"]


def test_shards_that_were_asked_for_and_not_made_are_an_error(read: dict[str, list[dict[str, Any]]]) -> None:
    for seen in read["asked"]:
        assert "FSDP was requested, but each of the 2 processes trains the whole model" in seen["error"]


def test_what_wrappers_add_to_a_name_goes() -> None:
    name = "_orig_mod._fsdp_wrapped_module.layers.0._checkpoint_wrapped_module.mlp.weight"
    assert canonical(name) == "layers.0.mlp.weight"


def test_tensor_parallel_is_refused_by_name() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    try:
        model = torch.nn.Sequential(torch.nn.Linear(2, 2))
        parallelize_module(model, init_device_mesh("cpu", (1,), mesh_dim_names=("tp",)), {"0": ColwiseParallel()})
        with pytest.raises(WorkloadError, match=r"0\.weight is sharded by tensor or expert parallelism"):
            list(parameters_of(model))
    finally:
        torch.distributed.destroy_process_group()


def test_one_process_has_nothing_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    check_shards_were_made(False, None)  # no process group: no error


@pytest.mark.parametrize(
    ("sharded", "device", "backend", "processes", "refused"),
    [
        (True, "cuda", "gloo", 2, True),
        (True, "cuda", "nccl", 2, False),
        (True, "cpu", "gloo", 2, False),
        (True, "cuda", "gloo", 1, False),
        (False, "cuda", "gloo", 2, False),  # DDP
    ],
)
def test_shards_on_a_gpu_that_processes_share_are_refused_before_they_crash(
    monkeypatch: pytest.MonkeyPatch, sharded: bool, device: str, backend: str, processes: int, refused: bool
) -> None:
    for name, value in {"is_initialized": True, "get_world_size": processes, "get_backend": backend}.items():
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    expected = pytest.raises(WorkloadError, match="each of the 2 processes needs its own GPU")
    with expected if refused else contextlib.nullcontext():
        check_gpus_are_not_shared(sharded, torch.device(device))

"""Which splits a machine can run."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.config.model import CheckConfig, LauncherConfig, ModelConfig
from accumcheck.launch.devices import Devices
from accumcheck.launch.fits import backend_of, machines_of, why_not
from accumcheck.record import Split

FSDP = {"fsdp": "full_shard auto_wrap"}


def check(nnodes: int = 1, *, oversubscribe: bool = False, **arguments: Any) -> CheckConfig:
    launcher = LauncherConfig(oversubscribe=oversubscribe, nnodes=nnodes)
    return CheckConfig(ModelConfig(), 8, None, training_arguments=arguments, launcher=launcher)


def reason(split: str, gpus: int, *, oversubscribe: bool, **arguments: Any) -> str | None:
    devices = Devices("cuda", "a GPU", gpus, "")
    found = why_not(Split.parse(split), check(oversubscribe=oversubscribe, **arguments), devices)
    assert found is None or found.kind == "not-enough-devices"
    return None if found is None else found.text


@pytest.mark.parametrize("arguments", [{}, FSDP])
def test_a_split_of_as_many_processes_as_gpus_runs(arguments: dict[str, str]) -> None:
    assert reason("2x2x2", 2, oversubscribe=False, **arguments) is None


def test_a_cpu_runs_any_split() -> None:
    assert why_not(Split(64, 1, 1), check(), Devices("cpu", "", 2, "")) is None


def test_processes_share_a_gpu_only_where_it_is_allowed() -> None:
    assert reason("2x2x2", 1, oversubscribe=True) is None
    assert reason("2x2x2", 1, oversubscribe=False) == (
        "needs 2 GPUs, 1 present; launcher.oversubscribe: true puts several processes on one GPU"
    )
    assert reason("1x2x4", 0, oversubscribe=True) == "needs 1 GPU, 0 present"


def test_no_gpu_is_shared_under_fsdp() -> None:
    for oversubscribe in (True, False):
        assert reason("2x2x2", 1, oversubscribe=oversubscribe, **FSDP) == (
            "needs 2 GPUs, 1 present; under FSDP every process needs its own GPU: sharing a GPU falls back to gloo, "
            "which cannot gather GPU shards"
        )


def test_a_split_spans_the_machines_that_its_processes_can_be_dealt_to_evenly() -> None:
    assert [machines_of(Split(n, 1, 1), check(nnodes=2)) for n in (1, 2, 3, 4)] == [1, 2, 1, 2]
    assert why_not(Split(4, 1, 1), check(nnodes=2), Devices("cuda", "", 2, "")) is None


def test_nccl_wants_a_gpu_for_each_process() -> None:
    assert [backend_of("cuda", processes, 2) for processes in (1, 2, 3)] == ["nccl", "nccl", "gloo"]
    assert backend_of("cpu", 1, 2) == "gloo"

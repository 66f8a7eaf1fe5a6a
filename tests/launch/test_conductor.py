"""Which splits a machine can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.model import CheckConfig, LauncherConfig, ModelConfig
from accumcheck.launch.conductor import Conductor
from accumcheck.record import Split
from accumcheck.runfolder.layout import write_plan

FSDP = {"fsdp": "full_shard auto_wrap"}


def why_not(folder: Path, split: str, gpus: int, *, oversubscribe: bool, **arguments: str) -> str:
    check = CheckConfig(
        ModelConfig(), 8, None, training_arguments=arguments, launcher=LauncherConfig(oversubscribe=oversubscribe)
    )
    write_plan(folder, check)
    return Conductor(folder)._why_not(Split.parse(split), "cuda", gpus)


@pytest.mark.parametrize("arguments", [{}, FSDP])
def test_a_split_of_as_many_processes_as_gpus_runs(tmp_path: Path, arguments: dict[str, str]) -> None:
    assert why_not(tmp_path, "2x2x2", 2, oversubscribe=False, **arguments) == ""


def test_processes_share_a_gpu_only_where_it_is_allowed(tmp_path: Path) -> None:
    assert why_not(tmp_path, "2x2x2", 1, oversubscribe=True) == ""
    assert why_not(tmp_path, "2x2x2", 1, oversubscribe=False) == (
        "needs 2 GPUs, 1 present; launcher.oversubscribe: true puts several processes on one GPU"
    )


def test_no_gpu_is_shared_under_fsdp(tmp_path: Path) -> None:
    for oversubscribe in (True, False):
        assert why_not(tmp_path, "2x2x2", 1, oversubscribe=oversubscribe, **FSDP).startswith(
            "needs 2 GPUs, 1 present; under FSDP every process has a GPU of its own"
        )

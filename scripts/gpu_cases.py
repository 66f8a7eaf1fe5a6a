"""The cases of accumcheck's acceptance matrix on GPUs; `gpu_acceptance.py` runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TINY_LLAVA: dict[str, Any] = {
    "model": {"config": {"model_type": "llava"}, "architecture": "LlavaForConditionalGeneration", "shrink": True},
    "steps": 2,
}
TINY_LLAMA: dict[str, Any] = {"model": {"config": {"model_type": "llama"}, "shrink": True}, "steps": 2}
TRAINERS_FSDP = {"fsdp": "full_shard auto_wrap", "fsdp_config": {"version": 2}}


@dataclass(frozen=True)
class Case:
    """One run of accumcheck.

    ``config``: a configuration, or a file in configs/; ``settings``: keys that override it, ``on_cpu``: further ones
    with ``--device cpu``; ``one_gpu``: hide all GPUs except the first; ``backend``: the backend that the run must use
    on GPUs; ``limit``: the time limit of the whole run, in seconds; ``gpus_only``: the stack behaves differently on a
    CPU; ``fault``: the finding with which the run must fail.
    """

    name: str
    about: str
    config: Mapping[str, Any] | str
    settings: tuple[str, ...] = ()
    on_cpu: tuple[str, ...] = ()
    one_gpu: bool = False
    backend: str | None = None
    limit: float = 480.0
    gpus_only: bool = False
    fault: str | None = None


def matrix(gpus: int) -> tuple[Case, ...]:
    """The cases for a machine with this many GPUs."""
    n = gpus
    every_gpu = dict.fromkeys([f"1x{8 * n}x1", f"{n}x8x1", f"{n}x2x4", f"{n}x1x8"])  # two of these are equal if n is 1
    return (
        Case(
            "nccl",
            f"one process per GPU, {n} of {n}",
            {**TINY_LLAVA, "global_batch_size": 8 * n, "splits": list(every_gpu)},
            backend="nccl",
        ),
        *(
            Case(
                f"oversubscribed-{processes}",
                f"{processes} processes on one GPU, over gloo",
                {**TINY_LLAVA, "global_batch_size": 16, "splits": splits},
                one_gpu=True,
                backend="gloo",
            )
            for processes, splits in (
                (2, ["1x16x1", "2x8x1", "2x2x4", "2x1x8"]),
                (4, ["1x16x1", "4x4x1", "4x2x2", "4x1x4"]),
            )
        ),
        *(
            Case(
                dtype,
                f"weights and arithmetic in {dtype}",
                {**TINY_LLAVA, "global_batch_size": 16, "splits": ["1x16x1", "2x4x2", "1x2x8", "1x1x16"]},
                settings=(f"model.dtype={dtype}",),
                one_gpu=True,
            )
            for dtype in ("float32", "bfloat16", "float16")
        ),
        *(
            Case(
                f"autocast-{short}",
                f"Trainer's {short}: {how}",
                {**TINY_LLAMA, "global_batch_size": 16, "splits": ["1x16x1", "2x4x2", "1x2x8", "1x1x16"]},
                settings=(f"training_arguments.{short}=true",),
                one_gpu=True,
                gpus_only=True,
            )
            for short, how in (("bf16", "autocast"), ("fp16", "autocast, and a loss that is scaled"))
        ),
        Case(
            "fault-head",
            "a head that Trainer trains wrong: it must fail and be named",
            "bert-classification.yaml",
            settings=("splits=[1x16x1, 1x4x4, 2x2x4]",),
            one_gpu=True,
            fault="token-mean*k*n",
        ),
        Case(
            "fault-schedule",
            "a loop whose schedule depends on n: it must fail and be named",
            "schedule.yaml",
            one_gpu=True,
            fault="schedule-times-n",
        ),
        Case(
            "fsdp",
            f"Trainer's FSDP2, one process per GPU, {n} of {n}",
            {
                **TINY_LLAMA,
                "global_batch_size": 8 * n,
                "splits": list(every_gpu),
                "training_arguments": TRAINERS_FSDP,
            },
            backend="nccl",
            gpus_only=True,
        ),
        Case(
            "fsdp1",
            f"Trainer's FSDP1, one process per GPU, {n} of {n}",
            {
                **TINY_LLAMA,
                "global_batch_size": 8 * n,
                "splits": list(every_gpu),
                "training_arguments": {**TRAINERS_FSDP, "fsdp_config": {"version": 1}},
            },
            backend="nccl",
            gpus_only=True,
        ),
        Case(
            "fsdp-loop",
            f"a loop with fully_shard, one process per GPU, {n} of {n}",
            "fsdp.yaml",
            settings=(f"global_batch_size={8 * n}", f"splits=[{', '.join(every_gpu)}]"),
            backend="nccl",
        ),
        Case("seed", "the seed's experiment, shrunk, oversubscribed where GPUs are few", "llava15-seed.yaml"),
        Case(
            "llava15-7b",
            "the seed's experiment at LLaVA-1.5-7B's real size, random weights",
            "llava15-7b.yaml",
            on_cpu=("model.shrink=true",),
            one_gpu=True,
        ),
    )

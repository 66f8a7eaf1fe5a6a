"""Whether requested sharding took place: a program that requests shards and gets none is a different experiment."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import torch
import torch.distributed as dist

from accumcheck.errors import UnsupportedError


def check_engine_was_made(arguments: Any) -> None:
    """Where no engine trains, require that neither the Trainer's arguments nor accelerate's environment ask for one.

    Args:
        arguments: ``TrainingArguments``; None if a loop trains.

    Raises:
        UnsupportedError: DeepSpeed was requested.
    """
    if not getattr(arguments, "deepspeed", None) and not _in_environment("ACCELERATE_USE_DEEPSPEED"):
        return
    where = "" if torch.cuda.is_available() else ", and on a CPU silently ignores DeepSpeed"
    raise UnsupportedError(
        f"DeepSpeed was requested, but no DeepSpeed engine trains the model: accelerate {version('accelerate')} makes "
        f"one on GPUs and other accelerators{where}; run it there, or without deepspeed"
    )


def check_shards_were_made(sharded: bool, arguments: Any) -> None:
    """Require that a model is sharded if FSDP was requested; a single process has nothing to shard.

    Args:
        sharded: whether the model that is trained is.
        arguments: ``TrainingArguments``; None if a loop trains.

    Raises:
        UnsupportedError: it is whole in every process.
    """
    asked = getattr(arguments, "fsdp", None) or _in_environment("ACCELERATE_USE_FSDP")
    if not asked or sharded or not dist.is_initialized() or dist.get_world_size() == 1:
        return
    where = "" if torch.cuda.is_available() else ", and on a CPU silently ignores FSDP"
    raise UnsupportedError(
        f"FSDP was requested, but each of the {dist.get_world_size()} processes trains the whole model: accelerate "
        f"{version('accelerate')} shards on GPUs and other accelerators{where}; run it there, or without fsdp"
    )


def check_gpus_are_not_shared(sharded: bool, device: torch.device) -> None:
    """Refuse shards whose processes share GPUs: they use gloo, whose collectives for shards crash on GPUs.

    Seen with torch 2.11 on an H200: whichever process gathers first is killed by SIGSEGV.

    Args:
        sharded: whether the model that is trained is.
        device: of its parameters.

    Raises:
        UnsupportedError: its processes would use gloo for shards on a GPU.
    """
    if not sharded or device.type != "cuda" or not dist.is_initialized() or dist.get_world_size() == 1:
        return
    if dist.get_backend() == "gloo":
        raise UnsupportedError(
            f"under FSDP each of the {dist.get_world_size()} processes needs its own GPU: sharing one falls back to "
            "gloo, which cannot gather GPU shards; run this split where there are as many GPUs, or on a CPU"
        )


def _in_environment(name: str) -> bool:
    return os.environ.get(name, "false").lower() == "true"

"""Whether what was asked for is what happened: a program that asks for shards and gets none is another experiment."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import torch
import torch.distributed as dist

from accumcheck.errors import UnsupportedError


def check_engine_was_made(arguments: Any) -> None:
    """Whether DeepSpeed was asked for, by the Trainer's arguments or by accelerate's environment; no engine trains.

    Args:
        arguments: ``TrainingArguments``; None where a loop trains.

    Raises:
        UnsupportedError: it was.
    """
    if not getattr(arguments, "deepspeed", None) and not _in_environment("ACCELERATE_USE_DEEPSPEED"):
        return
    where = "" if torch.cuda.is_available() else ", and on a CPU leaves DeepSpeed out without a word"
    raise UnsupportedError(
        f"DeepSpeed was asked for, but no engine of it trains the model: accelerate {version('accelerate')} makes one "
        f"on GPUs and other accelerators{where}; run it there, or without deepspeed"
    )


def check_shards_were_made(sharded: bool, arguments: Any) -> None:
    """Whether a model is sharded where FSDP was asked for; one process alone has nothing to share.

    Args:
        sharded: whether the model that is trained is.
        arguments: ``TrainingArguments``; None where a loop trains.

    Raises:
        UnsupportedError: it is whole in every process.
    """
    asked = getattr(arguments, "fsdp", None) or _in_environment("ACCELERATE_USE_FSDP")
    if not asked or sharded or not dist.is_initialized() or dist.get_world_size() == 1:
        return
    where = "" if torch.cuda.is_available() else ", and on a CPU leaves FSDP out without a word"
    raise UnsupportedError(
        f"FSDP was asked for, but each of the {dist.get_world_size()} processes trains the whole model: accelerate "
        f"{version('accelerate')} shards on GPUs and other accelerators{where}; run it there, or without fsdp"
    )


def check_gpus_are_not_shared(sharded: bool, device: torch.device) -> None:
    """Shards whose processes have not a GPU each: they talk over gloo, whose collectives for shards crash on GPUs.

    Seen with torch 2.11 on an H200: whichever process gathers first is killed by SIGSEGV.

    Args:
        sharded: whether the model that is trained is.
        device: of its parameters.

    Raises:
        UnsupportedError: its processes would talk over gloo about what is on a GPU.
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

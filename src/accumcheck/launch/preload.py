"""Imported once by the fork server: everything that every worker needs, so that no worker pays for it again.

Importing must not touch CUDA: a forked process could not use it afterwards.
"""

from __future__ import annotations

import contextlib
import importlib
import os

import accelerate  # noqa: F401
import numpy  # noqa: F401
import torch
import torch.distributed
import torch.nn.parallel
import torch.utils.data  # noqa: F401
from transformers import AutoConfig, Trainer, TrainingArguments  # noqa: F401

import accumcheck.reference.run
import accumcheck.stacks.trainer
import accumcheck.workload.assemble  # noqa: F401

for _module in filter(None, os.environ.get("ACCUMCHECK_PRELOAD", "").split(",")):
    with contextlib.suppress(Exception):  # a worker that needs it will say what is wrong
        importlib.import_module(_module)

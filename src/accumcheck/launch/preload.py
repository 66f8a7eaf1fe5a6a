"""Imported once by the fork server: everything that every worker needs, so that no worker pays for it again.

Importing must not touch CUDA: a forked process could not use it afterwards.
"""

from __future__ import annotations

import contextlib
import importlib
import os

# A fork server that an import kills takes every worker with it, each with no word of why. What cannot be imported here
# is imported again by the worker that needs it, which reports the cause.
for _module in (
    "numpy",
    "torch",
    "torch.distributed",
    "torch.nn.parallel",
    "torch.utils.data",
    "accelerate",
    "accumcheck.workload.assemble",
    "accumcheck.reference.run",
    "accumcheck.stacks.trainer",
    *filter(None, os.environ.get("ACCUMCHECK_PRELOAD", "").split(",")),
):
    with contextlib.suppress(Exception):
        importlib.import_module(_module)

"""Imported once by the process that forks workers: everything all workers need, so that no worker imports it again.

Importing must not touch CUDA: a forked process could not use it afterwards.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from accumcheck.config.model import CheckConfig
from accumcheck.runfolder.layout import RUN_FOLDER, UNUSED, read_plan
from accumcheck.stacks.registry import find_stack
from accumcheck.work.scan_once import scan_once
from accumcheck.work.uncollected import uncollected

MODULES = (
    "numpy",
    "torch",
    "torch.distributed",
    "torch.distributed.algorithms.ddp_comm_hooks",
    "torch.nn.parallel",
    "torch.utils.data",
    "accelerate",
    "accumcheck.work.worker",
    "accumcheck.workload.assemble",
    "accumcheck.rows.fingerprint",
    "accumcheck.reference.run",
    "accumcheck.capture.observer",
    "accumcheck.capture.trainer_log",
    "accumcheck.hotfixes.apply",
    "accumcheck.stacks.updates.real",
    "transformers.trainer",
)


def modeling_modules(check: CheckConfig) -> Iterator[str]:
    """The modules of the checked model and of every model in it, for example CLIP and Llama in LLaVA.

    Only for a local config without its own code: the server must not wait for the hub,
    and foreign code must not run in it.
    """
    from accumcheck.workload.architecture import load_config
    from accumcheck.workload.determinism import sub_configs

    model = check.model
    if model.trust_remote_code or (model.config is None and not Path(model.name_or_path or "").is_dir()):
        return
    for part in sub_configs(load_config(model)):
        yield type(part).__module__.replace(".configuration_", ".modeling_")


def of_stack(check: CheckConfig) -> tuple[str, ...]:
    """The modules of the checked stack, or of the stack that a known package's script belongs to."""
    return find_stack(check.known_stack).preload


def _all_modules() -> Iterator[str]:
    yield from MODULES
    with contextlib.suppress(Exception):
        check = read_plan(CheckConfig, Path(os.environ[RUN_FOLDER]))
        yield from of_stack(check)
        yield from modeling_modules(check)


def leave_out(packages: Sequence[str]) -> None:
    """Let packages count as not installed in this process and in those that it forks.

    None in ``sys.modules`` is how Python says that a module cannot be imported (the language's reference, "The module
    cache"); ``importlib.util.find_spec`` then finds none, which is what transformers and accelerate ask.
    """
    for name in packages:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def preload() -> None:
    """Import all modules, each separately, without the packages that no check uses (`UNUSED`).

    If an import kills the fork server, every worker ends without a message. A module that cannot be imported
    here is imported again by the worker that needs it, which reports the cause.
    """
    leave_out(os.environ.get(UNUSED, "").split())
    with uncollected(), scan_once():
        for module in _all_modules():
            with contextlib.suppress(Exception):
                importlib.import_module(module)


def preload_and_prepare() -> None:
    """`preload`, and make the workload of the first check where that is possible (`accumcheck.work.prepared`)."""
    preload()
    with uncollected(), contextlib.suppress(Exception):
        from accumcheck.work.prepared import prepare

        run = Path(os.environ[RUN_FOLDER])
        prepare(read_plan(CheckConfig, run), run)

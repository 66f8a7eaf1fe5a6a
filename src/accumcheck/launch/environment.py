"""The environment of a run's processes, and what is installed in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

from accumcheck.launch.devices import Devices
from accumcheck.record import Environment
from accumcheck.runfolder.layout import RUN_FOLDER
from accumcheck.stacks.registry import package_of


def set_environment(run: Path) -> None:
    """Set the variables that all processes of a run share; ``run`` is the folder of its first plan."""
    set_variables()
    os.environ[RUN_FOLDER] = str(run)


def set_variables() -> None:
    """Set those that all runs share. They must be set before torch is imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does
    os.environ.update(
        CUBLAS_WORKSPACE_CONFIG=os.environ.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
        PYTORCH_NVML_BASED_CUDA_CHECK="1",  # counting GPUs must not start CUDA before the fork
        TOKENIZERS_PARALLELISM="false",
        TORCH_CPP_LOG_LEVEL=os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
    )
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)  # perhaps from a launcher that started us: torchrun sets its own


def describe_environment(stack: str, devices: Devices, backend: str) -> Environment:
    """The versions and devices of a run.

    Args:
        stack: the name of the checked stack.
        devices: the devices found.
        backend: with which the processes of a split communicate.
    """
    found = {}
    packages = {"torch": "torch", "transformers": "transformers", "accelerate": "accelerate"}
    for name, package in {**packages, "stack_version": package_of(stack)}.items():
        with contextlib.suppress(PackageNotFoundError):
            if package is not None:
                found[name] = version(package)
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        device=devices.kind,
        device_name=devices.name,
        device_count=devices.count,
        backend=backend,
        packages=installed_packages(),
        **found,
    )


def installed_packages() -> dict[str, str]:
    """The release of every installed package, by canonical name, the one that is imported where there are two.

    Of one that was installed from a folder, a wheel or a commit, that stands after its version: a version alone does
    not say what is in it.
    """
    found: dict[str, str] = {}
    for one in distributions():
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"] or "").lower()
        if name:
            found.setdefault(name, f"{one.version}{_origin(one)}")
    return dict(sorted(found.items()))


def _origin(one: Distribution) -> str:
    """`` (abc123def0)`` of a commit, `` (wheel abc123def0)`` of a file, by its hash or its address; of a release ""."""
    try:
        origin = json.loads(one.read_text("direct_url.json") or "{}")
        commit = origin.get("vcs_info", {}).get("commit_id")
        digest = origin.get("archive_info", {}).get("hashes", {}).get("sha256")
        if "archive_info" in origin and not digest:
            digest = hashlib.sha256(str(origin.get("url")).encode()).hexdigest()
    except (ValueError, AttributeError):
        return ""
    return f" ({commit[:10]})" if commit else f" (wheel {digest[:10]})" if digest else ""

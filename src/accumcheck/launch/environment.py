"""The versions and devices of a run, and what is installed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version

from accumcheck.launch.devices import Devices
from accumcheck.record import Environment
from accumcheck.stacks.registry import package_of


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

"""``accumcheck env``: what is installed and can be imported, which devices there are, what can run."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from accumcheck import __version__

PACKAGES = ("torch", "transformers", "accelerate", "datasets", "numpy")
_IMPORTED = {
    "torch": ("torch",),
    "transformers": ("transformers.trainer",),
    "accelerate": ("accelerate",),
    "datasets": ("datasets",),
    "numpy": ("numpy",),
}
"""The modules that every run imports, by package; stacks add their own."""
MISSING = "not installed"


def env() -> None:
    """Show versions and devices, what cannot be imported and why, and which splits can run."""
    from accumcheck.launch.imports import import_faults
    from accumcheck.stacks.registry import STACKS

    rows = {"accumcheck": __version__, "python": platform.python_version(), "platform": platform.platform()}
    modules: dict[str, tuple[str, ...]] = dict(_IMPORTED)
    for stack in STACKS:
        if stack.package and stack.preload:
            modules[stack.package] = (*modules.get(stack.package, ()), *stack.preload)
    rows |= {package: _version(package) for package in PACKAGES}
    others = {package: _version(package) for package in modules if package not in PACKAGES}
    rows |= {package: found for package, found in others.items() if found != MISSING}
    faults = import_faults({name: of for name, of in modules.items() if rows.get(name, MISSING) != MISSING})
    for package, why in faults.items():
        rows[package] += f", but it cannot be imported: {why}"
    if rows["torch"] != MISSING and "torch" not in faults:
        rows |= _devices()
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        typer.echo(f"{name:<{width}}  {value}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return MISSING


def _devices() -> dict[str, str]:
    from accumcheck.launch.devices import detect

    devices = detect("auto")
    unit = "GPU" if devices.kind == "cuda" else "core"
    return {
        "device": f"{devices.kind} ({devices.reason})",
        "device name": devices.name or "unknown",
        "device count": f"{devices.count} {unit}{'' if devices.count == 1 else 's'}",
        "can run": (
            f"splits of up to {devices.count} processes with nccl, more with launcher.oversubscribe and gloo"
            if devices.kind == "cuda"
            else "splits of any number of processes with gloo; in parallel up to the number of cores"
        ),
    }

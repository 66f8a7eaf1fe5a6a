"""``accumcheck env``: what is installed, which devices there are, what can run."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from accumcheck import __version__

PACKAGES = ("torch", "transformers", "accelerate", "datasets", "numpy")


def env() -> None:
    """Show versions and devices, and which splits can run here."""
    rows = {"accumcheck": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            rows[package] = version(package)
        except PackageNotFoundError:
            rows[package] = "not installed"
    if rows["torch"] != "not installed":
        from accumcheck.launch.devices import detect

        devices = detect("auto")
        unit = "GPU" if devices.kind == "cuda" else "core"
        rows["device"] = f"{devices.kind} ({devices.reason})"
        rows["device name"] = devices.name or "unknown"
        rows["device count"] = f"{devices.count} {unit}{'' if devices.count == 1 else 's'}"
        rows["can run"] = (
            f"splits of up to {devices.count} processes with nccl, more with launcher.oversubscribe and gloo"
            if devices.kind == "cuda"
            else "splits of any number of processes with gloo; in parallel up to the number of cores"
        )
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        typer.echo(f"{name:<{width}}  {value}")

"""What was checked, with which versions, and how."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from accumcheck.report import numbers
from accumcheck.report.blocks import Head
from accumcheck.report.parts.phrases import plural

if TYPE_CHECKING:
    from accumcheck.record import Report


def head(report: Report) -> Head:
    """What was checked, and with what."""
    environment, config = report.environment, report.config
    model = "no model was seen"
    if report.model is not None:
        shrunk = " (shrunk)" if report.model.shrunk else ""
        parameters = numbers.count(report.model.parameters)
        model = f"{report.model.architecture}{shrunk}, {parameters} parameters, {report.model.dtype}"
    script = config.get("script") or {}
    source = (config.get("model") or {}).get("name_or_path") or script.get("module") or config.get("callable")
    if script.get("path") or config.get("callable"):  # leave out a file's folder
        source = PurePath(script.get("path") or config["callable"]).name
    versions = {
        "transformers": environment.transformers,
        "accelerate": environment.accelerate,
        "torch": environment.torch,
        "accumcheck": report.accumcheck_version,
    }
    device = environment.device
    if environment.device_name and device != "cpu":
        device = f"{environment.device_count or 1} x {environment.device_name}"
    stack = str(config.get("stack", ""))
    if environment.stack_version not in ("", environment.transformers):
        package = str(script.get("module") or "").partition(".")[0]
        stack += f" ({package} {environment.stack_version})" if package else f" {environment.stack_version}"
    program = report.program
    plan = [
        f"{device} ({environment.backend})" if device and environment.backend else device,
        f"stack {stack}" if stack else "",
        f"split set in {' and '.join(program.split_set_by)}" if program is not None and program.split_set_by else "",
        f"a sample is a {program.sample}" if program is not None and program.sample != "row" else "",
        f"hot-fix {config['hotfix']}" if config.get("hotfix") else "",
        f"global batch {config['global_batch_size']}" if "global_batch_size" in config else "",
        plural(config["steps"], "optimizer step") if "steps" in config else "",
        numbers.seconds(report.duration_seconds),
    ]
    shown = (f"{name} {version}" for name, version in versions.items() if version)
    if source:
        model = f"{source} ({model})" if report.model is None else f"{model}, from {source}"
    return Head(model, (tuple(shown), tuple(part for part in plan if part)))

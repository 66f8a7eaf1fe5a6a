"""A plan for people and for programs: the resolved configuration in canonical names, and its splits."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from accumcheck.config.consistency import OF_EPOCHS
from accumcheck.config.model import CheckConfig
from accumcheck.config.own_keys import own_keys
from accumcheck.config.yaml_positions import write_document
from accumcheck.declare.keys import keys_of
from accumcheck.stacks.protocol import ProgramSpec
from accumcheck.stacks.registry import find_stack

if TYPE_CHECKING:
    from accumcheck.config.devices import AssumedDevices
    from accumcheck.config.plan import Plan

_WIDTH = 78  # of 80, behind the comment's sign
_HEADINGS = ("split", "n", "b", "k", "samples")


Rounds = Sequence[Sequence[tuple[str, tuple[int, ...]]]]
"""The jobs that run at the same time, round by round, each with the indices of its devices."""


def plan_as_dict(plan: Plan, devices: AssumedDevices, rounds: Rounds = ()) -> dict[str, Any]:
    """The plan in JSON types: ``config`` (as in the report, and itself a valid configuration) and ``plan``."""
    return {
        "config": without_program_keys(plan.config.to_dict()),
        "plan": {
            "control": str(plan.control),
            "devices": {"kind": devices.kind, "count": devices.count, "reason": devices.reason},
            "splits": plan.rows(),
            "rounds": [[{"job": name, "devices": list(taken)} for name, taken in jobs] for jobs in rounds],
        },
    }


def plan_as_text(plan: Plan, devices: AssumedDevices, source: str, rounds: Sequence[str] = ()) -> str:
    """The plan in plain text for 80 columns. It is a valid configuration: everything else is in comments.

    ``rounds``: what runs at the same time, one line each.
    """
    splits, steps = _count(len(plan.splits), "split"), _count(plan.config.steps, "step")
    samples = _count(plan.config.global_batch_size, "sample")
    lines = [
        f"{source} is valid",
        f"{splits}, {steps} of {samples}{_epochs(plan)}, control {plan.control}",
        f"devices assumed: {devices.count} {devices.kind} ({devices.reason})",
        "",
        *_table(plan, devices),
        "",
        *_together(rounds),
    ]
    comments = "\n".join(f"# {line}".rstrip() for line in lines)
    return f"{comments}\n{write_document(_canonical(plan))}".rstrip("\n")


def _together(rounds: Sequence[str]) -> list[str]:
    if not rounds:
        return []
    lines = [line for one in rounds for line in textwrap.wrap(one, _WIDTH, subsequent_indent="   ")]
    return ["what runs at the same time (each line starts once its devices are free):", *lines, ""]


def _epochs(plan: Plan) -> str:
    epochs = plan.config.data.epochs
    return "" if epochs is None else f" ({_count(epochs, 'epoch')} of {_count(plan.config.sample_count, 'sample')})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _table(plan: Plan, devices: AssumedDevices) -> list[str]:
    rows = [_HEADINGS, *(tuple(str(cell) for cell in list(row.values())[:5]) for row in plan.rows())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row, split in zip(rows, (None, *plan.splits), strict=True):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        notes = ["control"] if split == plan.control else []
        if split and devices.kind == "cuda" and split.num_processes > devices.count:
            oversubscribed = plan.config.launcher.oversubscribe
            notes.append("processes share GPUs" if oversubscribed else f"needs {_count(split.num_processes, 'GPU')}")
        lines.append("  ".join([*cells, ", ".join(notes)]).rstrip())
    return lines


def _canonical(plan: Plan) -> dict[str, Any]:
    """The configuration as a user would write it: unset keys are left out, unset tolerances are ``auto``."""
    plain = without_program_keys(plan.config.to_dict())
    shown = {name: _set(value) if name in _sections() else value for name, value in plain.items()}
    if "data" in shown:
        data = shown["data"]
        shown["data"] = {name: _set(value) if isinstance(value, dict) else value for name, value in data.items()}
    return {**_set(shown), "tolerances": _tolerances(plain)}


def _sections() -> list[str]:
    return [name for name, declared in keys_of(CheckConfig).items() if declared.section is not None]


def without_program_keys(plain: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that are invalid here: model and data with a program, the program's keys with other stacks."""
    stack = find_stack(plain["stack"])
    own = [key.name for key in stack.own]
    dropped = [name for name in own_keys() if name not in own or not plain[name]]
    if isinstance(stack, ProgramSpec):
        dropped += ["model", "trajectory_steps"]
        data = {name: value for name, value in plain["data"].items() if name in OF_EPOCHS}
        plain = {**plain, "data": data}
        if data["epochs"] is None:
            dropped.append("data")
    if plain["hotfix"] is None:
        dropped.append("hotfix")
    return {name: value for name, value in plain.items() if name not in dropped}


def _tolerances(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: "auto" if value is None else value for name, value in plain["tolerances"].items()}


def _set(section: dict[str, Any]) -> dict[str, Any]:
    """The keys of one section that are set; a null inside a value (an inline model configuration) is kept."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in section.items() if value is not None
    }

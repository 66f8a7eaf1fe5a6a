"""Which splits run at the same time on which devices, before anything is run; works without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.launch.devices import Devices
from accumcheck.launch.fits import local_processes, machines_of, why_not
from accumcheck.launch.schedule import Taken, running_order, slots_of, take_fitting
from accumcheck.record import Split
from accumcheck.runfolder.layout import REFERENCE

if TYPE_CHECKING:
    from accumcheck.config.devices import AssumedDevices
    from accumcheck.config.model import CheckConfig
    from accumcheck.config.plan import Plan


def rounds_of(plan: Plan, devices: AssumedDevices) -> list[list[Taken]]:
    """What the conductor would start, if everything that runs at the same time took equally long.

    It starts the next job as soon as its devices are free, so that in a real run rounds overlap; the order, and what
    fits on the devices together, are these.

    Args:
        plan: the splits and the control.
        devices: on all machines together.

    Returns:
        Each round's jobs, splits and once the reference, with the indices of their devices on each machine that they
        span. A split that needs more devices than there are is left out.
    """
    check = plan.config
    one = Devices(devices.kind, "", devices.count // check.launcher.nnodes, "")
    splits = [split for split in plan.splits if why_not(split, check, one) is None]
    wanted = {str(split): local_processes(split, check) for split in splits}
    order = running_order(
        [(str(split), split.num_processes, split.gradient_accumulation_steps) for split in splits], str(plan.control)
    )
    slots = slots_of(check, one.kind, one.count)
    waiting = [(name, wanted[name]) for name in order]
    rounds: list[list[Taken]] = []
    reference_due = bool(order)
    while waiting or reference_due:
        now: list[Taken] = []
        # the conductor needs what the control was fed, for a program what all splits were
        ready = not waiting if check.runs_program else bool(rounds)
        if reference_due and ready and (taken := slots.take(REFERENCE, 1)) is not None:
            now, reference_due = [(REFERENCE, taken)], False
        now += take_fitting(waiting, slots)
        for name, _ in now:
            slots.release(name)
        if now:
            rounds.append(now)
    return rounds


def lines_of(rounds: list[list[Taken]], devices: AssumedDevices, check: CheckConfig) -> list[str]:
    """The rounds in plain text, one line each."""
    return [
        f"{number}. " + ", ".join(f"{name} on {_where(name, taken, devices, check)}" for name, taken in jobs)
        for number, jobs in enumerate(rounds, 1)
    ]


def _where(name: str, taken: tuple[int, ...], devices: AssumedDevices, check: CheckConfig) -> str:
    nnodes = check.launcher.nnodes
    nodes = 1 if name == REFERENCE else machines_of(Split.parse(name), check)
    spread = "" if nnodes == 1 else " of node 0" if nodes == 1 else f" of each of {nodes} nodes"
    if devices.kind == "cpu":
        cores = min(len(taken), max(devices.count // nnodes, 1))  # a small job more than there are cores shares them
        return f"{cores} core{'' if cores == 1 else 's'}{spread}"
    if len(taken) == 1:
        return f"GPU {taken[0]}{spread}"
    together = taken[-1] - taken[0] == len(taken) - 1
    return f"GPUs {f'{taken[0]}-{taken[-1]}' if together else ','.join(map(str, taken))}{spread}"

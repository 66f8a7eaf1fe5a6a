"""The cost of a check compared with what it replaces: ``python benchmarks/run.py`` (see README.md).

Everything that is compared is measured in one run and in turns, so that a noisy machine affects all of it equally.
Medians and their ratios are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from accumcheck.config.load import load_config
from accumcheck.launch.devices import detect
from accumcheck.stacks.protocol import UNUSED_BY_TRAINER

HERE = Path(__file__).parent
CONFIG = HERE / "llava.yaml"
GATE = HERE / "gate.yaml"
PYTHON = sys.executable
ACCUMCHECK = [PYTHON, "-m", "accumcheck"]
MIB = 2**20


def main() -> None:
    """Measure, print, and write to ``--out``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repetitions", type=int, default=3, metavar="N", help="repetitions (default: 3)")
    options.add_argument("--out", type=Path, action="append", default=[], metavar="FILE", help="FILE.json or FILE.md")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="accumcheck-bench-") as folder:
        prepared = _output([PYTHON, str(HERE / "prepare.py"), str(CONFIG), folder])
        workload = json.loads(prepared.splitlines()[-1])
        commands = _commands(folder, workload["steps"], workload["splits"])
        times = _times(commands, given.repetitions)
        memory = _memory(commands)
    rows = _rows(times, memory)
    table = _table(rows)
    print(f"{_machine(given.repetitions)}\n\n{table}")
    for path in given.out:
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {"machine": _machine(given.repetitions), "seconds": times, "mib": memory, "rows": rows}
        path.write_text(table if path.suffix == ".md" else json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _commands(folder: str, steps: int, splits: Sequence[str]) -> dict[str, list[list[str]]]:
    """The measurements: each name with its commands, which are run one after another."""
    loop = []
    for split in splits:
        processes, batch, accumulate = split.split("x")
        launch = [PYTHON, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", processes]
        loop.append([*launch, str(HERE / "plain_script.py"), folder, batch, accumulate, str(steps)])
    return {
        "check": [[*ACCUMCHECK, "run", str(CONFIG), "--quiet"]],
        "loop": loop,
        "gate": [[*ACCUMCHECK, "run", str(GATE), "--quiet"]],
        "import": [[PYTHON, "-c", "from transformers import Trainer"]],
        "floor": [[PYTHON, str(HERE / "floor.py"), folder, str(steps), *splits]],
        "lean floor": [
            [PYTHON, str(HERE / "floor.py"), "--without", ",".join(UNUSED_BY_TRAINER), folder, str(steps), *splits]
        ],
        "help": [[*ACCUMCHECK, "--help"]],
        "validate": [[*ACCUMCHECK, "validate", str(CONFIG)]],
    }


def _environment() -> dict[str, str]:
    """The caller's environment, but with byte code enabled, as for users: installed code is compiled once."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


TURN = (
    *("floor", "check", "loop", "check", "lean floor", "check", "floor"),
    *("gate", "import") * 2,
    *("help", "validate") * 5,
)
"""The measurements of one repetition, in order. Compared ones are neighbours; short ones are repeated."""
BESIDE_FLOOR, BESIDE_LOOP, BESIDE_LEAN = (0, 2), (1,), (2,)
"""Which of the three checks of a repetition each is compared with."""


def _times(commands: dict[str, list[list[str]]], repetitions: int) -> dict[str, list[float]]:
    """The seconds of every measurement, in order."""
    for name in ("help", "validate", "gate"):  # byte code is compiled, and what the gate imports is known from then on
        _output(commands[name][0])
    times: dict[str, list[float]] = {name: [] for name in commands}
    for repetition in range(repetitions):
        for name in TURN:
            start = time.perf_counter()
            for command in commands[name]:
                _output(command)
            times[name].append(round(time.perf_counter() - start, 3))
        taken = ", ".join(f"{name} {seconds[-1]:.2f} s" for name, seconds in times.items())
        print(f"{repetition + 1} of {repetitions}: {taken}", file=sys.stderr, flush=True)
    return times


def _memory(commands: dict[str, list[list[str]]]) -> dict[str, dict[str, float]]:
    """The peak memory of each kind of process in MiB, in separate runs, because watching takes time.

    ``pss`` divides a page among the processes that map it; ``rss`` counts it in each of them. ``all`` is the peak of
    the sum over all processes that run at the same time.
    """
    check = _peaks(commands["check"][0], _role_in_check)
    single, double = (_peaks(commands["loop"][index], _role_in_torchrun) for index in (0, 3))
    return {
        "accumcheck run": check["parent"],
        "accumcheck worker": check["worker"],
        "accumcheck all": check["all"],
        "torchrun worker": {kind: max(single["worker"][kind], double["worker"][kind]) for kind in ("rss", "pss")},
        "torchrun all": {kind: max(single["all"][kind], double["all"][kind]) for kind in ("rss", "pss")},
    }


def _peaks(
    command: Sequence[str], role: Callable[[psutil.Process, psutil.Process], str]
) -> dict[str, dict[str, float]]:
    process = psutil.Popen(command, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parent = psutil.Process(process.pid)
    peaks: dict[str, dict[str, float]] = {}
    while process.poll() is None:
        every = {"rss": 0.0, "pss": 0.0}
        for one in [parent, *parent.children(recursive=True)]:
            try:
                memory, name = one.memory_full_info(), role(one, parent)
            except psutil.Error:
                continue
            for kind, size in (("rss", memory.rss / MIB), ("pss", memory.pss / MIB)):
                every[kind] += size
                own = peaks.setdefault(name, {"rss": 0.0, "pss": 0.0})
                own[kind] = max(own[kind], round(size, 1))
        whole = peaks.setdefault("all", {"rss": 0.0, "pss": 0.0})
        for kind, size in every.items():
            whole[kind] = max(whole[kind], round(size, 1))
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    return peaks


def _role_in_check(process: psutil.Process, parent: psutil.Process) -> str:
    """The role of a process; ``worker``: forked by the fork server, which is a child of the conductor."""
    if process == parent:
        return "parent"
    above = process.parents()
    return "worker" if parent in above and above.index(parent) >= 2 else "other"


def _role_in_torchrun(process: psutil.Process, parent: psutil.Process) -> str:
    return "parent" if process == parent else "worker" if "plain_script.py" in " ".join(process.cmdline()) else "other"


def _rows(times: dict[str, list[float]], memory: dict[str, dict[str, float]]) -> list[dict[str, str]]:
    """The rows of the table: name, measurement, comparison, ratio, target."""

    def row(what: str, measured: str, beside: str = "", ratio: str = "", target: str = "") -> dict[str, str]:
        return {"what": what, "measured": measured, "beside": beside, "ratio": ratio, "target": target}

    def size(name: str) -> str:
        return f"{memory[name]['pss']:.0f} MiB PSS, {memory[name]['rss']:.0f} RSS"

    def share(name: str, other: str) -> str:
        return f"{memory[name]['pss'] / memory[other]['pss']:.2f}"

    def ratio(checks: list[float], others: list[float]) -> str:
        """The ratios of measurements that are neighbours: the median, the smallest and the largest."""
        found = [check / other for check, other in zip(checks, others, strict=True)]
        return f"{statistics.median(found):.2f} ({min(found):.2f}..{max(found):.2f})"

    def beside(which: Sequence[int]) -> list[float]:
        """The checks at these places of every repetition, in order."""
        return [one for place, one in enumerate(times["check"]) if place % TURN.count("check") in which]

    seconds = {name: statistics.median(found) for name, found in times.items()}
    beside_floor = beside(BESIDE_FLOOR)
    to_loop, to_floor = ratio(beside(BESIDE_LOOP), times["loop"]), ratio(beside_floor, times["floor"])
    check = f"{seconds['check']:.1f} s"
    splits = len(load_config(CONFIG, []).splits or ())
    beyond = [(whole - floor) / splits for whole, floor in zip(beside_floor, times["floor"], strict=True)]
    own = f"{statistics.median(beyond):.2f} s ({min(beyond):.2f}..{max(beyond):.2f})"
    to_lean = ratio(beside(BESIDE_LEAN), times["lean floor"])
    gate = f"{seconds['gate']:.1f} s", f"import of Trainer {seconds['import']:.1f} s"
    return [
        row("six splits, all of it", check, f"torchrun loop {seconds['loop']:.1f} s", to_loop, "0.15"),
        row("six splits, all of it", check, f"floor {seconds['floor']:.1f} s", to_floor, "1.10"),
        row("six splits, all of it", check, f"lean floor {seconds['lean floor']:.1f} s", to_lean),
        row("a split, beyond the floor", own, target="0.3 s"),
        row("a pull request's gate, all of it", *gate, ratio(times["gate"], times["import"]), "1.1"),
        row("accumcheck --help", f"{seconds['help']:.2f} s", target="0.5 s"),
        row("accumcheck validate", f"{seconds['validate']:.2f} s", target="0.5 s"),
        row("peak, accumcheck run (the parent)", size("accumcheck run")),
        row(
            "peak, a worker",
            size("accumcheck worker"),
            f"torchrun {size('torchrun worker')}",
            share("accumcheck worker", "torchrun worker"),
        ),
        row(
            "peak, all processes at once",
            size("accumcheck all"),
            f"torchrun {size('torchrun all')}",
            share("accumcheck all", "torchrun all"),
        ),
    ]


def _table(rows: list[dict[str, str]]) -> str:
    cells = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _machine(repetitions: int) -> str:
    from importlib.metadata import version

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    processor = detect("cpu").name or "unknown processor"
    python = sys.version.split()[0]
    return f"{cores} cores of {processor}, {packages}, Python {python}; medians of {repetitions} repetitions"


if __name__ == "__main__":
    main()

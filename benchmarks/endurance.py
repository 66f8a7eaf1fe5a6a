"""Many runs, a fault in every tenth, and what is left behind: processes, files, descriptors, memory.

    python benchmarks/endurance.py [--runs N] [--commands N]

``--runs`` checks are made in this process: one in five with a launch of its own as in a test suite, the others in
launches of ten as in a self-test. ``--commands`` more are made by the command line. What there is before the
first and after the last is printed as a table; exit code 1 if anything is left.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from accumcheck.check import run_check, run_checks
from accumcheck.config.load import load_config

CONFIG = """
model:
  config: {model_type: llama, vocab_size: 64, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1,
           num_attention_heads: 2}
data: {synthetic: {min_length: 4, max_length: 12}}
global_batch_size: 2
steps: 1
splits: [1x2x1, 1x1x2]
launcher: {device: cpu, timeout: 60}
"""
CRASHES = """
global_batch_size: 2
steps: 1
splits: [1x2x1, 1x1x2]
stack: script
script: {path: crash.py}
launcher: {device: cpu, timeout: 60}
"""
EVERY = 10
GROWTH = 32 * 2**20
"""Bytes that the parent may grow by: the allocator and the import of what only a fault needs."""


@dataclass(frozen=True)
class Left:
    """What this process and the runs' temporary folder hold."""

    processes: int
    files: int
    descriptors: int
    memory: int

    @classmethod
    def now(cls, folder: Path) -> Left:
        """Count; processes are this one's descendants."""
        me = psutil.Process()
        files = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink() or path.is_socket()]
        return cls(len(me.children(recursive=True)), len(files), me.num_fds(), me.memory_info().rss)


def main() -> int:
    """Run, and print what is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="checks in this process (default: 200)")
    parser.add_argument("--commands", type=int, help="checks by the command line (default: a quarter of --runs)")
    options = parser.parse_args()
    commands = options.commands if options.commands is not None else options.runs // 4
    with tempfile.TemporaryDirectory() as scratch:
        configs, temporary = Path(scratch) / "configs", Path(scratch) / "tmp"
        configs.mkdir()
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        (configs / "sound.yaml").write_text(CONFIG, encoding="utf-8")
        (configs / "crashes.yaml").write_text(CRASHES, encoding="utf-8")
        (configs / "crash.py").write_text("raise SystemExit(7)\n", encoding="utf-8")
        return 1 if endure(configs, temporary, options.runs, commands) else 0


def endure(configs: Path, temporary: Path, runs: int, commands: int) -> bool:
    """Make all runs and print the table; whether anything is left."""
    sound, crashes = (load_config(configs / f"{name}.yaml") for name in ("sound", "crashes"))
    run_check(sound)  # what is imported once is no leak
    before, started = Left.now(temporary), time.monotonic()
    verdicts: Counter[str] = Counter()
    every = [crashes if number % EVERY == 0 else sound for number in range(1, runs + 1)]
    single = runs - runs * 4 // 5 // EVERY * EVERY
    for check in every[:single]:
        verdicts[run_check(check).verdict] += 1
    for start in range(single, runs, EVERY):
        verdicts.update(report.verdict for report in run_checks(every[start : start + EVERY]))
    after_runs = Left.now(temporary)
    codes: Counter[int] = Counter()
    for number in range(1, commands + 1):
        name = "crashes.yaml" if number % EVERY == 0 else "sound.yaml"
        command = [sys.executable, "-m", "accumcheck", "run", str(configs / name), "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        codes[done.returncode] += 1
    after = Left.now(temporary)
    table = Table(title=f"{runs} runs in one process, {commands} commands, a fault in every tenth")
    for column in ("", "before", f"after {runs} runs", f"after {commands} commands"):
        table.add_column(column, justify="right" if column else "left")
    for name in ("processes", "descriptors"):
        table.add_row(name, *(str(getattr(one, name)) for one in (before, after_runs, after)))
    table.add_row("files in the temporary folder", *(str(one.files) for one in (before, after_runs, after)))
    table.add_row("memory of the parent, MiB", *(f"{one.memory / 2**20:.0f}" for one in (before, after_runs, after)))
    Console().print(table)
    print(f"verdicts {dict(verdicts)}, exit codes {dict(codes)}, {time.monotonic() - started:.0f} s")
    faults = runs // EVERY + commands // EVERY
    print(f"files that are left: the logs of the {faults} runs that failed, and what is named here")
    left = replace(after, files=0, memory=0) != replace(before, files=0, memory=0)
    return left or after.memory - before.memory > GROWTH or _not_logs(temporary)


def _not_logs(temporary: Path) -> bool:
    """Whether anything but the kept logs of failed runs is there."""
    strange = [
        path for path in temporary.rglob("*") if path.is_file() and path.suffix not in (".log", ".json", ".jsonl")
    ]
    for path in strange[:5]:
        print(f"left behind: {path}")
    return bool(strange)


if __name__ == "__main__":
    sys.exit(main())

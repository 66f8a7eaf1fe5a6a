"""Run accumcheck's acceptance matrix on this machine's GPUs: one JSON report per case, and a summary in Markdown.

    python scripts/gpu_acceptance.py --out reports/gpu

Needs only this checkout and an interpreter with accumcheck's dependencies; nothing is downloaded. With ``--device cpu``
the same cases run with small models, which tests the script but no GPU. Exits with 0 if every case ended as it must:
those with a fault fail and name it, the others pass.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gpu_cases import Case, matrix

ROOT = Path(__file__).resolve().parents[1]
DEVICES_ON_CPU = 2
"""The number of processes in place of GPUs with ``--device cpu``."""


@dataclass(frozen=True)
class Outcome:
    """The result of one case; ``report`` is None if accumcheck wrote none."""

    case: Case
    exit_code: int
    seconds: float
    report: Mapping[str, Any] | None
    peak_mib: int | None
    problems: tuple[str, ...] = ()


def problems_of(case: Case, exit_code: int, seconds: float, report: Mapping[str, Any] | None) -> Iterator[str]:
    """All problems of a case."""
    if seconds > case.limit:
        yield f"took {seconds:.0f} s of {case.limit:.0f} s"
    if report is None:
        yield f"no report, exit code {exit_code}"
        return
    if (report["verdict"], exit_code) != (("pass", 0) if case.fault is None else ("fail", 1)):
        yield f"verdict {report['verdict']}, exit code {exit_code}"
    if case.fault is not None and case.fault not in (found := [one["id"] for one in report["findings"]]):
        yield f"expected the finding {case.fault}, found {', '.join(found) or 'none'}"
    for split in report["splits"]:
        if split["status"] != "ran":
            yield f"{split['split']}: {split['status']}: {split['reason']}"
    used = report["environment"]
    if used["device"] == "cuda" and case.backend not in (None, used["backend"]):
        yield f"ran with {used['backend']}, expected {case.backend}"


def worst(report: Mapping[str, Any], what: str) -> float | None:
    """The largest relative difference from control or reference: ``loss``, ``grad_norm`` or ``gradient``."""
    found = [
        number
        for split in report["splits"]
        for step in split["steps"]
        for against in ("vs_control", "vs_reference")
        if (number := step[against][what]) is not None
    ]
    numbers = [float(number) for number in found]  # NaN and infinity are strings in JSON
    return max((math.inf if math.isnan(number) else number for number in numbers), default=None)


def summary(outcomes: Sequence[Outcome], device: str, when: datetime) -> str:
    """The Markdown summary of all cases."""
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    used = reports[0]["environment"] if reports else {}
    lines = [
        f"# Acceptance on {device}, {when:%Y-%m-%d %H:%M} UTC",
        "",
        *(["**This ran on a CPU, with small models: it says nothing about GPUs.**", ""] if device == "cpu" else []),
        f"{used.get('device_count', '?')} x {used.get('device_name') or used.get('device') or 'unknown device'}, "
        + ", ".join(f"{name} {used.get(name, '?')}" for name in ("python", "torch", "transformers", "accelerate")),
        "",
        "Differences are the largest of all splits and steps, from the control or the reference, with the tolerance. "
        "Memory is the peak of any GPU, including the driver's own.",
        "",
        "| case | splits | backend | verdict | loss | grad norm | gradient | seconds | peak GPU memory |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(outcome) for outcome in outcomes]
    problems = [f"- {outcome.case.name}: {problem}" for outcome in outcomes for problem in outcome.problems]
    return "\n".join([*lines, *([""] if problems else []), *problems]) + "\n"


def _row(outcome: Outcome) -> str:
    report = outcome.report
    memory = "-" if outcome.peak_mib is None else f"{outcome.peak_mib / 1024:.1f} GiB"
    if report is None:
        return f"| {outcome.case.name} | | | none | | | | {outcome.seconds:.0f} | {memory} |"
    splits = ", ".join(split["split"] + (" (control)" if split["is_control"] else "") for split in report["splits"])
    differences = [
        "-" if (number := worst(report, what)) is None else f"{number:.1e} ({report['tolerances'][what]:.0e})"
        for what in ("loss", "grad_norm", "gradient")
        if report["tolerances"] is not None
    ] or ["-"] * 3
    verdict = report["verdict"] if not outcome.problems else f"**{report['verdict']}, see below**"
    backend = report["environment"]["backend"]
    cells = [outcome.case.name, splits, backend, verdict, *differences, f"{outcome.seconds:.0f}", memory]
    return "| " + " | ".join(cells) + " |"


# --- running ----------------------------------------------------------------------------------------------------------


@dataclass
class GpuMemory:
    """Reads the memory of each GPU from the driver twice a second; ``peak_mib`` is None if that fails."""

    peak_mib: int | None = None
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> GpuMemory:
        if shutil.which("nvidia-smi") is not None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self._done.wait(0.5):
            answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
            used = [int(line) for line in answer.split() if line.isdigit()]
            if used:
                self.peak_mib = max([*used, self.peak_mib or 0])


def run_case(case: Case, device: str, out: Path) -> Outcome:
    """Run accumcheck once in its own process. The report is ``out/NAME.json``; the table is next to it."""
    # the report contains the path of the configuration: it is relative, so that the report can be committed
    if isinstance(case.config, str):
        folder, config = ROOT, f"configs/{case.config}"
    else:
        folder, config = out, f"{case.name}.config.yaml"
        (out / config).write_text(json.dumps(case.config, indent=2) + "\n", encoding="utf-8")  # JSON is YAML
    report, table = out / f"{case.name}.json", out / f"{case.name}.txt"
    for old in (report, table):
        old.unlink(missing_ok=True)
    settings = [*case.settings, f"launcher.device={device}", "launcher.oversubscribe=true"]
    if device == "cpu":
        settings += case.on_cpu
    command = [sys.executable, "-m", "accumcheck", "run", config, "--quiet", "-o", str(report), "-o", str(table)]
    command += [part for setting in settings for part in ("--set", setting)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    if case.one_gpu:
        environment["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    started = time.monotonic()
    with GpuMemory() as memory:
        exit_code = _run(command, folder, environment, case.limit)
    seconds = time.monotonic() - started
    found = None
    if report.exists():
        text = report.read_text(encoding="utf-8").replace(
            f"{ROOT}{os.sep}", ""
        )  # a program's own path is made absolute
        report.write_text(text, encoding="utf-8")
        found = json.loads(text)
    problems = tuple(problems_of(case, exit_code, seconds, found))
    return Outcome(case, exit_code, seconds, found, memory.peak_mib, problems)


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], limit: float) -> int:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder, env=environment) as process:
        try:
            return process.wait(limit + 15)
        except subprocess.TimeoutExpired:
            process.terminate()  # accumcheck ends all of its own processes
            return process.wait()


def count_gpus(device: str) -> int:
    """The number of GPUs that torch sees, or of the processes in their place on a CPU."""
    if device == "cpu":
        return DEVICES_ON_CPU
    import torch

    return torch.cuda.device_count()


def main() -> int:
    """Run the requested cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("reports/gpu"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--case", action="append", metavar="NAME", help="run this case only; repeatable")
    parser.add_argument("--list", action="store_true", help="list the cases and run nothing")
    options = parser.parse_args()
    gpus = count_gpus(options.device)
    cases = {case.name: case for case in matrix(max(gpus, 1)) if options.device == "cuda" or not case.gpus_only}
    if options.list:
        print("\n".join(f"{case.name:<20}{case.about}" for case in cases.values()))
        return 0
    if unknown := sorted(set(options.case or ()) - set(cases)):
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(cases)}")
    if not gpus:
        parser.error("torch sees no GPU here; --device cpu runs the script without one")
    options.out.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for name in options.case or cases:
        print(f"{name}: {cases[name].about} ...", file=sys.stderr, flush=True)
        outcomes.append(run_case(cases[name], options.device, options.out.resolve()))
        text = summary(outcomes, options.device, datetime.now(timezone.utc))
        (options.out / "summary.md").write_text(text, encoding="utf-8")  # after every case: a later one may hang
    print(text, end="")
    return 1 if any(outcome.problems for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())

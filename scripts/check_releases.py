"""Run configs/llava15-seed.yaml under transformers releases with known results, and compare.

    python scripts/check_releases.py 4.49.0 4.48.3 5.23.0

Exits with 0 if every release has its known result, with 1 otherwise, and with 2 for a release without one.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from check_faults import run

CONFIG = Path("configs/llava15-seed.yaml")


@dataclass(frozen=True)
class Expectation:
    """The expected result of every split except the control.

    ``loss_times_k``: the loss is the control's times the accumulation steps, instead of the control's;
    ``loss_within``: the relative tolerance of the loss; ``grad_norm_agrees``: whether the gradient norm agrees with the
    control's within the tolerance of the run; ``rule``: the weighting rule of loss and gradient.
    """

    exit_code: int
    rule: str
    loss_times_k: bool
    loss_within: float
    grad_norm_agrees: bool


EXPECTED = {
    # the loss and the gradient are summed over the micro-batches and never divided (LLaMA-Factory #7443)
    "4.49.0": Expectation(1, "microbatch-mean*k", loss_times_k=True, loss_within=0.05, grad_norm_agrees=False),
    # the release that users go back to: the loss looks right, but the gradient is a mean of micro-batch means
    "4.48.3": Expectation(1, "microbatch-mean", loss_times_k=False, loss_within=0.01, grad_norm_agrees=False),
    "5.23.0": Expectation(0, "token-mean", loss_times_k=False, loss_within=0.01, grad_norm_agrees=True),
}


@dataclass(frozen=True)
class Row:
    """One release: its result, and all differences from the expected one."""

    release: str
    exit_code: int
    loss_ratios: tuple[float, ...] = ()
    grad_norm_ratios: tuple[float, ...] = ()
    problems: tuple[str, ...] = ()


def assess(release: str, exit_code: int, report: Mapping[str, Any] | None) -> Row:
    """Compare one run with the release's expectation.

    Args:
        release: a key of `EXPECTED`.
        exit_code: accumcheck's exit code.
        report: its JSON report; None if it wrote none.
    """
    expected = EXPECTED[release]
    problems = []
    if exit_code != expected.exit_code:
        problems.append(f"exit code {exit_code}, expected {expected.exit_code}")
    if report is None:
        return Row(release, exit_code, problems=(*problems, "no report"))
    ran = report["environment"]["transformers"]
    if ran != release:
        problems.append(f"ran transformers {ran}")
    for what in ("loss_rule", "gradient_rule"):
        if report[what] != expected.rule:
            problems.append(f"{what} {report[what]}, expected {expected.rule}")
    control = next(split for split in report["splits"] if split["is_control"])
    losses, norms = [], []
    for split in report["splits"]:
        if split["is_control"]:
            continue
        name, k = split["split"], split["gradient_accumulation_steps"]
        if split["status"] != "ran" or control["status"] != "ran":
            problems.append(f"{name}: {split['status']} {split['reason']}".rstrip())
            continue
        for step, right in zip(split["steps"], control["steps"], strict=True):
            loss, norm = _ratio(step["loss"], right["loss"]), _ratio(step["grad_norm"], right["grad_norm"])
            wanted = k if expected.loss_times_k else 1
            if not abs(loss / wanted - 1) <= expected.loss_within:  # so that NaN is a problem too
                problems.append(f"{name}: loss {loss:.3g} times the control's, expected {wanted}")
            agrees = abs(norm - 1) <= report["tolerances"]["grad_norm"]
            if agrees != expected.grad_norm_agrees:
                problems.append(f"{name}: gradient norm {norm:.6g} times the control's, which is unexpected")
        losses.append(_ratio(split["steps"][0]["loss"], control["steps"][0]["loss"]))
        norms.append(_ratio(split["steps"][0]["grad_norm"], control["steps"][0]["grad_norm"]))
    return Row(release, exit_code, tuple(losses), tuple(norms), tuple(problems))


def _ratio(value: float | str | None, right: float | str | None) -> float:
    """The ratio of two numbers of a report. NaN and infinity are strings there; None means no number."""
    return math.nan if value is None or right is None else float(value) / float(right)


def table(rows: Sequence[Row], splits: Sequence[str]) -> str:
    """The rows as text: ratios to the control's in the first step, in the order of ``splits``."""
    width = max(30, 8 * len(splits))
    head = f"{'release':<9}{'exit':<6}{'loss / control':<{width}}{'grad norm / control':<{width}}ok"
    lines = [head, f"{'':<15}" + "".join(f"{split:<8}" for split in splits).ljust(width) * 2, "-" * len(head)]
    for row in rows:
        ratios = "".join(
            "".join(f"{ratio:<8.4g}" for ratio in values).ljust(width)
            for values in (row.loss_ratios, row.grad_norm_ratios)
        )
        lines.append(f"{row.release:<9}{row.exit_code:<6}{ratios}{'no' if row.problems else 'yes'}")
        lines += [f"  {problem}" for problem in row.problems]
    return "\n".join(line.rstrip() for line in lines)


def main() -> int:
    """Check the releases named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="*", default=list(EXPECTED), help="default: " + " ".join(EXPECTED))
    parser.add_argument("--config", type=Path, default=CONFIG, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("reports/releases"), help="default: %(default)s")
    options = parser.parse_args()
    if unknown := [release for release in options.release if release not in EXPECTED]:
        parser.error(f"no expectation for {', '.join(unknown)}; known: {', '.join(EXPECTED)}")
    rows, splits = [], []
    for release in options.release:
        print(f"transformers {release} ...", file=sys.stderr, flush=True)
        code, report = run(options.config, options.out / f"{release}.json", release)
        rows.append(assess(release, code, report))
        if report is not None:
            splits = [split["split"] for split in report["splits"] if not split["is_control"]]
    print(table(rows, splits))
    return 1 if any(row.problems for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

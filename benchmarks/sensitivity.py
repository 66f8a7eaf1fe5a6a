"""How small a fault does accumcheck find, and are there false alarms? ``python benchmarks/sensitivity.py``.

Faults are planted in a real Trainer (`accumcheck.stacks.planted`), in every dtype. The result depends on the model and
the data, so it is reported but not asserted (see README.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accumcheck.check import run_checks
from accumcheck.config.model import CheckConfig, DataConfig, DType, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.record import Report, Split
from accumcheck.record.rule import UNEXPLAINED
from accumcheck.selftest.case import LLAMA

DTYPES: tuple[DType, ...] = ("float64", "float32", "float16", "bfloat16")
ERRORS = (1e-7, 1e-6, 2e-6, 1e-5, 1e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 1e-1)
"""The planted relative errors of the weight of one sample of eight."""
SHORTEST = (63, 62, 60, 56, 48, 32, 8)
"""The smallest number of labels of a sample; the largest is 64. In a wider range a mean of means is worse."""

WIDER = {**LLAMA, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "vocab_size": 8192}
"""A model with 6 million parameters. A quarter of a million entries of its gradient are judged."""
MODELS: dict[str, dict[str, Any]] = {
    "Llama": {"config": LLAMA},
    "Llama, wider": {"config": WIDER},
    "GPT-2": {"config": {"model_type": "gpt2"}, "shrink": True},
    "LLaVA": {"config": {"model_type": "llava"}, "shrink": True},
    "Mixtral": {"config": {"model_type": "mixtral"}, "shrink": True},
    "Qwen2-VL": {
        "config": {"model_type": "qwen2_vl"},
        "architecture": "Qwen2VLForConditionalGeneration",
        "shrink": True,
    },
    "ConvNeXt": {
        "config": {"model_type": "convnext"},
        "architecture": "ConvNextForImageClassification",
        "shrink": True,
    },
}
"""Clean models for false alarms: 24 samples in six splits."""
LARGE = "Llama, 128 samples"
"""Sums of up to 128 gradients, and over four processes."""


@dataclass(frozen=True, slots=True)
class Case:
    """One check, its series, and the planted fault."""

    series: str
    dtype: DType
    planted: str
    check: CheckConfig


def cases(series: Sequence[str]) -> Iterator[Case]:
    """Every case of these series."""
    few, many = ("1x8x1", "1x1x8", "2x1x4"), ("1x24x1", "1x4x6", "1x1x24", "2x12x1", "2x2x6", "2x1x12")
    large = ("1x128x1", "1x1x128", "4x8x4", "4x1x32")
    for dtype in DTYPES:
        if "weight" in series:
            for size in ERRORS:
                yield Case("weight", dtype, f"{size:.0e}", _check(dtype, f"planted:weight-error={size}", few, 4, 24))
        if "rule" in series:
            for shortest in SHORTEST:
                yield Case("rule", dtype, str(shortest), _check(dtype, "planted:mean-of-means", few, shortest, 64))
        if "clean" in series:
            for name, model in MODELS.items():
                stack = "planted:none" if name == "GPT-2" else "trainer"  # Trainer counts a label too many for GPT-2
                yield Case("clean", dtype, name, _check(dtype, stack, many, 4, 24, model, steps=2))
            yield Case("clean", dtype, LARGE, _check(dtype, "trainer", large, 4, 24, steps=2))


def _check(
    dtype: DType,
    stack: str,
    splits: Sequence[str],
    shortest: int,
    longest: int,
    model: dict[str, Any] | None = None,
    steps: int = 1,
) -> CheckConfig:
    parsed = tuple(Split.parse(split) for split in splits)
    return CheckConfig(
        model=ModelConfig(dtype=dtype, **(model or {"config": LLAMA})),
        data=DataConfig(synthetic=SyntheticData(min_length=shortest, max_length=longest, prompt_fraction=(0.0, 0.0))),
        global_batch_size=parsed[0].global_batch_size,
        steps=steps,
        splits=parsed,
        stack=stack,
        training_arguments={"average_tokens_across_devices": True},
        launcher=LauncherConfig(device="cpu", timeout=300),
    )


def measure(chosen: Iterable[Case]) -> Iterator[tuple[Case, Report]]:
    """Run the cases with one import for all of them, and print one line about each to standard error."""
    cases = list(chosen)
    for number, (case, report) in enumerate(zip(cases, run_checks([case.check for case in cases]), strict=True), 1):
        word = f"{report.verdict}, {report.loss_rule}, {report.gradient_rule}, {report.duration_seconds:.1f} s"
        print(
            f"{number} of {len(cases)}: {case.series} {case.dtype} {case.planted}: {word}", file=sys.stderr, flush=True
        )
        yield case, report


def row(case: Case, report: Report) -> dict[str, Any]:
    """The result of one case, as JSON types.

    ``size``: the part of the gradient's error that is in the samples' weights, the largest of all splits;
    ``heaviest``: the largest recovered weight, 1 = right; ``nearest``: for a clean run, the largest share of a
    tolerance that a split used.
    """
    steps = [step for split in report.splits for step in split.steps]
    return {
        "series": case.series,
        "dtype": case.dtype,
        "planted": case.planted,
        "verdict": report.verdict,
        "loss_rule": report.loss_rule,
        "gradient_rule": report.gradient_rule,
        "size": max((step.vs_reference.weights or 0.0 for step in steps), default=None),
        "heaviest": max((split.sample_weights.max for split in report.splits if split.sample_weights), default=None),
        "nearest": _nearest(report),
        "sample": None
        if report.tolerances is None or report.tolerances.sample is None
        else report.tolerances.sample.most,
        "tolerances": None if report.tolerances is None else _four(report.tolerances),
        "noise": None if report.tolerances is None else _four(report.tolerances.noise_floor),
        "seconds": report.duration_seconds,
    }


NAMES = ("loss", "grad_norm", "gradient", "weights")


def _four(values: Any) -> dict[str, float | None]:
    return {name: getattr(values, name) for name in NAMES}


def _nearest(report: Report) -> float | None:
    if report.tolerances is None:
        return None
    steps = [step for split in report.splits for step in split.steps]
    shares = [step.vs_reference.sample or 0.0 for step in steps]
    shares += [
        (getattr(found, name) or 0.0) / (getattr(report.tolerances, name) or 1.0)
        for step in steps
        for found in (step.vs_control, step.vs_reference)
        for name in NAMES
    ]
    return max(shares, default=None)


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown, one table per series."""
    text = []
    for series, table in (("weight", _weight_table), ("rule", _rule_table), ("clean", _clean_table)):
        chosen = [row for row in rows if row["series"] == series]
        if chosen:
            text.append(table(chosen))
    return "\n".join(text)


def _weight_table(rows: Sequence[dict[str, Any]]) -> str:
    """``caught``: the run fails. ``named``: it has no rule, and the recovered weight is right to within a fifth."""

    def named(row: dict[str, Any]) -> bool:
        size = float(row["planted"])
        known = row["heaviest"] is not None and abs(row["heaviest"] - 1 - size) <= size / 5
        return known and row["gradient_rule"] == str(UNEXPLAINED)

    lines = ["| dtype | caught from | named from | one sample: tolerance | all weights: noise, tolerance |"]
    lines[0] += " gradient: noise, tolerance |"
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for dtype in DTYPES:
        mine = [row for row in rows if row["dtype"] == dtype]
        caught = _from([float(row["planted"]) for row in mine], [row["verdict"] == "fail" for row in mine])
        weighed = _from([float(row["planted"]) for row in mine], [named(row) for row in mine])
        last = mine[-1]
        pairs = [f"{last['noise'][name]:.1e}, {last['tolerances'][name]:.1e}" for name in ("weights", "gradient")]
        own = "none" if last["sample"] is None else f"{last['sample']:.1e}"
        lines.append(f"| {dtype} | {caught} | {weighed} | {own} | {pairs[0]} | {pairs[1]} |")
    return "\n".join(lines) + "\n"


def _from(sizes: Sequence[float], held: Sequence[bool]) -> str:
    """The smallest size from which on all are true."""
    smallest = None
    for size, good in sorted(zip(sizes, held, strict=True), reverse=True):
        if not good:
            break
        smallest = size
    return "none" if smallest is None else f"{smallest:.0e}"


def _rule_table(rows: Sequence[dict[str, Any]]) -> str:
    """The effect of a mean of means on the gradient by the range of labels, and the rule that each dtype finds."""
    lines = [f"| labels | gradient off by | {' | '.join(DTYPES)} |", f"| --- | --- |{' --- |' * len(DTYPES)}"]
    for shortest in SHORTEST:
        mine = {row["dtype"]: row for row in rows if row["planted"] == str(shortest)}
        exact = mine["float64"]["size"]
        cells = [f"{mine[dtype]['verdict']}, {mine[dtype]['gradient_rule']}" for dtype in DTYPES]
        lines.append(f"| {shortest}..64 | {exact:.1e} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _clean_table(rows: Sequence[dict[str, Any]]) -> str:
    """The verdicts of clean runs, and the largest share of a tolerance that they used."""
    lines = [f"| clean | {' | '.join(DTYPES)} |", f"| --- |{' --- |' * len(DTYPES)}"]
    for name in (*MODELS, LARGE):
        mine = {row["dtype"]: row for row in rows if row["planted"] == name}
        cells = [
            f"{found['verdict']}, {found['nearest']:.2f}" if found["verdict"] != "error" else "cannot run"
            for found in (mine[dtype] for dtype in DTYPES)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    decided = [row for row in rows if row["verdict"] != "error"]
    alarms = sum(row["verdict"] != "pass" for row in decided)
    return "\n".join(lines) + f"\n\nFalse alarms: {alarms} of {len(decided)}.\n"


def main() -> None:
    """Measure, print, and write to ``--out``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "--series", nargs="+", choices=("weight", "rule", "clean"), default=["weight", "rule", "clean"]
    )
    options.add_argument("--out", type=Path, action="append", default=[], metavar="FILE", help="FILE.json or FILE.md")
    given = options.parse_args()
    rows = [row(case, report) for case, report in measure(cases(given.series))]
    text = tables(rows)
    print(text)
    for path in given.out:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if path.suffix == ".md" else json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""How much of the tolerance for weight changes do correct runs use? ``python benchmarks/updates.py``.

A correct Trainer with several optimizers, in float32 and bfloat16, with one and two processes. Prints the largest
difference of a split's weight change from the control's, as a share of the tolerance (see README.md).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accumcheck.check import run_checks
from accumcheck.config.model import CheckConfig, DataConfig, DType, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.judge.measure.updates import allowed_change
from accumcheck.record import Report, Split
from accumcheck.selftest.case import LLAMA

DTYPES: tuple[DType, ...] = ("float32", "bfloat16")
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "AdamW": {"optim": "adamw_torch", "learning_rate": 1e-3, "weight_decay": 0.1},
    "SGD, momentum 0.9": {"optim": "sgd", "optim_args": "momentum=0.9", "learning_rate": 1e-1},
    "Adafactor": {"optim": "adafactor", "learning_rate": 1e-3},
}
MODELS: dict[str, dict[str, Any]] = {
    "Llama": {"config": LLAMA},
    "GPT-2": {"config": {"model_type": "gpt2"}, "shrink": True},
}
SPLITS = ("1x8x1", "1x2x4", "1x1x8", "2x4x1", "2x1x4")
"""The control, two splits that accumulate in one process, and two splits with two processes."""
COLUMNS = ("dtype", "optimizer", "model", "allowed", "n = 1", "n = 2", "compared", "verdict")


@dataclass(frozen=True)
class Case:
    """One check."""

    dtype: DType
    optimizer: str
    model: str

    @property
    def check(self) -> CheckConfig:
        """The check of a correct run."""
        return CheckConfig(
            model=ModelConfig(**MODELS[self.model], dtype=self.dtype),
            data=DataConfig(synthetic=SyntheticData(min_length=6, max_length=24)),
            global_batch_size=8,
            steps=3,
            splits=tuple(Split.parse(split) for split in SPLITS),
            stack="trainer",
            training_arguments=dict(OPTIMIZERS[self.optimizer]),
            launcher=LauncherConfig(device="cpu", timeout=300),
        )


def row(case: Case, report: Report) -> tuple[str, ...]:
    """The cells under `COLUMNS`."""
    allowed = allowed_change(report.tolerances) if report.tolerances is not None else float("nan")
    shares: dict[int, list[float]] = {1: [], 2: []}
    asked = 0
    for split in report.splits:
        if split.is_control:
            continue
        for update in split.updates:
            asked += 1
            if update.weight_change is not None and update.weight_change.vs_control is not None:
                shares[split.split.num_processes].append(update.weight_change.vs_control / allowed)
    compared = sum(map(len, shares.values()))
    largest = (f"{max(found):.2g}" if found else "-" for found in shares.values())
    return (
        case.dtype,
        case.optimizer,
        case.model,
        f"{allowed:.2g}",
        *largest,
        f"{compared} of {asked}",
        report.verdict,
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows as Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)]) + "\n"


def _cases(dtypes: Sequence[DType]) -> Iterator[Case]:
    for dtype in dtypes:
        for optimizer in OPTIMIZERS:
            yield from (Case(dtype, optimizer, model) for model in MODELS)


def main() -> None:
    """Measure, print, and write to ``--out``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--dtype", nargs="+", choices=DTYPES, default=list(DTYPES))
    options.add_argument("--out", type=Path, metavar="FILE.md")
    given = options.parse_args()
    cases = list(_cases(given.dtype))
    reports = run_checks([case.check for case in cases])
    text = table([row(case, report) for case, report in zip(cases, reports, strict=True)])
    print(text)
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

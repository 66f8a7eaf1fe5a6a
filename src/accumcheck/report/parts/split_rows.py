"""One row per split, and the reference at the foot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from accumcheck.report import numbers
from accumcheck.report.blocks import WORDS, Cell, Column, Table
from accumcheck.report.parts.metrics import (
    METRICS,
    Measure,
    allowed,
    control_of,
    difference_in,
    versus_control,
    versus_reference,
)

if TYPE_CHECKING:
    from accumcheck.record import ReferenceStep, Report, SplitResult, StepRecord, Tolerances

COLUMNS = (
    Column(("", "split"), "left", gap=0),
    Column(("", "loss"), leave_out=3),
    Column(("vs", "control"), gap=1, title="loss vs control"),
    Column(("grad", "norm"), leave_out=1),
    Column(("vs", "control"), gap=1, title="grad norm vs control"),
    Column(("gradient", "error")),
    Column(("weight", "scale")),
    Column(("weight", "min..max"), gap=1, leave_out=2),
    Column(("", "verdict"), "left"),
)


def split_table(report: Report) -> Table:
    """One row per split, and the reference at the foot."""
    caption = "Every split compared with the control and the reference"
    return Table(COLUMNS, rows(report), foot=reference_row(report), caption=caption, legend=legend(report))


def rows(report: Report) -> list[list[Cell]]:
    """The cells of `COLUMNS`, one row per split in the configuration's order; see `reference_row` for the last."""
    step = shown_step(report)
    losses, norms = _values(report, step)
    control = control_of(report)
    return [
        [
            Cell(str(split.split), "label"),
            _plain(losses[index], split, _value(split, step, "loss")),
            _control_cell(split, control, "loss", report.tolerances),
            _plain(norms[index], split, _value(split, step, "grad_norm")),
            _control_cell(split, control, "grad_norm", report.tolerances),
            _gradient_error(split, report.tolerances),
            *_weights(split),
            Cell("expected" if split.expected else WORDS[split.verdict], split.verdict),
        ]
        for index, split in enumerate(report.splits)
    ]


def reference_row(report: Report) -> list[Cell] | None:
    """The reference's row, whose differences from the control are the control's own error; None without reference."""
    step = shown_step(report)
    truth = _truth(report, step)
    if truth is None or not report.splits:
        return None
    (*_, loss), (*_, norm) = _values(report, step)
    control = control_of(report)
    of_loss = _error(control, step, "loss", truth.loss)
    of_norm = _error(control, step, "grad_norm", truth.grad_norm)
    texts = (loss, of_loss, norm, of_norm, "", "", "", "")
    return [Cell("reference", "label"), *map(Cell, texts)]


def legend(report: Report) -> str:
    """The meaning of the columns, and the step of the values."""
    text = (
        "split: processes x per-device batch x accumulation steps. gradient error: against the reference. "
        "weight: how each sample counted, 1 = right."
    )
    taken = {found.step for split in report.splits for found in split.steps}
    if len(taken) > 1:
        text += f" Loss and norm: step {shown_step(report)}, where splits differ most; differences: the largest of all"
        text += f" {len(taken)} steps."
    return text


def shown_step(report: Report) -> int:
    """The step whose values the table shows: the one where a split differs most from the control, else the first."""
    sizes = {found.step: -1.0 for found in report.reference}
    sizes.update((found.step, -1.0) for split in report.splits for found in split.steps)
    for split in report.splits:
        for found in split.steps if not split.is_control else ():
            differences = [difference_in(found.vs_control, name) for name in METRICS]
            known = [math.inf if math.isnan(value) else abs(value) for value in differences if value is not None]
            sizes[found.step] = max(sizes[found.step], *known, -1.0)
    return max(sorted(sizes), key=lambda step: sizes[step], default=0)


def _truth(report: Report, step: int) -> ReferenceStep | None:
    return next((found for found in report.reference if found.step == step), None)


def _values(report: Report, step: int) -> tuple[list[str], list[str]]:
    """The losses and the gradient norms of every split and, last, of the reference, with equal decimals."""
    truth = _truth(report, step)
    losses = [*(_value(split, step, "loss") for split in report.splits), truth.loss if truth else None]
    norms = [*(_value(split, step, "grad_norm") for split in report.splits), truth.grad_norm if truth else None]
    return numbers.aligned(losses), numbers.aligned(norms)


def _step(split: SplitResult | None, step: int) -> StepRecord | None:
    return None if split is None else next((found for found in split.steps if found.step == step), None)


def _value(split: SplitResult | None, step: int, measure: Literal["loss", "grad_norm"]) -> float | None:
    found = _step(split, step)
    return None if found is None else found.loss if measure == "loss" else found.grad_norm


def _plain(text: str, split: SplitResult, value: float | None) -> Cell:
    return Cell(text, "quiet" if split.status != "ran" else "bad" if numbers.is_bad(value) else "")


def _difference(text: str, split: SplitResult, value: float | None, limit: float | None) -> Cell:
    """Mark a missing value or, in a split already judged wrong, one beyond tolerance. Nothing is judged here."""
    if split.status != "ran" or value is None or not math.isfinite(value):
        return _plain(text, split, value)
    beyond = limit is not None and abs(value) > limit and split.verdict in ("fail", "warn")
    return Cell(text, split.verdict if beyond else "")


def _control_cell(
    split: SplitResult, control: SplitResult | None, measure: Measure, tolerances: Tolerances | None
) -> Cell:
    if split.is_control:
        return Cell("control", "quiet")
    found = versus_control(split, control, measure)
    return _difference(found.text, split, found.difference, allowed(tolerances, measure))


def _gradient_error(split: SplitResult, tolerances: Tolerances | None) -> Cell:
    found = versus_reference(split, (), "gradient")
    return _difference(found.text, split, found.difference, allowed(tolerances, "gradient"))


def _weights(split: SplitResult) -> tuple[Cell, Cell]:
    found = split.sample_weights
    if found is None:
        return Cell(numbers.MISSING, "quiet"), Cell(numbers.MISSING, "quiet")
    tone = _plain("", split, found.scale + found.min + found.max).tone
    return Cell(numbers.scale(found.scale), tone), Cell(numbers.spread(found.min, found.max), tone)


def _error(control: SplitResult | None, step: int, measure: Literal["loss", "grad_norm"], truth: float) -> str:
    largest = (
        None if control is None else numbers.worst(difference_in(one.vs_reference, measure) for one in control.steps)
    )
    return numbers.ratio(truth, _value(control, step, measure), largest)

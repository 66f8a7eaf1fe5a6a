"""One row per split, and the reference at the foot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from accumcheck.report import numbers
from accumcheck.report.layout import Cell, Column, columns, prose
from accumcheck.report.words import STYLES, WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from accumcheck.record import Divergence, Report, SplitResult, StepRecord, Tolerances

Measure = Literal["loss", "grad_norm", "gradient"]

_COLUMNS = (
    Column(("", "split"), "left", gap=0),
    Column(("", "loss"), leave_out=3),
    Column(("vs", "control"), gap=1),
    Column(("grad", "norm"), leave_out=1),
    Column(("vs", "control"), gap=1),
    Column(("gradient", "error")),
    Column(("weight", "scale")),
    Column(("weight", "min..max"), gap=1, leave_out=2),
    Column(("", "verdict"), "left"),
)
_BAD = "bold red"


def rows(report: Report, comfortable: int, limit: int, rule: str) -> list[Text]:
    """The table's lines; for the widths see `columns`. ``rule`` is the character that underlines."""
    if not report.splits:
        return []
    step = shown_step(report)
    truth = next((found for found in report.reference if found.step == step), None)
    losses = numbers.aligned([*(_value(split, step, "loss") for split in report.splits), truth.loss if truth else None])
    norms = numbers.aligned(
        [*(_value(split, step, "grad_norm") for split in report.splits), truth.grad_norm if truth else None]
    )
    control = next((split for split in report.splits if split.is_control), None)

    body: list[Sequence[Cell] | None] = []
    for index, split in enumerate(report.splits):
        body.append(
            (
                Cell(str(split.split), "bold"),
                _plain(losses[index], split, _value(split, step, "loss")),
                _versus_control(split, control, "loss", report.tolerances),
                _plain(norms[index], split, _value(split, step, "grad_norm")),
                _versus_control(split, control, "grad_norm", report.tolerances),
                _gradient_error(split, report.tolerances),
                *_weights(split),
                Cell(WORDS[split.verdict], STYLES[split.verdict]),
            )
        )
    if truth is not None:
        # The truth's own row: how far it lies from the control is the control's own error.
        loss, norm = (_error(control, step, "loss", truth.loss), _error(control, step, "grad_norm", truth.grad_norm))
        reference = (losses[-1], loss, norms[-1], norm, "", "", "", "")
        body += [None, (Cell("reference", "bold"), *map(Cell, reference))]
    return columns(_COLUMNS, body, comfortable, limit, rule)


def legend(report: Report, width: int) -> list[Text]:
    """What the columns mean, and which step the values come from."""
    if not report.splits:
        return []
    text = (
        "split: processes x per-device batch x accumulation steps. gradient error: against the reference. "
        "weight: how each sample counted, 1 = right."
    )
    taken = {found.step for split in report.splits for found in split.steps}
    if len(taken) > 1:
        text += f" Loss and norm: step {shown_step(report)}, where splits differ most; differences: the largest of all"
        text += f" {len(taken)} steps."
    return prose(text, width, style="dim")


def shown_step(report: Report) -> int:
    """The step whose values the table shows: where any split differs most from the control, else the first."""
    sizes = {found.step: -1.0 for found in report.reference}
    sizes.update((found.step, -1.0) for split in report.splits for found in split.steps)
    for split in report.splits:
        for found in split.steps if not split.is_control else ():
            apart = (found.vs_control.loss, found.vs_control.grad_norm, found.vs_control.gradient)
            known = [math.inf if math.isnan(value) else abs(value) for value in apart if value is not None]
            sizes[found.step] = max(sizes[found.step], *known, -1.0)
    return max(sorted(sizes), key=lambda step: sizes[step], default=0)


def _step(split: SplitResult | None, step: int) -> StepRecord | None:
    return None if split is None else next((found for found in split.steps if found.step == step), None)


def _value(split: SplitResult | None, step: int, measure: Literal["loss", "grad_norm"]) -> float | None:
    found = _step(split, step)
    return None if found is None else found.loss if measure == "loss" else found.grad_norm


def _apart(apart: Divergence, measure: Measure) -> float | None:
    return {"loss": apart.loss, "grad_norm": apart.grad_norm, "gradient": apart.gradient}[measure]


def _plain(text: str, split: SplitResult, value: float | None) -> Cell:
    return Cell(text, "dim" if split.status != "ran" else _BAD if numbers.is_bad(value) else "")


def _difference(text: str, split: SplitResult, value: float | None, allowed: float | None) -> Cell:
    """Colour what is missing or, in a split already judged wrong, beyond the tolerance. Nothing is judged here."""
    if split.status != "ran" or value is None or not math.isfinite(value):
        return _plain(text, split, value)
    beyond = allowed is not None and abs(value) > allowed and split.verdict in ("fail", "warn")
    return Cell(text, STYLES[split.verdict] if beyond else "")


def _versus_control(
    split: SplitResult,
    control: SplitResult | None,
    measure: Literal["loss", "grad_norm"],
    tolerances: Tolerances | None,
) -> Cell:
    if split.is_control:
        return Cell("control", "dim")
    largest = numbers.worst(_apart(found.vs_control, measure) for found in split.steps)
    at = next((found.step for found in split.steps if _apart(found.vs_control, measure) == largest), -1)
    text = numbers.ratio(_value(split, at, measure), _value(control, at, measure), largest)
    allowed = None if tolerances is None else tolerances.loss if measure == "loss" else tolerances.grad_norm
    return _difference(text, split, largest, allowed)


def _gradient_error(split: SplitResult, tolerances: Tolerances | None) -> Cell:
    largest = numbers.worst(found.vs_reference.gradient for found in split.steps)
    allowed = None if tolerances is None else tolerances.gradient
    return _difference(numbers.difference(largest), split, largest, allowed)


def _weights(split: SplitResult) -> tuple[Cell, Cell]:
    found = split.sample_weights
    if found is None:
        return Cell(numbers.MISSING, "dim"), Cell(numbers.MISSING, "dim")
    style = _plain("", split, found.scale + found.min + found.max).style
    return Cell(numbers.scale(found.scale), style), Cell(numbers.spread(found.min, found.max), style)


def _error(control: SplitResult | None, step: int, measure: Literal["loss", "grad_norm"], truth: float) -> str:
    largest = None if control is None else numbers.worst(_apart(one.vs_reference, measure) for one in control.steps)
    return numbers.ratio(truth, _value(control, step, measure), largest)

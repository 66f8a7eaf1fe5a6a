"""Where the tolerances come from: ``accumcheck run --explain-tolerances``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.config.model import compute_dtype
from accumcheck.report.blocks import Cell, Column, Sentence, Table
from accumcheck.report.numbers import MISSING

if TYPE_CHECKING:
    from accumcheck.record import Divergence, Report, ToleranceOrigin

_NAMES = {"loss": "loss", "grad_norm": "grad norm", "gradient": "gradient", "weights": "weights"}
_ORIGINS = (
    Column(("", ""), "left", gap=0, title="difference in"),
    Column(("dtype's", "floor"), leave_out=3),
    Column(("noise", "floor")),
    Column(("times", "safety"), leave_out=1),
    Column(("log", "rounding"), leave_out=2),
    Column(("", "allowed")),
    Column(("", "because of"), "left"),
)
_MEASURED = (
    Column(("", "order"), "left", gap=0, leave_out=1),
    Column(("samples", "at once")),
    Column(("accum.", "steps"), leave_out=2),
    *(Column(("", name)) for name in _NAMES.values()),
)


def passages(report: Report) -> list[Sentence | Table]:
    """The tolerances, where they come from, and what the noise was measured on."""
    tolerances = report.tolerances
    if tolerances is None or not tolerances.origins:
        return [Sentence("Tolerances: this report does not say where they come from.")]
    weights = report.model.dtype if report.model is not None else str((report.config.get("model") or {}).get("dtype"))
    dtype = compute_dtype(weights, report.config.get("training_arguments") or {})
    safety = next(iter(tolerances.origins.values())).safety
    allowed = {name: getattr(tolerances, name) for name in _NAMES}
    body = tuple(
        (
            Cell(_NAMES[name]),
            *(Cell(_number(value)) for value in _parts(origin)),
            Cell(_number(allowed[name])),
            Cell(_because(origin)),
        )
        for name, origin in tolerances.origins.items()
    )
    intro = (
        f"Tolerances: relative differences. Each is the larger of a floor for {dtype} and {safety:g} times the noise "
        "floor, unless the configuration gives one. weights: the part of the gradient's error that comes from "
        "how samples are weighted; a configured gradient tolerance applies to it too."
    )
    rounding = tolerances.origins["loss"].rounding
    if rounding:
        intro += (
            f" The stack rounds the losses that it reports, by up to {_number(rounding)} relative to the smallest; "
            "this is added to the loss tolerance."
        )
    found: list[Sentence | Table] = [
        Sentence(intro),
        Table(_ORIGINS, body, caption="Relative differences"),
    ]
    if not tolerances.measured:
        return [*found, Sentence("The noise floor was not measured: step 1 has no finite reference.")]
    samples = report.reference[0].samples if report.reference else 0
    noise = (
        f"Noise floor: the error of floating point alone. The reference recomputed the {samples} samples of step 1 "
        f"without the stack, in accumulated micro-batches, in {dtype}; the noise floor is the largest difference from "
        "the sum over single samples. The noise of the gradient norm is taken to be at least that of the weights."
    )
    again = tuple(
        (
            Cell(one.order),
            Cell(str(one.samples_at_once)),
            Cell(str(one.accumulation_steps)),
            *(Cell(_number(value)) for value in _four(one.apart)),
        )
        for one in tolerances.measured
    )
    return [*found, Sentence(noise), Table(_MEASURED, again, caption="Relative differences")]


def _parts(origin: ToleranceOrigin) -> tuple[float | None, ...]:
    times = None if origin.noise is None else origin.safety * origin.noise
    return (origin.floor, origin.noise, times, origin.rounding or None)


def _because(origin: ToleranceOrigin) -> str:
    return "noise and log" if origin.chosen == "noise" and origin.rounding else origin.chosen


def _four(values: Divergence) -> tuple[float | None, ...]:
    return (values.loss, values.grad_norm, values.gradient, values.weights)


def _number(value: float | None) -> str:
    """Two digits, so that what is larger is seen at once: ``1.2e-02``."""
    return MISSING if value is None else f"{value:.1e}"

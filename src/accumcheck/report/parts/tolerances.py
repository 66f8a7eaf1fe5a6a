"""The origin of tolerances: ``accumcheck run --explain-tolerances``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.config.model import compute_dtype
from accumcheck.report.blocks import Cell, Column, Sentence, Table
from accumcheck.report.numbers import MISSING

if TYPE_CHECKING:
    from accumcheck.record import Divergence, Report, SampleTolerance, ToleranceOrigin

_NAMES = {"loss": "loss", "grad_norm": "grad norm", "gradient": "gradient", "weights": "weights"}
_ORIGINS = (
    Column(("", ""), "left", gap=0, title="difference in"),
    Column(("dtype's", "floor"), leave_out=3),
    Column(("noise", "floor")),
    Column(("times", "safety"), leave_out=1),
    Column(("dtype's", "ceiling"), leave_out=2),
    Column(("", "allowed")),
    Column(("", "because of"), "left"),
)
_MEASURED = (
    Column(("", "order"), "left", gap=0, leave_out=1),
    Column(("samples", "at once")),
    Column(("accum.", "steps"), leave_out=2),
    Column(("loss", "times"), leave_out=3),
    *(Column(("", name)) for name in _NAMES.values()),
)


def passages(report: Report) -> list[Sentence | Table]:
    """The tolerances, where they come from, and how the noise was measured."""
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
            Cell(origin.chosen),
        )
        for name, origin in tolerances.origins.items()
    )
    intro = (
        f"Tolerances: relative differences. Each is the larger of a floor for {dtype} and {safety:g} times the noise "
        f"floor, but never above what {dtype} explains (its ceiling), unless the configuration gives one. "
        "weights: the part of the gradient's error that comes from sample weights; the configuration's "
        "gradient tolerance holds for it as well."
    )
    if any(origin.chosen == "ceiling" for origin in tolerances.origins.values()):
        intro += " The noise was larger than the ceiling: the ceiling is used, since that much is not rounding."
    if tolerances.loss_rounding:
        intro += (
            " The stack rounds the losses that it reports: each may be off by half a unit of its last decimal "
            f"({tolerances.loss_rounding:g}), which is subtracted before losses are compared."
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
        "the sum over single samples. Each time the loss was multiplied by a different number, and the gradient "
        "divided by it, so that all digits are rounded anew. The noise of the gradient norm is assumed to be at least "
        "that of the weights."
    )
    again = tuple(
        (
            Cell(one.order),
            Cell(str(one.samples_at_once)),
            Cell(str(one.accumulation_steps)),
            Cell(f"{one.factor:.2f}"),
            *(Cell(_number(value)) for value in _four(one.apart)),
        )
        for one in tolerances.measured
    )
    found += [Sentence(noise), Table(_MEASURED, again, caption="Relative differences")]
    return [*found, Sentence(_of_sample(tolerances.sample))] if tolerances.sample is not None else found


def _of_sample(sample: SampleTolerance) -> str:
    return (
        f"One sample: in step 1 the weight of each sample may be off by {_number(sample.least)} to "
        f"{_number(sample.most)} of itself, with a median of {_number(sample.middle)}. The recomputations scatter by "
        f"{_number(sample.noise)} of the gradient in each direction of the samples' gradients, a standard error with "
        f"{sample.degrees} degrees of freedom. {sample.times:.1f} times what that makes of a weight is allowed: a "
        f"right run exceeds it with a probability of {sample.false_alarms:g} (Student's t). No weight is judged closer "
        f"than {_number(sample.floor)}."
    )


def _parts(origin: ToleranceOrigin) -> tuple[float | None, ...]:
    times = None if origin.noise is None else origin.safety * origin.noise
    return (origin.floor, origin.noise, times, origin.ceiling)


def _four(values: Divergence) -> tuple[float | None, ...]:
    return (values.loss, values.grad_norm, values.gradient, values.weights)


def _number(value: float | None) -> str:
    """Two digits, so that the larger number is obvious: ``1.2e-02``."""
    return MISSING if value is None else f"{value:.1e}"

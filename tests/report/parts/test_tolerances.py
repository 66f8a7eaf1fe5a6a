"""Where the tolerances come from, as a terminal, a pipe and JSON say it."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from accumcheck.record import Divergence, NoiseMeasurement, Report, SampleTolerance, ToleranceOrigin, Tolerances
from accumcheck.report.formats import table
from accumcheck.saved.reports import report_from_json, report_to_json
from tests.report import examples, written


def report() -> Report:
    """bfloat16; the user gave the gradient norm's tolerance, and the stack logs four decimals."""
    floor = Divergence(6.4e-4, 1.1e-3, 0.0116, 1.1e-3)
    again = Divergence(1.4e-5, 7.2e-4, 0.0104, 9.8e-4)
    tolerances = Tolerances(
        loss=3.2e-3,
        grad_norm=0.02,
        gradient=0.058,
        noise_floor=floor,
        weights=8e-3,
        origins={
            "loss": ToleranceOrigin("noise", 2e-3, 6.4e-4, 5.0, ceiling=0.1),
            "grad_norm": ToleranceOrigin("configuration", 5e-3, 1.1e-3, 5.0, ceiling=0.1),
            "gradient": ToleranceOrigin("noise", 0.02, 0.0116, 5.0, ceiling=0.1),
            "weights": ToleranceOrigin("dtype", 8e-3, 1.1e-3, 5.0, ceiling=0.1),
        },
        measured=(
            NoiseMeasurement("last sample first", 1, 128, replace(floor, grad_norm=6.1e-4)),
            NoiseMeasurement("last sample first", 128, 1, again, 1.296875),
        ),
        loss_rounding=5e-5,
        sample=SampleTolerance(5.4e-3, 9.4e-3, 1.6e-2, 4.1e-4, 128, 6.3, 1e-5, 3.90625e-3),
    )
    clean = examples.clean()
    assert clean.model is not None
    return replace(clean, tolerances=tolerances, model=replace(clean.model, dtype="bfloat16"))


EXPLAINED = """\
Tolerances: relative differences. Each is the larger of a floor for bfloat16 and
5 times the noise floor, but never above what bfloat16 explains (its ceiling),
unless the configuration gives one. weights: the part of the gradient's error
that comes from sample weights; the configuration's gradient tolerance holds for
it as well. The stack rounds the losses that it reports: each may be off by half
a unit of its last decimal (5e-05), which is subtracted before losses are
compared.

           dtype's    noise    times  dtype's
             floor    floor   safety  ceiling  allowed  because of
---------------------------------------------------------------------
loss       2.0e-03  6.4e-04  3.2e-03  1.0e-01  3.2e-03  noise
grad norm  5.0e-03  1.1e-03  5.5e-03  1.0e-01  2.0e-02  configuration
gradient   2.0e-02  1.2e-02  5.8e-02  1.0e-01  5.8e-02  noise
weights    8.0e-03  1.1e-03  5.5e-03  1.0e-01  8.0e-03  dtype

Noise floor: the error of floating point alone. The reference recomputed the 128
samples of step 1 without the stack, in accumulated micro-batches, in bfloat16;
the noise floor is the largest difference from the sum over single samples. Each
time the loss was multiplied by a different number, and the gradient divided by
it, so that all digits are rounded anew. The noise of the gradient norm is
assumed to be at least that of the weights.

                   samples  accum.   loss
order              at once   steps  times     loss  grad norm  gradient  weights
--------------------------------------------------------------------------------
last sample first        1     128   1.00  6.4e-04    6.1e-04   1.2e-02  1.1e-03
last sample first      128       1   1.30  1.4e-05    7.2e-04   1.0e-02  9.8e-04

One sample: in step 1 the weight of each sample may be off by 5.4e-03 to 1.6e-02
of itself, with a median of 9.4e-03. The recomputations scatter by 4.1e-04 of
the gradient in each direction of the samples' gradients, a standard error with
128 degrees of freedom. 6.3 times what that makes of a weight is allowed: a
right run exceeds it with a probability of 1e-05 (Student's t). No weight is
judged closer than 3.9e-03.
"""


def shown(found: Report) -> str:
    return written.shown(found, "table", explain_tolerances=True)


def test_a_pipe_gets_the_whole_explanation_before_the_verdict() -> None:
    text = shown(report())
    assert EXPLAINED in text
    assert text.index(EXPLAINED) < text.index("\npass: ")
    assert text.replace(EXPLAINED + "\n", "") == written.text(report(), "table")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_loses_columns_not_digits(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, color_system=None, legacy_windows=False)
    table.render(written.document(report(), explain_tolerances=True), console)
    text = stream.getvalue()
    mine = text[text.index("Tolerances: ") : text.index("\npass: ")].splitlines()
    assert max(map(len, mine)) <= max(width, 43)  # loss, norm, gradient and weights side by side
    for number in ("3.2e-03", "2.0e-02", "5.8e-02", "8.0e-03", "6.4e-04", "9.8e-04"):
        assert number in "\n".join(mine)
    assert ("dtype's" in "\n".join(mine[5:20])) == (width >= 60)


def test_json_says_it_too_and_reads_it_back() -> None:
    assert report_from_json(report_to_json(report())) == report()


def test_what_was_not_measured_is_said() -> None:
    tolerances = report().tolerances
    assert tolerances is not None
    lost = {name: replace(origin, noise=None) for name, origin in tolerances.origins.items() if name != "weights"}
    text = shown(replace(report(), tolerances=replace(tolerances, origins=lost, measured=(), weights=None)))
    assert "The noise floor was not measured: step 1 has no finite reference." in text
    assert re.search(r"grad norm +5\.0e-03 +- +- +1\.0e-01 +2\.0e-02", text)


def test_under_autocast_the_floors_are_those_of_its_dtype() -> None:
    mixed = replace(report(), model=examples.clean().model, config={"training_arguments": {"fp16": True}})
    assert "Each is the larger of a floor for float16 and" in shown(mixed)


def test_an_older_report_does_not_hold_it() -> None:
    given = examples.clean().tolerances
    assert given is not None
    older = replace(given, origins={}, measured=())
    assert "Tolerances: this report does not say where they come from." in shown(
        replace(examples.clean(), tolerances=older)
    )
    assert "Tolerances: " in shown(replace(examples.clean(), tolerances=None))


def test_a_ceiling_that_holds_is_said() -> None:
    tolerances = report().tolerances
    assert tolerances is not None
    held = {**tolerances.origins, "gradient": ToleranceOrigin("ceiling", 0.02, 0.3, 5.0, ceiling=0.1)}
    limited = replace(report(), tolerances=replace(tolerances, gradient=0.1, origins=held))
    assert "the ceiling is used, since that much is not rounding" in " ".join(shown(limited).split())
    assert "the ceiling holds" not in " ".join(shown(report()).split())

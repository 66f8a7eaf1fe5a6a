"""Reports made by hand: every kind of run there is, from a known fault to one that nothing came of."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from accumcheck.record import (
    Before,
    ConfigFile,
    Divergence,
    Finding,
    Report,
    Split,
    SplitBefore,
    TrajectoryPoint,
)

from .runs import clean, llava_449, split, step

__all__ = ["clean", "llava_449", "split", "step"]


def undecided() -> Report:
    """One split crashed and two wanted more devices than there are."""
    report = clean()
    missing: dict[str, Any] = {"steps": (), "sample_weights": None, "loss_rule": None, "gradient_rule": None}
    wanting: dict[str, Any] = {
        "status": "skipped",
        "verdict": "skipped",
        "reason": "needs 8 devices, 4 are here; oversubscribe: true shares them",
        "reason_kind": "not-enough-devices",
        **missing,
    }
    return replace(
        report,
        verdict="error",
        exit_code=3,
        splits=(
            split("1x128x1", control=True),
            split("4x16x2"),
            split(
                "4x8x4",
                status="error",
                verdict="error",
                reason="process 2 ended with exit code 1: OutOfMemoryError: CUDA out of memory",
                reason_kind="out-of-memory",
                log="/home/user/runs/a folder/4x8x4.log",
                **missing,
            ),
            split("8x16x1", **wanting),
            split("8x1x16", **wanting),
        ),
    )


def crashed() -> Report:
    """One split crashed, and its program raised something."""
    report = undecided()
    traceback = (
        '  File "/home/user/train.py", line 12, in <module>',
        "    loss = model(**batch).loss",
        "OutOfMemoryError: CUDA out of memory",
    )
    return replace(report, splits=(*report.splits[:2], replace(report.splits[2], traceback=traceback)))


def not_a_number() -> Report:
    """A split whose loss is NaN at one step, and which reported no loss at another."""
    report = clean()
    good = split("4x16x2")
    broken = (
        good.steps[0],
        replace(
            good.steps[1],
            loss=math.nan,
            grad_norm=math.inf,
            logged_grad_norm=None,
            vs_control=Divergence(math.nan, math.inf, math.nan),
            vs_reference=Divergence(math.nan, math.inf, math.nan),
        ),
        replace(
            good.steps[2],
            loss=None,
            vs_control=Divergence(None, 4.4e-8, 5.2e-8),
            vs_reference=Divergence(None, 4.4e-8, 5.2e-8),
        ),
    )
    return replace(
        report,
        verdict="fail",
        exit_code=1,
        splits=(
            split("1x128x1", control=True),
            replace(good, steps=broken, verdict="fail", sample_weights=None, loss_rule=None, gradient_rule=None),
            split("4x1x32", steps=(), sample_weights=None, verdict="fail"),
        ),
        findings=(
            Finding("not-finite", "fail", ("4x16x2",), "loss is NaN and the gradient norm infinite at step 2"),
            Finding("no-steps", "fail", ("4x1x32",), "no optimizer step was seen"),
        ),
    )


def with_trajectory() -> Report:
    """The failing run, free-running for 100 steps more."""
    report = llava_449()
    factors = {"1x128x1": 1.0, "4x16x2": 2.0, "4x8x4": 4.0, "8x1x16": 16.0, "4x1x32": 32.0}
    return replace(
        report,
        splits=tuple(
            replace(
                one,
                trajectory=tuple(
                    TrajectoryPoint(number, factors[str(one.split)] * (1 + 9.8342 / number), 1.0)
                    for number in range(1, 101)
                ),
            )
            for one in report.splits
        ),
    )


def many(count: int = 40) -> Report:
    """Many splits, one finding that names most of them."""
    report = llava_449()
    control, failed = report.splits[0], report.splits[1]
    splits = (control, *(replace(failed, split=Split(1, 16, k)) for k in range(2, count + 1)))
    finding = replace(report.findings[0], splits=tuple(str(one.split) for one in splits[1:]))
    return replace(report, splits=splits, findings=(finding,))


def skipped(allowed: bool = False) -> Report:
    """Everything agrees but for a split that wants more devices than there are."""
    report = undecided()
    return replace(
        report,
        verdict="pass" if allowed else "skipped",
        exit_code=0 if allowed else 3,
        splits=(*report.splits[:2], report.splits[3]),
    )


def warned(strict: bool = False) -> Report:
    """Tokens counted before the shift: every split is low by the same factor."""
    rule = "unshifted-token-mean"
    report = clean()
    low: dict[str, Any] = {"rule": rule, "verdict": "warn", "gradient": 0.0156, "weights": (0.9844, 0.98, 0.99)}
    return replace(
        report,
        verdict="fail" if strict else "warn",
        exit_code=1 if strict else 0,
        strict=strict,
        splits=tuple(split(label, 0.9844, control=label == "1x128x1", **low) for label in ("1x128x1", "4x16x2")),
        loss_rule=rule,
        gradient_rule=rule,
        findings=(
            Finding(rule, "warn", ("1x128x1", "4x16x2"), "loss 0.98, 0.98 times the reference's", "Counted too many."),
            Finding("logged-grad-norm", "warn", (), "the logged grad_norm is not the norm of the gradient"),
        ),
    )


def no_reference() -> Report:
    """Two splits that agree with each other, and nothing to say that they are right."""
    report = clean()
    alone = tuple(
        replace(
            one,
            verdict="error",
            reason="no reference to compare with",
            steps=tuple(replace(step, vs_reference=Divergence(None, None, None)) for step in one.steps),
            sample_weights=None,
            loss_rule=None,
            gradient_rule=None,
        )
        for one in report.splits[:2]
    )
    why = "the reference could not be computed: out of memory"
    return replace(
        report,
        verdict="error",
        exit_code=3,
        model=None,
        reference=(),
        splits=alone,
        loss_rule=None,
        gradient_rule=None,
        findings=(Finding("no-reference", "error", (), why, "A fault that all splits share would not show."),),
    )


def hotfixed() -> Report:
    """The fault under the hot-fix that leaves a mean of means."""
    worst, rule = Divergence(30.96, 35.12, 35.96), "microbatch-mean"
    old = ("microbatch-mean*k", "microbatch-mean*k")
    mean = split("4x1x32", 0.999, norm=1.14, gradient=0.52, weights=(1.0, 0.46, 6.0), rule=rule, verdict="fail")
    return replace(
        llava_449(),
        splits=(split("1x128x1", control=True, rule=rule), mean),
        loss_rule=rule,
        gradient_rule=rule,
        findings=(Finding(rule, "fail", ("4x1x32",), "gradient off by up to 0.52 of its norm"),),
        before=Before(
            "no-loss-kwargs",
            "a mean of means where lengths differ",
            "fail",
            1,
            *old,
            splits=(
                SplitBefore("1x128x1", "pass", *old, worst=Divergence(3e-8, 4e-8, 5e-8)),
                SplitBefore("4x1x32", "fail", *old, worst=worst),
            ),
        ),
    )


def no_model() -> Report:
    """Nothing ran at all."""
    finding = Finding("no-model", "error", (), "no model: the folder ./my-model does not exist")
    nothing: dict[str, Any] = {"model": None, "reference": (), "tolerances": None, "splits": (), "control": ""}
    nothing |= {"loss_rule": None, "gradient_rule": None, "findings": (finding,)}
    return replace(clean(), verdict="error", exit_code=3, **nothing)


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> \"'> | `a` **b** [c](javascript:alert(3)) $x$ &amp; 100% , :"
)
"""Markup of HTML, Markdown and workflow commands, on one line."""


def hostile() -> Report:
    """Every text that comes from elsewhere tries to be more than text."""
    report = undecided()
    bad = f"{HOSTILE}\x1b[2J\x00\ufffe\r\n::error title=forged::forged\n# forged\n| forged | row |"
    known = {"title": bad, "url": f"javascript:alert('{HOSTILE}')", "affected": bad, "fixed": bad, "workaround": bad}
    finding = Finding(
        id="<b>",
        severity="fail",
        splits=("4x16x2",),
        summary=bad,
        explanation=bad,
        consequence=bad,
        advice=bad,
        loss_rule="<b>",
        gradient_rule="<b>",
        source=bad,
        known=(known,),
    )
    return replace(
        report,
        verdict="fail",
        exit_code=1,
        config={
            **report.config,
            "model": {"name_or_path": bad},
            "training_arguments": {"hub_token": "hf_open", "x": bad},
        },
        config_file=ConfigFile("a,b:c%/<check>.yaml", 3, {"4x16x2": 7}),
        model=replace(report.model, architecture=bad) if report.model else None,
        environment=replace(report.environment, device="cuda", device_name=bad, platform=bad),
        splits=(
            report.splits[0],
            replace(report.splits[1], verdict="fail", loss_rule="<b>", gradient_rule="<b>"),
            replace(report.splits[2], reason=bad, log=bad, traceback=(bad, f"  ```{bad}")),
        ),
        loss_rule="<b>",
        gradient_rule="<b>",
        findings=(finding, replace(finding, splits=())),
    )


def expected() -> Report:
    """The fault of `llava_449`, which the configuration expects."""
    report, reason = llava_449(), "transformers#34191"
    splits = tuple(
        replace(one, verdict="warn", reason="", expected=reason) if one.verdict == "fail" else one
        for one in report.splits
    )
    return replace(
        report,
        verdict="warn",
        exit_code=0,
        config={**report.config, "expect": [{"rule": "microbatch-mean*k", "reason": reason}]},
        splits=splits,
        findings=tuple(replace(one, severity="warn", expected=reason) for one in report.findings),
    )


EVERY = (
    llava_449,
    expected,
    clean,
    undecided,
    crashed,
    not_a_number,
    with_trajectory,
    many,
    skipped,
    warned,
    hotfixed,
    no_reference,
    no_model,
    hostile,
)
"""Every kind of report."""

OURS = tuple(made for made in EVERY if made is not hostile)
"""Those in which every text is accumcheck's own."""

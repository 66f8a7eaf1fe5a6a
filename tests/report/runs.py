"""Two reports made by hand, a fault and a clean run, and what they are made of: splits and steps in round numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from accumcheck.record import (
    Divergence,
    Environment,
    Finding,
    ModelRecord,
    NoiseMeasurement,
    ReferenceStep,
    Report,
    SampleWeights,
    Split,
    SplitResult,
    StepRecord,
    ToleranceOrigin,
    Tolerances,
    WorstParameter,
)

LOSSES = (10.8342, 10.8411, 10.8297)
NORMS = (1.2341, 1.2188, 1.2502)


def step(number: int, loss_factor: float, norm_factor: float, gradient: float, *, control: bool = False) -> StepRecord:
    """One step whose loss and gradient norm are the truth's, times a factor."""
    apart = Divergence(abs(loss_factor - 1) or 3.1e-8, abs(norm_factor - 1) or 4.4e-8, gradient)
    return StepRecord(
        step=number,
        loss=LOSSES[number - 1] * loss_factor,
        grad_norm=NORMS[number - 1] * norm_factor,
        logged_grad_norm=NORMS[number - 1] * norm_factor,
        tokens=3872,
        samples=128,
        worst_parameter=WorstParameter("model.language_model.layers.0.self_attn.q_proj.weight", gradient),
        vs_control=Divergence(0.0, 0.0, 0.0) if control else apart,
        vs_reference=apart,
    )


def split(
    label: str,
    factor: float = 1.0,
    *,
    norm: float | None = None,
    gradient: float = 5.2e-8,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    rule: str = "token-mean",
    control: bool = False,
    **other: Any,
) -> SplitResult:
    """A split that ran three steps alike."""
    values: dict[str, Any] = {
        "split": Split.parse(label),
        "is_control": control,
        "status": "ran",
        "reason": "",
        "verdict": "pass",
        "duration_seconds": 3.2,
        "steps": tuple(
            step(number, factor, factor if norm is None else norm, gradient, control=control) for number in (1, 2, 3)
        ),
        "loss_rule": rule,
        "gradient_rule": rule,
        "sample_weights": SampleWeights(*weights, dropped=(), duplicated=(), residual=6.1e-8, condition=21.7),
    }
    return SplitResult(**{**values, **other})


def llava_449() -> Report:
    """transformers 4.49.0 with LLaVA: the sum over micro-batches is never divided."""
    rule = "microbatch-mean*k"
    failed: dict[str, Any] = {"rule": rule, "verdict": "fail"}
    return Report(
        accumcheck_version="0.1.0",
        verdict="fail",
        exit_code=1,
        started_at="2026-03-01T09:30:00+00:00",
        duration_seconds=41.3,
        environment=Environment(
            python="3.11.7",
            torch="2.13.0",
            transformers="4.49.0",
            accelerate="1.2.1",
            stack_version="4.49.0",
            device="cpu",
            device_name="",
            device_count=0,
            backend="gloo",
            platform="Linux-6.1-x86_64",
        ),
        config={
            "model": {"name_or_path": "llava-hf/llava-1.5-7b-hf", "shrink": True},
            "global_batch_size": 128,
            "steps": 3,
            "stack": "trainer",
        },
        model=ModelRecord("LlavaForConditionalGeneration", 1_243_776, "float32", shrunk=True),
        reference=tuple(
            ReferenceStep(number, loss, norm, tokens=3872, samples=128)
            for number, loss, norm in zip((1, 2, 3), LOSSES, NORMS, strict=True)
        ),
        tolerances=Tolerances(
            2e-6,
            3e-6,
            1e-5,
            Divergence(1.1e-7, 1.6e-7, 4.8e-7),
            origins={
                "loss": ToleranceOrigin("dtype", 2e-6, 1.1e-7, 5.0),
                "grad_norm": ToleranceOrigin("configuration", 2e-6, 1.6e-7, 5.0),
                "gradient": ToleranceOrigin("dtype", 1e-5, 4.8e-7, 5.0),
            },
            measured=(NoiseMeasurement("drawn", 8, 16, Divergence(1.1e-7, 1.6e-7, 4.8e-7)),),
        ),
        control="1x128x1",
        splits=(
            split("1x128x1", rule=rule, control=True, verdict="pass"),
            split("4x16x2", 2.0003, norm=2.0041, gradient=1.0216, weights=(2.0, 1.81, 2.25), **failed),
            split("4x8x4", 4.0011, norm=4.0307, gradient=3.0893, weights=(4.0, 3.35, 4.81), **failed),
            split("8x1x16", 16.002, norm=17.201, gradient=16.904, weights=(16.0, 7.96, 61.8), **failed),
            split("4x1x32", 31.959, norm=36.118, gradient=35.961, weights=(31.96, 15.92, 123.4), **failed),
        ),
        loss_rule=rule,
        gradient_rule=rule,
        alternatives={"loss": [], "gradient": []},
        findings=(
            Finding(
                id="weighting-rule",
                severity="fail",
                splits=("4x16x2", "4x8x4", "8x1x16", "4x1x32"),
                summary="the reported loss and the gradient are 2 to 32 times too large: as many times as there are "
                "accumulation steps (microbatch-mean*k)",
                explanation="The losses of the micro-batches are summed and never divided by the accumulation steps; "
                "inside the sum, samples with few tokens count for more than those with many.",
                loss_rule=rule,
                gradient_rule=rule,
                source="transformers/trainer.py: training_step",
                known=(
                    {
                        "title": "Loss grows with the accumulation steps",
                        "url": "https://github.com/hiyouga/LLaMA-Factory/issues/7443",
                        "affected": "transformers 4.49.0 to 4.51.3",
                        "fixed": "4.57.6",
                        "workaround": "model_accepts_loss_kwargs = False (leaves a mean of means)",
                    },
                ),
            ),
        ),
    )


def clean() -> Report:
    """A run in which every split agrees."""
    report = llava_449()
    return replace(
        report,
        verdict="pass",
        exit_code=0,
        environment=replace(report.environment, transformers="5.23.0", accelerate="1.11.0", stack_version="5.23.0"),
        splits=(split("1x128x1", control=True), split("4x16x2"), split("4x1x32")),
        loss_rule="token-mean",
        gradient_rule="token-mean",
        findings=(),
    )

"""Surveys made by hand."""

from __future__ import annotations

from typing import Any

from accumcheck.record import Environment, Finding, Split
from accumcheck.record.survey import Survey, SurveyedClass, SurveySummary

BERT = {"name": "BertForTokenClassification", "model_type": "bert", "task": "token-classification"}


def surveyed(
    name: str = "LlamaForCausalLM", verdict: Any = "pass", rule: str | None = "token-mean", **more: Any
) -> Any:
    """A class; of one that was not checked, by default one that is not supported."""
    given: dict[str, Any] = {
        "name": name,
        "model_type": "llama",
        "task": "causal-lm",
        "verdict": verdict,
        "loss_rule": rule,
        "gradient_rule": rule,
        "duration_seconds": 1.25,
        "config": {"model": {"architecture": name}},
        **more,
    }
    if verdict == "not checked":
        given = {"reason_kind": "unsupported", "reason": "no samples <b>", **given, "loss_rule": None}
        given["gradient_rule"] = None
    return SurveyedClass(**given)


def failing() -> SurveyedClass:
    finding = Finding(
        "weighting",
        "fail",
        ("1x1x8",),
        loss_rule="microbatch-mean*k",
        gradient_rule="microbatch-mean*k",
        summary="8 times too large",
    )
    return surveyed(**BERT, verdict="fail", rule="microbatch-mean*k", findings=(finding,))


def survey(*classes: SurveyedClass, exit_code: int = 0, **more: Any) -> Survey:
    found = tuple(sorted(classes, key=lambda one: one.name))
    return Survey(
        accumcheck_version="0.1.0",
        exit_code=exit_code,
        started_at="2026-11-26T17:00:00+00:00",
        duration_seconds=12.5,
        environment=Environment(transformers="5.24.0", torch="2.13.0", device="cpu"),
        splits=(Split(1, 8, 1), Split(1, 1, 8)),
        summary=SurveySummary.of(found),
        classes=found,
        **more,
    )


def mixed() -> Survey:
    return survey(surveyed(), failing(), surveyed("OddForThings", "not checked", task="things"), exit_code=1)

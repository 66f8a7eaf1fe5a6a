"""The report as JSON: the structure that other programs read, and back.

JSON has no NaN and no infinity. They are written as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, so that
the text is valid JSON and nothing is lost; null means that there is no value.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import Any

from accumcheck.errors import ConfigError
from accumcheck.record import (
    SCHEMA_VERSION,
    ConfigFile,
    Divergence,
    Environment,
    Finding,
    ModelRecord,
    NoiseMeasurement,
    ProgramRecord,
    ReferenceStep,
    Report,
    SampleWeights,
    Split,
    SplitResult,
    StepRecord,
    ToleranceOrigin,
    Tolerances,
    TrajectoryPoint,
    WorstParameter,
)
from accumcheck.report.before import read_before
from accumcheck.report.redact import without_secrets


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report made of JSON types only, its keys in the order of the documentation."""
    plain: dict[str, Any] = _plain(
        {
            "schema_version": report.schema_version,
            "accumcheck_version": report.accumcheck_version,
            "verdict": report.verdict,
            "exit_code": report.exit_code,
            "strict": report.strict,
            "started_at": report.started_at,
            "duration_seconds": report.duration_seconds,
            "environment": asdict(report.environment),
            "config": without_secrets(report.config),
            "config_file": None if report.config_file is None else asdict(report.config_file),
            "model": None if report.model is None else asdict(report.model),
            "program": None if report.program is None else asdict(report.program),
            "reference": [asdict(step) for step in report.reference],
            "tolerances": None if report.tolerances is None else asdict(report.tolerances),
            "control": report.control,
            "splits": [_split(result) for result in report.splits],
            "loss_rule": report.loss_rule,
            "gradient_rule": report.gradient_rule,
            "alternatives": report.alternatives,
            "findings": [_finding(finding) for finding in report.findings],
            "before": None if report.before is None else asdict(report.before),
        }
    )
    return plain


def report_to_json(report: Report) -> str:
    """The report as JSON text, ASCII only, ending in a line break."""
    return json.dumps(report_to_dict(report), indent=2, allow_nan=False) + "\n"


def report_from_json(text: str) -> Report:
    """The inverse of `report_to_json`. Keys that this version does not know are ignored.

    Raises:
        ConfigError: the text is no JSON, no report, or a report of another major version of the schema.
    """
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"no report: not valid JSON: {error}") from error
    if not isinstance(plain, dict) or "schema_version" not in plain:
        raise ConfigError("no report: a JSON object with schema_version was expected")
    version = str(plain["schema_version"])
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise ConfigError(f"a report of schema version {version}; this accumcheck reads {SCHEMA_VERSION}")
    try:
        return _report(plain)
    except KeyError as error:
        raise ConfigError(f"no whole report: {error.args[0]!r} is missing") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"no whole report: {error}") from error


def _plain(value: Any) -> Any:
    """``value`` made of JSON types; non-finite numbers as strings."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _split(result: SplitResult) -> dict[str, Any]:
    weights = result.sample_weights
    order = ("scale", "min", "max", "dropped", "duplicated", "condition", "residual", "values")
    return {
        "split": str(result.split),
        "per_device_train_batch_size": result.split.per_device_train_batch_size,
        "gradient_accumulation_steps": result.split.gradient_accumulation_steps,
        "num_processes": result.split.num_processes,
        "is_control": result.is_control,
        "status": result.status,
        "reason": result.reason,
        "verdict": result.verdict,
        "duration_seconds": result.duration_seconds,
        "steps": [asdict(step) for step in result.steps],
        "loss_rule": result.loss_rule,
        "gradient_rule": result.gradient_rule,
        "sample_weights": None if weights is None else {name: getattr(weights, name) for name in order},
        "trajectory": [asdict(point) for point in result.trajectory],
        "log": result.log,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    order = (
        *("id", "severity", "splits", "loss_rule", "gradient_rule", "summary", "explanation", "consequence", "advice"),
        *("source", "known"),
    )
    return {name: getattr(finding, name) for name in order}


def _report(plain: dict[str, Any]) -> Report:
    return Report(
        schema_version=str(plain["schema_version"]),
        accumcheck_version=plain["accumcheck_version"],
        verdict=plain["verdict"],
        exit_code=int(plain["exit_code"]),
        started_at=plain["started_at"],
        duration_seconds=float(plain["duration_seconds"]),
        environment=Environment(**_known_fields(Environment, plain["environment"])),
        config=dict(plain["config"]),
        model=None if plain["model"] is None else ModelRecord(**_known_fields(ModelRecord, plain["model"])),
        reference=tuple(
            ReferenceStep(
                step["step"], float(step["loss"]), float(step["grad_norm"]), int(step["tokens"]), int(step["samples"])
            )
            for step in plain["reference"]
        ),
        tolerances=None if plain["tolerances"] is None else _read_tolerances(plain["tolerances"]),
        control=plain["control"],
        splits=tuple(_read_split(split) for split in plain["splits"]),
        loss_rule=plain["loss_rule"],
        gradient_rule=plain["gradient_rule"],
        alternatives={key: list(rules) for key, rules in plain["alternatives"].items()},
        findings=tuple(_read_finding(finding) for finding in plain["findings"]),
        strict=bool(plain.get("strict", False)),
        config_file=None if plain.get("config_file") is None else ConfigFile(**plain["config_file"]),
        before=read_before(plain.get("before")),
        program=_read_program(plain.get("program")),
    )


def _read_program(plain: dict[str, Any] | None) -> ProgramRecord | None:
    return None if plain is None else ProgramRecord(tuple(plain["split_set_by"]), plain["sample"])


def _known_fields(record: type[Any], plain: dict[str, Any]) -> dict[str, Any]:
    return {one.name: plain[one.name] for one in fields(record)}


def _number(value: float | str | None) -> float | None:
    return None if value is None else float(value)


def _divergence(plain: dict[str, Any]) -> Divergence:
    loss, norm, gradient = (_number(plain[name]) for name in ("loss", "grad_norm", "gradient"))
    return Divergence(loss, norm, gradient, _number(plain.get("weights")))


def _read_tolerances(plain: dict[str, Any]) -> Tolerances:
    return Tolerances(
        loss=float(plain["loss"]),
        grad_norm=float(plain["grad_norm"]),
        gradient=float(plain["gradient"]),
        noise_floor=_divergence(plain["noise_floor"]),
        weights=_number(plain.get("weights")),
        origins={
            name: ToleranceOrigin(
                origin["chosen"],
                float(origin["floor"]),
                _number(origin["noise"]),
                float(origin["safety"]),
                float(origin["rounding"]),
            )
            for name, origin in plain.get("origins", {}).items()
        },
        measured=tuple(
            NoiseMeasurement(one["order"], one["samples_at_once"], one["accumulation_steps"], _divergence(one["apart"]))
            for one in plain.get("measured", ())
        ),
    )


def _read_split(plain: dict[str, Any]) -> SplitResult:
    return SplitResult(
        split=Split.parse(plain["split"]),
        is_control=bool(plain["is_control"]),
        status=plain["status"],
        reason=plain["reason"],
        verdict=plain["verdict"],
        duration_seconds=float(plain["duration_seconds"]),
        steps=tuple(_read_step(step) for step in plain["steps"]),
        loss_rule=plain["loss_rule"],
        gradient_rule=plain["gradient_rule"],
        sample_weights=None if plain["sample_weights"] is None else _read_weights(plain["sample_weights"]),
        trajectory=tuple(
            TrajectoryPoint(int(point["step"]), _number(point["loss"]), _number(point["grad_norm"]))
            for point in plain["trajectory"]
        ),
        log=plain["log"],
    )


def _read_step(plain: dict[str, Any]) -> StepRecord:
    worst = plain["worst_parameter"]
    return StepRecord(
        step=int(plain["step"]),
        loss=_number(plain["loss"]),
        grad_norm=_number(plain["grad_norm"]),
        logged_grad_norm=_number(plain["logged_grad_norm"]),
        tokens=int(plain["tokens"]),
        samples=int(plain["samples"]),
        worst_parameter=None if worst is None else WorstParameter(worst["name"], float(worst["gradient"])),
        vs_control=_divergence(plain["vs_control"]),
        vs_reference=_divergence(plain["vs_reference"]),
    )


def _read_weights(plain: dict[str, Any]) -> SampleWeights:
    return SampleWeights(
        scale=float(plain["scale"]),
        min=float(plain["min"]),
        max=float(plain["max"]),
        dropped=tuple(plain["dropped"]),
        duplicated=tuple(plain["duplicated"]),
        residual=float(plain["residual"]),
        condition=float(plain["condition"]),
        values=tuple(map(float, plain.get("values", ()))),
    )


def _read_finding(plain: dict[str, Any]) -> Finding:
    values = _known_fields(Finding, {"consequence": "", "advice": "", **plain})  # which older reports lack
    return Finding(**{**values, "splits": tuple(values["splits"]), "known": tuple(values["known"])})

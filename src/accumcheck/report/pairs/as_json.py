"""Two reports beside each other as JSON, and the JSON Schema of that."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from accumcheck.record import SCHEMA_VERSION
from accumcheck.report.as_json import report_to_dict
from accumcheck.report.schema import report_schema

if TYPE_CHECKING:
    from accumcheck.record.comparison import Change, Changes, Comparison

Schema = dict[str, Any]
_RULES = ("loss_rule", "gradient_rule")


def text(comparison: Comparison) -> str:
    """The whole comparison, both reports of every check in it, as JSON text ending in a line break."""
    return json.dumps(to_dict(comparison), indent=2, allow_nan=False) + "\n"


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison made of JSON types; numbers that are not finite are strings, as in reports."""
    return {
        "schema_version": SCHEMA_VERSION,
        "from": comparison.old,
        "to": comparison.new,
        "allow_drift": comparison.allow_drift,
        "results": [
            {
                "config": pair.config,
                "exit_code": pair.exit_code,
                "from": report_to_dict(pair.old),
                "to": report_to_dict(pair.new),
                "changes": _changes(pair.changes),
            }
            for pair in comparison.pairs
        ],
        "exit_code": comparison.exit_code,
    }


def schema() -> Schema:
    """The schema (JSON Schema 2020-12) that the JSON of ``upgrade`` and ``compare`` satisfies."""
    report = report_schema()
    defs: dict[str, Schema] = {**report.pop("$defs"), "changes": _changes_schema()}
    draft = report.pop("$schema")
    exit_code: Schema = {"enum": [0, 1, 3], "description": "1: a new one fails or drifts, 3: could not be decided."}
    result = _object(
        config={"type": "string", "description": "The configuration's file; of saved reports, the new one's file."},
        exit_code=exit_code,
        **{"from": {"$ref": "#/$defs/report"}, "to": {"$ref": "#/$defs/report"}},
        changes={"$ref": "#/$defs/changes"},
    )
    return {
        "$schema": draft,
        "title": "accumcheck comparison",
        "description": "Two reports of each check beside each other: what `accumcheck upgrade` and `accumcheck "
        "compare` write. Numbers that are not finite are the strings NaN, Infinity and -Infinity.",
        **_object(
            schema_version={"const": SCHEMA_VERSION},
            **{"from": {"type": "string"}, "to": {"type": "string"}},
            allow_drift={"type": "boolean", "description": "A reference that drifts is no failure."},
            results={"type": "array", "items": result},
            exit_code=exit_code,
        ),
        "$defs": {**defs, "report": report},
    }


def _changes(changes: Changes) -> dict[str, Any]:
    drift = changes.drift
    return {
        "broken": changes.broken,
        "undecided": changes.undecided,
        "verdict": _change(changes.verdict),
        **{name: _change(getattr(changes, name)) for name in _RULES},
        "worst": _change(changes.worst),
        "splits": [
            {
                "split": split.split,
                "verdict": _change(split.verdict),
                **{name: _change(getattr(split, name)) for name in _RULES},
                "worst": _change(split.worst),
            }
            for split in changes.splits
        ],
        "only_from": list(changes.only_old),
        "only_to": list(changes.only_new),
        "findings_gone": [finding.id for finding in changes.findings_gone],
        "findings_new": [finding.id for finding in changes.findings_new],
        "findings_kept": [finding.id for finding in changes.findings_kept],
        "reference": None
        if drift is None
        else {
            "drifts": changes.drifts,
            "loss": _plain(drift.loss),
            "grad_norm": _plain(drift.grad_norm),
            "allowed_loss": _plain(drift.allowed_loss),
            "allowed_grad_norm": _plain(drift.allowed_grad_norm),
            "tokens": None if drift.tokens is None else _change(drift.tokens),
        },
        "reference_note": changes.no_drift_because,
        "notes": list(changes.notes),
    }


def _change(change: Change[Any]) -> dict[str, Any]:
    return {"from": _plain(change.old), "to": _plain(change.new)}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(one) for name, one in asdict(value).items()}
    return value


def _object(description: str = "", /, **properties: Schema) -> Schema:
    head: Schema = {"description": description} if description else {}
    return {
        **head,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _both(of: Schema, description: str = "") -> Schema:
    return _object(description, **{"from": of, "to": of})


def _changes_schema() -> Schema:
    verdict: Schema = {"enum": ["pass", "warn", "fail", "error", "skipped"]}
    rule: Schema = {"type": ["string", "null"]}
    strings: Schema = {"type": "array", "items": {"type": "string"}}
    number: Schema = {"$ref": "#/$defs/number"}
    common: dict[str, Schema] = {
        "verdict": _both(verdict),
        **{name: _both(rule) for name in _RULES},
        "worst": _both({"$ref": "#/$defs/divergence"}, "The largest differences from the reference."),
    }
    reference = _object(
        "How far the reference itself moved: relative differences, and what rounding may make of them.",
        drifts={"type": "boolean"},
        loss=number,
        grad_norm=number,
        allowed_loss=number,
        allowed_grad_norm=number,
        tokens={"anyOf": [_both({"$ref": "#/$defs/count"}), {"type": "null"}]},
    )
    return _object(
        broken={"type": "boolean", "description": "The new one fails where the old one did not."},
        undecided={"type": "boolean", "description": "One of the two could not be decided."},
        **common,
        splits={"type": "array", "items": _object(split={"$ref": "#/$defs/label"}, **common)},
        only_from=strings,
        only_to=strings,
        findings_gone=strings,
        findings_new=strings,
        findings_kept=strings,
        reference={"anyOf": [reference, {"type": "null"}]},
        reference_note={"type": "string", "description": "Why drift says nothing, or could not be told; may be empty."},
        notes=strings,
    )

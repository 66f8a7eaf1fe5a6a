"""A search over releases as JSON, and the JSON Schema of that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from accumcheck.record import SCHEMA_VERSION
from accumcheck.report.as_json import report_to_dict
from accumcheck.report.bisections.words import release_notes, state
from accumcheck.report.schema import report_schema

if TYPE_CHECKING:
    from accumcheck.record.bisection import Bisection, Step, Tried

Schema = dict[str, Any]


def text(bisection: Bisection) -> str:
    """The whole search, with the reports on both sides of the change, as JSON text ending in a line break."""
    return json.dumps(to_dict(bisection), indent=2, allow_nan=False) + "\n"


def to_dict(bisection: Bisection) -> dict[str, Any]:
    """The search made of JSON types."""
    return {
        "schema_version": SCHEMA_VERSION,
        "config": bisection.config,
        "find": bisection.find,
        "found": bisection.found,
        "candidates": list(bisection.candidates),
        "release_notes": release_notes(bisection),
        "bad_means": bisection.meaning,
        "earlier": [{"bad_meant": meaning, "until": release} for meaning, release in bisection.earlier],
        "steps": [_step(step) for step in bisection.steps],
        "before": _side(bisection.before),
        "after": _side(bisection.after),
        "exit_code": bisection.exit_code,
    }


def _step(step: Step) -> dict[str, Any]:
    one, report = step.tried, step.tried.report
    return {
        "release": one.release,
        "state": state(one, step.bad),
        "bad_means": step.meaning,
        "verdict": None if report is None else report.verdict,
        "loss_rule": None if report is None else report.loss_rule,
        "gradient_rule": None if report is None else report.gradient_rule,
        "reason": one.reason,
        "kept": one.kept,
        "seconds": one.seconds,
    }


def _side(one: Tried) -> dict[str, Any]:
    return {"release": one.release, "report": None if one.report is None else report_to_dict(one.report)}


def schema() -> Schema:
    """The schema (JSON Schema 2020-12) that the JSON of ``bisect`` satisfies."""
    report = report_schema()
    defs: dict[str, Schema] = report.pop("$defs")
    draft = report.pop("$schema")
    text_: Schema = {"type": "string"}
    rule: Schema = {"type": ["string", "null"]}
    step = _object(
        "One release that was tried, in the order of the search.",
        release=text_,
        state={"enum": ["good", "bad", "other", "skipped"], "description": "other: fails, but not as is looked for."},
        bad_means={"type": "string", "description": "What makes a release a bad one, at this step."},
        verdict={"enum": ["pass", "warn", "fail", "error", "skipped", None]},
        loss_rule=rule,
        gradient_rule=rule,
        reason={"type": "string", "description": "Why it could not be decided; empty where it was."},
        kept={"type": "boolean", "description": "It is from an earlier search."},
        seconds={"type": "number", "minimum": 0, "description": "What it took, its environment included."},
    )
    side = _object(
        "A release beside the change, with its report; null: there is none.",
        release=text_,
        report={"anyOf": [{"$ref": "#/$defs/report"}, {"type": "null"}]},
    )
    return {
        "$schema": draft,
        "title": "accumcheck bisection",
        "description": "A search over releases: what `accumcheck bisect` writes.",
        **_object(
            "",
            schema_version={"const": SCHEMA_VERSION},
            config={"type": "string", "description": "The configuration's file."},
            find={"enum": ["broken", "fixed"]},
            found={"type": ["string", "null"], "description": "The first bad or fixed release; null: not decided."},
            candidates={"type": "array", "items": text_, "minItems": 1, "description": "Those that it may be."},
            release_notes={"type": "array", "items": text_, "description": "Addresses, one for each candidate."},
            bad_means=text_,
            earlier={
                "type": "array",
                "description": "With find: fixed, the faults that ended before the one at the end.",
                "items": _object("", bad_meant=text_, until=text_),
            },
            steps={"type": "array", "items": step},
            before=side,
            after=side,
            exit_code={"enum": [0, 3], "description": "3: only releases that could not be decided are left."},
        ),
        "$defs": {**defs, "report": report},
    }


def _object(description: str, /, **properties: Schema) -> Schema:
    head: Schema = {"description": description} if description else {}
    return {
        **head,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }

"""The JSON Schema of the report, for programs that read it."""

from __future__ import annotations

from typing import Any

from accumcheck.record import SCHEMA_VERSION

Schema = dict[str, Any]

_VERDICTS = ["pass", "warn", "fail", "error", "skipped"]


def report_schema() -> Schema:
    """The schema (JSON Schema 2020-12) that every report of this version satisfies."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "accumcheck report",
        "description": "The result of one check. Numbers that are not finite are the strings NaN, Infinity and "
        "-Infinity, since JSON has none; null means that there is no value.",
        **_object(
            schema_version={"const": SCHEMA_VERSION},
            accumcheck_version={"type": "string"},
            verdict={"enum": _VERDICTS, "description": "Of the run as a whole."},
            exit_code={"enum": [0, 1, 2, 3, 130], "description": "0 passed, 1 diverges, 3 could not be decided."},
            strict={"type": "boolean", "description": "A warning counts as a failure."},
            started_at={"type": "string", "description": "ISO 8601, with the offset from UTC."},
            duration_seconds=_ref("number"),
            environment=_environment(),
            config={
                "type": "object",
                "description": "The resolved configuration, in canonical names, without secrets.",
            },
            config_file=_or_null(_config_file(), "Null: the configuration was in no file."),
            model=_or_null(_model(), "Null: nothing ran to its end."),
            program=_or_null(_program(), "Null: the stack is no program of the user's, or none of it ran."),
            reference=_list(_reference(), "The independent truth, one entry per optimizer step."),
            tolerances=_or_null(_tolerances(), "Null: nothing was compared."),
            control={"type": "string", "description": "The split that the others are compared with; may be empty."},
            splits=_list(_split(), "In the order of the configuration."),
            loss_rule=_rule("How the run's reported losses are weighted; null: no rule fits every split."),
            gradient_rule=_rule("How the run's gradients are weighted; null: no rule fits every split."),
            alternatives=_object(
                "Other rules that fit as well and so cannot be told apart here.",
                loss=_list({"type": "string"}),
                gradient=_list({"type": "string"}),
            ),
            findings=_list(_finding(), "What is wrong, one entry per fault."),
            before=_or_null(_before(), "Null: no hot-fix was applied."),
        ),
        "$defs": {
            "number": {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]},
            "measure": {"anyOf": [{"$ref": "#/$defs/number"}, {"type": "null"}]},
            "count": {"type": "integer", "minimum": 0},
            "label": {"type": "string", "pattern": "^[1-9][0-9]*x[1-9][0-9]*x[1-9][0-9]*$"},
            "divergence": _object(
                "Relative differences; the gradient's is the norm of the difference over the norm.",
                loss=_ref("measure"),
                grad_norm=_ref("measure"),
                gradient=_ref("measure"),
                weights=_ref("measure", "The part of the gradient's that is in how samples are weighted."),
            ),
        },
    }


def _object(description: str = "", /, **properties: Schema) -> Schema:
    """An object with exactly these properties, all of them required."""
    schema: Schema = {"description": description} if description else {}
    return {
        **schema,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Schema, description: str = "") -> Schema:
    schema: Schema = {"description": description} if description else {}
    return {**schema, "type": "array", "items": items}


def _or_null(schema: Schema, description: str) -> Schema:
    return {"description": description, "anyOf": [schema, {"type": "null"}]}


def _ref(name: str, description: str = "") -> Schema:
    schema: Schema = {"$ref": f"#/$defs/{name}"}
    return {**schema, "description": description} if description else schema


def _rule(description: str) -> Schema:
    return {"type": ["string", "null"], "description": description}


def _environment() -> Schema:
    words = ("python", "torch", "transformers", "accelerate", "stack_version", "device", "device_name")
    strings: dict[str, Schema] = {name: {"type": "string"} for name in words}
    return _object(
        "Versions and devices; an empty string is not known.",
        **strings,
        device_count=_ref("count"),
        backend={"type": "string"},
        platform={"type": "string"},
    )


def _before() -> Schema:
    rules = {
        "loss_rule": _rule("How reported losses were weighted."),
        "gradient_rule": _rule("How gradients were weighted."),
    }
    verdict: Schema = {"enum": _VERDICTS}
    split = _object(split=_ref("label"), verdict=verdict, **rules, worst=_ref("divergence", "From the reference."))
    return _object(
        "What the run came to without the hot-fix; the rest of the report is of the run with it.",
        hotfix={"type": "string"},
        price={"type": "string", "description": "What the hot-fix costs."},
        verdict=verdict,
        exit_code={"enum": [0, 1, 3]},
        **rules,
        splits=_list(split),
    )


def _config_file() -> Schema:
    line: Schema = {"type": "integer", "minimum": 1}
    return _object(
        "Where the configuration was written.",
        path={"type": "string", "description": "As the user gave it."},
        line={**line, "description": "Of the splits as a whole."},
        splits={"type": "object", "description": "The line of each split.", "additionalProperties": line},
    )


def _model() -> Schema:
    return _object(
        architecture={"type": "string"},
        parameters=_ref("count"),
        dtype={"type": "string"},
        shrunk={"type": "boolean", "description": "The same architecture in tiny sizes."},
    )


def _program() -> Schema:
    where = "TrainingArguments, the command line, or the name of a YAML file."
    return _object(
        "How the user's program was run.",
        split_set_by=_list({"type": "string", "description": where}, "Where it found the split's numbers."),
        sample={
            "type": "string",
            "description": "What is taken for one sample: row, packed row, text of a padding-free row, or pair.",
        },
    )


def _reference() -> Schema:
    return _object(
        step=_ref("count", "The optimizer step's number."),
        loss=_ref("number", "Mean over all predicted tokens of the global batch."),
        grad_norm=_ref("number", "The norm of that loss's gradient."),
        tokens=_ref("count", "Predicted tokens."),
        samples=_ref("count", "Rows of the global batch."),
    )


def _tolerances() -> Schema:
    return _object(
        loss=_ref("number", "Relative difference allowed."),
        grad_norm=_ref("number", "Relative difference allowed."),
        gradient=_ref("number", "Relative difference allowed."),
        noise_floor=_ref("divergence", "What floating point alone does here, as measured."),
        weights=_ref("measure", "Relative difference allowed; null: the weights' noise was not measured."),
        origins={
            "type": "object",
            "description": "Where each tolerance comes from, by its name.",
            "additionalProperties": _object(
                "The larger of floor and safety * noise + rounding, unless the configuration gives a number.",
                chosen={"enum": ["configuration", "dtype", "noise"], "description": "dtype: its floor."},
                floor=_ref("number", "Never tighter than this in the model's dtype."),
                noise=_ref("measure", "As measured; null: it could not be."),
                safety=_ref("number", "Times the noise."),
                rounding=_ref("number", "How coarsely the stack rounds the losses it reports, relative."),
            ),
        },
        measured=_list(_noise(), "What the noise floor is the largest of."),
    )


def _noise() -> Schema:
    return _object(
        "The first step's batch once more, computed without the stack, beside the sum of its single samples.",
        order={"type": "string"},
        samples_at_once=_ref("count"),
        accumulation_steps=_ref("count"),
        apart=_ref("divergence"),
    )


def _split() -> Schema:
    return _object(
        split=_ref("label", "processes x per-device batch x accumulation steps"),
        per_device_train_batch_size=_ref("count"),
        gradient_accumulation_steps=_ref("count"),
        num_processes=_ref("count"),
        is_control={"type": "boolean"},
        status={"enum": ["ran", "skipped", "error"]},
        reason={"type": "string", "description": "Why it did not run; else empty."},
        verdict={"enum": _VERDICTS},
        duration_seconds=_ref("number"),
        steps=_list(_step()),
        loss_rule=_rule("The run's rule where it fits this split, else this split's own; null: none fits."),
        gradient_rule=_rule("The run's rule where it fits this split, else this split's own; null: none fits."),
        sample_weights=_or_null(_sample_weights(), "Null: the weights could not be recovered."),
        trajectory=_list(_point(), "Free-running steps with the real optimizer; for plots, not for the verdict."),
        log={"type": "string", "description": "The file with what the processes printed; may be empty."},
    )


def _step() -> Schema:
    worst = _object(name={"type": "string"}, gradient=_ref("number"))
    return _object(
        step=_ref("count", "The optimizer step's number."),
        loss=_ref("measure", "As the stack reported it to the user."),
        grad_norm=_ref("measure", "Of the gradient that the optimizer received, before clipping."),
        logged_grad_norm=_ref("measure", "As the stack logged it."),
        tokens=_ref("count"),
        samples=_ref("count"),
        worst_parameter=_or_null(worst, "The parameter whose gradient differs most from the reference's."),
        vs_control=_ref("divergence"),
        vs_reference=_ref("divergence"),
    )


def _sample_weights() -> Schema:
    return _object(
        "The coefficients with which the samples entered the gradient, as ratios to the ideal; 1 = right.",
        scale=_ref("number", "Sum of all weights over the sum of the ideal ones."),
        min=_ref("number", "Smallest of a single sample."),
        max=_ref("number", "Largest of a single sample."),
        dropped=_list({"type": "integer"}, "Samples with weight 0."),
        duplicated=_list({"type": "integer"}, "Samples that counted twice."),
        condition=_ref("number", "Condition number of the least-squares system; large: the weights are unsure."),
        residual=_ref("number", "Part of the gradient that no weighting explains, relative to its norm."),
        values=_list(_ref("number"), "Of every sample of the first step, in the order of their indices."),
    )


def _point() -> Schema:
    return _object(step=_ref("count"), loss=_ref("measure"), grad_norm=_ref("measure"))


def _finding() -> Schema:
    return _object(
        id={"type": "string"},
        severity={"enum": ["ignore", "warn", "fail", "error"]},
        splits=_list(_ref("label"), "Empty: the run as a whole."),
        loss_rule=_rule("The weighting rule of the reported loss, if this is about one."),
        gradient_rule=_rule("The weighting rule of the gradient, if this is about one."),
        summary={"type": "string", "description": "What is wrong and how much, in one sentence."},
        explanation={"type": "string", "description": "What the stack does, and why as far as it was seen."},
        consequence={"type": "string", "description": "What this does to training; may be empty."},
        advice={"type": "string", "description": "What to do; may be empty."},
        source={"type": ["string", "null"], "description": "The line of code that computes it, file:line."},
        known=_list(_known(), "Published faults that this is: release, rule and architecture fit."),
    )


def _known() -> Schema:
    return _object(
        title={"type": "string"},
        url={"type": "string"},
        affected={"type": "string", "description": "Packages and their releases, as PEP 440 specifiers."},
        fixed={"type": "string", "description": "The release that cures it, or the last known not to."},
        workaround={"type": "string"},
    )

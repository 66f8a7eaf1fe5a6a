"""The JSON report: the contract's structure, valid JSON, and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from accumcheck.errors import ConfigError
from accumcheck.record import ProgramRecord
from accumcheck.saved.reports import report_from_json, report_schema, report_to_json
from tests.report import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from accumcheck.record import Report

KEYS = (
    "schema_version accumcheck_version verdict exit_code strict started_at duration_seconds environment config "
    "config_file model program reference tolerances control splits loss_rule gradient_rule alternatives accuracy "
    "not_tested findings before"
)
SPLIT_KEYS = (
    "split per_device_train_batch_size gradient_accumulation_steps num_processes is_control status reason reason_kind "
    "traceback expected verdict duration_seconds steps loss_rule gradient_rule updates sample_weights "
    "parameters trajectory log"
)
STEP_KEYS = "step loss grad_norm logged_grad_norm tokens samples worst_parameter vs_control vs_reference"
TOLERANCE_KEYS = "loss grad_norm gradient noise_floor weights origins measured loss_rounding sample"
WEIGHT_KEYS = "scale min max dropped duplicated condition residual values"
FINDING_KEYS = "id severity splits loss_rule gradient_rule summary explanation consequence advice expected source known"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(report_schema())


@pytest.mark.parametrize("report", examples.EVERY)
def test_satisfies_the_schema(report: Callable[[], Report]) -> None:
    Draft202012Validator(report_schema()).validate(json.loads(report_to_json(report())))


def test_a_report_without_a_model_satisfies_the_schema() -> None:
    report = replace(examples.clean(), model=None, reference=(), tolerances=None, splits=(), control="")
    Draft202012Validator(report_schema()).validate(json.loads(report_to_json(report)))
    assert report_from_json(report_to_json(report)) == report


def test_keys_stand_in_the_documented_order() -> None:
    plain = json.loads(report_to_json(examples.llava_449()))
    split = plain["splits"][1]
    assert list(plain) == KEYS.split()
    assert list(split) == SPLIT_KEYS.split()
    assert list(split["steps"][0]) == STEP_KEYS.split()
    assert list(split["sample_weights"]) == WEIGHT_KEYS.split()
    assert list(plain["findings"][0]) == FINDING_KEYS.split()
    assert list(plain["tolerances"]) == TOLERANCE_KEYS.split()
    assert list(plain["reference"][0]) == ["step", "loss", "grad_norm", "tokens", "samples"]


def test_the_schema_lists_the_same_keys_in_the_same_order() -> None:
    schema = report_schema()
    keys = {name: list(of["properties"]) for name, of in schema["$defs"].items() if "properties" in of}
    assert list(schema["properties"]) == KEYS.split()
    assert keys["SplitResult"] == SPLIT_KEYS.split()
    assert keys["StepRecord"] == STEP_KEYS.split()
    assert keys["SampleWeights"] == WEIGHT_KEYS.split()
    assert keys["Finding"] == FINDING_KEYS.split()
    assert keys["Tolerances"] == TOLERANCE_KEYS.split()
    assert keys["KnownFault"] == ["title", "url", "affected", "fixed", "workaround"]


def test_a_split_is_its_label_with_the_three_numbers_beside_it() -> None:
    split = json.loads(report_to_json(examples.llava_449()))["splits"][1]
    assert split["split"] == "4x16x2"
    assert (split["num_processes"], split["per_device_train_batch_size"], split["gradient_accumulation_steps"]) == (
        4,
        16,
        2,
    )
    assert split["verdict"] == "fail"
    assert split["steps"][0]["loss"] == pytest.approx(10.8342 * 2.0003)
    assert split["sample_weights"]["scale"] == 2.0


@pytest.mark.parametrize(
    "report", [each for each in examples.EVERY if each not in (examples.not_a_number, examples.hostile)]
)
def test_round_trip(report: Callable[[], Report]) -> None:
    assert report_from_json(report_to_json(report())) == report()


def test_numbers_that_are_not_finite_survive_as_strings() -> None:
    text = report_to_json(examples.not_a_number())
    step = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["splits"][1]["steps"][1]
    assert (step["loss"], step["grad_norm"], step["logged_grad_norm"]) == ("NaN", "Infinity", None)
    back = report_from_json(text).splits[1].steps[1]
    assert back.loss is not None
    assert math.isnan(back.loss)
    assert back.grad_norm == math.inf
    assert back.logged_grad_norm is None
    assert report_to_json(report_from_json(text)) == text


def test_text_is_ascii_and_ends_in_a_line_break() -> None:
    report = replace(examples.clean(), config={"model": {"name_or_path": "Modell-Ü", "limit": -math.inf}})
    text = report_to_json(report)
    assert text.isascii()
    assert text.endswith("}\n")
    assert json.loads(text)["config"] == {"model": {"name_or_path": "Modell-Ü", "limit": "-Infinity"}}


def test_unknown_keys_are_ignored() -> None:
    plain = json.loads(report_to_json(examples.clean()))
    plain["later"] = plain["environment"]["later"] = plain["splits"][0]["later"] = 1
    assert report_from_json(json.dumps(plain)) == examples.clean()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected a JSON object with schema_version"),
        ('{"verdict": "pass"}', "expected a JSON object with schema_version"),
        ('{"schema_version": "2.0"}', "schema version 2.0; accumcheck .* reads versions 1.x"),
        ('{"schema_version": "1.0"}', "accumcheck_version: found nothing, expected a text"),
        (
            report_to_json(examples.clean()).replace('"4x16x2"', '"4x16"'),
            r'splits\[1\]\.split: found "4x16", expected a split, n x b x k',
        ),
        (
            report_to_json(examples.clean()).replace('"exit_code": 0', '"exit_code": null'),
            "exit_code: found null, expected 0, 1, 2",
        ),
    ],
)
def test_what_is_no_report_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        report_from_json(text)


def test_how_a_program_was_run_comes_back() -> None:
    report = replace(examples.clean(), program=ProgramRecord(("the command line", "train.yaml"), "packed row"))
    plain = json.loads(report_to_json(report))
    Draft202012Validator(report_schema()).validate(plain)
    assert plain["program"] == {
        "split_set_by": ["the command line", "train.yaml"],
        "sample": "packed row",
        "random_collators": [],
    }
    assert report_from_json(json.dumps(plain)) == report

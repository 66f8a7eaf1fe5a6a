"""JUnit XML: valid, honest about what did not run, and whole whatever logs hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
import xmlschema

from accumcheck.record import ConfigFile, Divergence
from tests.report import examples, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from accumcheck.record import Report

text = partial(written.text, name="junit")
SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))
METRICS = ("loss", "grad_norm", "gradient")


def outcomes(report: Report) -> dict[str, str]:
    """What became of every case, by its name."""
    root = ElementTree.fromstring(text(report))
    kinds = ("failure", "error", "skipped")
    return {
        case.attrib["name"]: next((kind for kind in kinds if case.find(kind) is not None), "passed")
        for case in root.iter("testcase")
    }


def test_an_expected_failure_is_skipped_with_its_reason() -> None:
    report = replace(examples.expected(), strict=True)
    of = outcomes(report)
    assert (of["1x128x1 loss"], of["4x16x2 loss"]) == ("passed", "skipped")
    assert "failure" not in of.values()
    said = element(report, "4x16x2 loss", "skipped").attrib["message"]
    assert said.startswith("expected failure (transformers#34191): loss: x 2.00 vs control")


def element(report: Report, case: str, kind: str) -> ElementTree.Element:
    found = ElementTree.fromstring(text(report)).find(f".//testcase[@name='{case}']/{kind}")
    assert found is not None
    return found


def test_the_schema_takes_what_pytest_itself_writes_and_refuses_what_it_must(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('no')")
    pytester.runpytest_inprocess("--junitxml=it.xml")
    SCHEMA.validate(str(pytester.path / "it.xml"))
    good = text(examples.llava_449())
    for bad in (
        good.replace("<failure", "<broken").replace("</failure", "</broken"),
        good.replace('tests="15"', 'tests="many"'),
        good.replace("</failure>", '</failure><skipped message="both" />', 1),
    ):
        assert not SCHEMA.is_valid(bad)


@pytest.mark.parametrize("report", examples.EVERY)
def test_every_report_is_valid_and_its_counts_are_right(report: Callable[[], Report]) -> None:
    whole = text(report())
    assert whole.isascii()
    SCHEMA.validate(whole)
    found = outcomes(report())
    count = Counter(found.values())
    for level in ("testsuites", "testsuite"):
        tag = next(ElementTree.fromstring(whole).iter(level)).attrib
        assert (int(tag["tests"]), int(tag["failures"]), int(tag["errors"])) == (
            len(list(ElementTree.fromstring(whole).iter("testcase"))),
            count["failure"],
            count["error"],
        )


@pytest.mark.parametrize("report", examples.EVERY)
def test_a_run_that_did_not_pass_has_a_case_that_did_not(report: Callable[[], Report]) -> None:
    broken = {"failure", "error"} & set(outcomes(report()).values())
    assert bool(broken) == (report().exit_code != 0)


def test_one_case_per_split_and_metric() -> None:
    splits = ("1x128x1", "4x16x2", "4x8x4", "8x1x16", "4x1x32")
    expected = {f"{split} {metric}": "failure" for split in splits for metric in METRICS}
    expected |= {f"1x128x1 {metric}": "passed" for metric in METRICS}
    assert outcomes(examples.llava_449()) == expected


def test_a_failure_says_how_much_of_what_is_allowed_and_why() -> None:
    failure = element(examples.llava_449(), "4x16x2 loss", "failure")
    assert failure.attrib["type"] == "microbatch-mean*k"
    # 10.8342 * 2.0003 = 21.67, 10.8411 * 2.0003 = 21.69, 10.8297 * 2.0003 = 21.66
    assert failure.attrib["message"] == (
        "loss: x 2.00 vs control, x 2.00 vs reference; tolerance 2.0e-06; by step 21.67, 21.69, 21.66"
    )
    assert failure.text is not None
    assert "The losses of the micro-batches are summed and never divided" in failure.text
    assert "https://github.com/hiyouga/LLaMA-Factory/issues/7443" in failure.text
    gradient = element(examples.llava_449(), "4x8x4 gradient", "failure").attrib["message"]
    assert gradient == (
        "gradient: 3.09 vs control, 3.09 vs reference; tolerance 1.0e-05; "
        "worst parameter model.language_model.layers.0.self_attn.q_proj.weight"
    )


def test_only_the_metric_that_diverges_fails() -> None:
    report = examples.llava_449()
    control, broken = report.splits[:2]
    fine = Divergence(1e-9, 1e-9, 1e-9)
    steps = tuple(
        replace(step, vs_control=replace(fine, gradient=0.5), vs_reference=replace(fine, gradient=0.5))
        for step in broken.steps
    )
    found = outcomes(replace(report, splits=(control, replace(broken, steps=steps))))
    assert {name: found[f"4x16x2 {name}"] for name in METRICS} == {
        "loss": "passed",
        "grad_norm": "passed",
        "gradient": "failure",
    }
    in_weights = tuple(replace(step, vs_control=replace(fine, weights=0.5), vs_reference=fine) for step in broken.steps)
    assert report.tolerances is not None
    limits = replace(report.tolerances, weights=1e-6)
    found = outcomes(replace(report, tolerances=limits, splits=(control, replace(broken, steps=in_weights))))
    assert [found[f"4x16x2 {name}"] for name in METRICS] == ["passed", "passed", "failure"]


def test_a_split_that_fails_for_no_metric_fails_in_all() -> None:
    report = examples.clean()  # other samples, for example: nothing that was compared says anything
    splits = (report.splits[0], replace(report.splits[1], verdict="fail"))
    found = outcomes(replace(report, verdict="fail", exit_code=1, splits=splits))
    assert [found[f"4x16x2 {name}"] for name in METRICS] == ["failure"] * 3


def test_what_did_not_run_is_an_error_or_skipped() -> None:
    report = examples.undecided()
    found = outcomes(report)
    assert {found[f"4x8x4 {name}"] for name in METRICS} == {"error"}
    assert {found[f"8x16x1 {name}"] for name in METRICS} == {"skipped"}
    error = element(report, "4x8x4 loss", "error")
    assert error.attrib["message"] == report.splits[2].reason
    assert error.attrib["type"] == "out-of-memory"
    assert element(report, "8x16x1 loss", "skipped").attrib["type"] == "not-enough-devices"
    assert error.text is not None
    assert error.text.endswith("log: /home/user/runs/a folder/4x8x4.log")


def test_a_run_that_lacks_only_devices_has_an_error_of_its_own_unless_that_is_allowed() -> None:
    assert outcomes(examples.skipped())["run"] == "error"
    assert set(outcomes(examples.skipped(allowed=True)).values()) == {"passed", "skipped"}


def test_without_a_reference_nothing_passes() -> None:
    found = outcomes(examples.no_reference())
    assert set(found.values()) == {"error"}
    assert "run no-reference" in found


def test_values_that_are_no_numbers_fail() -> None:
    found = outcomes(examples.not_a_number())
    assert {found[f"4x16x2 {name}"] for name in METRICS} == {"failure"}
    assert {found[f"4x1x32 {name}"] for name in METRICS} == {"failure"}


def test_warnings_pass_with_words_and_fail_under_strict() -> None:
    assert set(outcomes(examples.warned()).values()) == {"passed"}
    said = element(examples.warned(), "4x16x2 loss", "system-out").text
    assert said is not None
    assert "loss 0.98, 0.98 times the reference's" in said
    assert element(examples.warned(), "run logged-grad-norm", "system-out").text is not None
    assert set(outcomes(examples.warned(strict=True)).values()) == {"failure"}


def test_what_xml_does_not_allow_is_escaped() -> None:
    report = examples.hostile()
    shown = element(report, "4x8x4 loss", "error").attrib["message"]
    assert examples.HOSTILE in shown
    assert "\\ufffe" in shown
    assert "\x1b" not in text(report)
    lone = replace(report, splits=(replace(report.splits[2], reason="\udc80"),))
    assert element(lone, "4x8x4 loss", "error").attrib["message"] == "\\udc80"


def test_the_suite_is_named_after_the_configuration() -> None:
    report = replace(examples.clean(), config_file=ConfigFile("checks/llava.small.yaml"))
    root = ElementTree.fromstring(text(report))
    suite = next(root.iter("testsuite"))
    assert suite.attrib["name"] == "accumcheck checks/llava.small.yaml"
    assert suite.attrib["timestamp"] == "2026-03-01T09:30:00"
    assert {case.attrib["classname"] for case in root.iter("testcase")} == {"accumcheck.llava_small"}
    assert sum(float(case.attrib["time"]) for case in root.iter("testcase")) == pytest.approx(9.6, abs=0.01)
    found = {one.attrib["name"]: one.attrib["value"] for one in root.iter("property")}
    assert found["transformers"] == "5.23.0"
    assert found["exit code"] == "0"

"""``@accumcheck.parametrize`` in sessions of pytest, on reports made by hand: nothing is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugin.sessions import RUNS_ONCE

ROOT = Path(__file__).parents[2]
CONFTEST = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import accumcheck.check
from tests.report import examples

runs = []


def run_check(check, **_):
    runs.append(check)
    print("a run of", check.callable)
    return examples.{{report}}()


accumcheck.check.run_check = run_check
"""
TEST = """
import accumcheck

def build_trainer():
    raise RuntimeError("never called")

@accumcheck.parametrize(build_trainer, splits={splits}, steps=1, expected_failures={expected})
def test_splits(check):
    check()
"""
LLAVA = ["1x128x1", "4x16x2", "4x8x4", "8x1x16", "4x1x32"]


def session(
    pytester: pytest.Pytester, *arguments: str, report: str, splits: list[str], expected: dict[str, str] | None = None
) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST.format(report=report))
    pytester.makepyfile(test_training=TEST.format(splits=splits, expected=expected or {}))
    return pytester.runpytest_subprocess("-p", "no:randomly", "-rsxX", "-v", *arguments)


def test_each_split_and_check_is_a_test_of_one_run(pytester: pytest.Pytester) -> None:
    ended = session(
        pytester,
        "-s",
        "--accumcheck-report=reports",
        report="llava_449",
        splits=LLAVA,
        expected={"4x8x4": "transformers#36997", "1x128x1-loss": "was wrong once"},
    )
    # of the four splits that fail, one is known to; of the three checks that pass, one is expected to fail; the report
    # has no updates
    ended.assert_outcomes(failed=9, xfailed=3, passed=3, xpassed=1, skipped=5)
    ended.stdout.fnmatch_lines(
        [
            "*test_splits[[]1x128x1-gradient] PASSED*",
            "*test_splits[[]4x16x2-loss] FAILED*",
            "*test_splits[[]run] PASSED*",
            "E *CheckFailedError: 4x16x2-loss: loss: x 2.00 vs control*",
            "XFAIL *test_splits[[]4x8x4-loss] - transformers#36997*",
            "XPASS *test_splits[[]1x128x1-loss]*was wrong once*",
        ]
    )
    assert sum("a run of test_training:build_trainer" in line for line in ended.outlines) == 1
    written = sorted(path.name for path in (pytester.path / "reports").iterdir())
    assert written == ["test_training.py-test_splits.html", "test_training.py-test_splits.json"]
    assert json.loads((pytester.path / "reports" / written[1]).read_text())["verdict"] == "fail"


def test_the_reports_of_check_trainer_are_kept_too(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST.format(report="clean"))
    pytester.makepyfile(
        test_called="""
        import accumcheck

        def build_trainer():
            raise RuntimeError("never called")

        def test_splits():
            accumcheck.check_trainer(build_trainer, splits=["1x128x1", "4x16x2"])
        """
    )
    pytester.runpytest_subprocess("-p", "no:randomly", "--accumcheck-report=reports").assert_outcomes(passed=1)
    written = sorted(path.name for path in (pytester.path / "reports").iterdir())
    assert written == ["test_called.py-test_splits.html", "test_called.py-test_splits.json"]
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)  # without the option, nothing is kept


def test_a_failure_comes_first_the_next_time(pytester: pytest.Pytester) -> None:
    splits = ["1x128x1", "4x16x2"]
    session(pytester, "-k", "4x16x2-gradient or 1x128x1", report="llava_449", splits=splits)
    again = session(pytester, report="clean", splits=splits)
    again.assert_outcomes(passed=7, skipped=2)
    order = [line.split("[")[1].split("]")[0] for line in again.outlines if "::test_splits[" in line]
    assert order[0] == "4x16x2-gradient"
    assert order[1:4] == ["1x128x1-loss", "1x128x1-grad_norm", "1x128x1-gradient"]


def test_a_folder_for_reports_that_cannot_be_made_ends_the_session(pytester: pytest.Pytester) -> None:
    (pytester.path / "taken").write_text("")
    ended = session(pytester, "--accumcheck-report=taken", report="clean", splits=["1x128x1", "4x16x2"])
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines(["ERROR: --accumcheck-report taken: the folder cannot be created: File exists"])


def test_what_wants_gpus_is_skipped_with_the_reason_and_a_crash_fails(pytester: pytest.Pytester) -> None:
    ended = session(
        pytester, report="undecided", splits=["1x128x1", "4x16x2", "4x8x4", "8x16x1", "8x1x16"], expected={"4x8x4": "x"}
    )
    ended.assert_outcomes(passed=7, skipped=10, failed=4)
    ended.stdout.fnmatch_lines(
        [
            "*4x8x4-loss could not be decided: process 2 ended with exit code 1: OutOfMemoryError*",
            "SKIPPED *needs 8 devices, 4 are here*",
        ]
    )


def test_the_slow_ones_can_be_left_out_and_a_wrong_key_ends_the_collection(pytester: pytest.Pytester) -> None:
    left_out = session(pytester, "-m", "not accumcheck", report="clean", splits=["1x128x1", "4x16x2"])
    left_out.assert_outcomes(deselected=9)
    wrong = session(pytester, report="clean", splits=["1x128x1", "4x16x2"], expected={"2x2x2": "known"})
    assert wrong.ret == pytest.ExitCode.INTERRUPTED
    wrong.stdout.fnmatch_lines(["*expected_failures: '2x2x2' matches no check*"])


REAL = """
import accumcheck
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

def build_trainer():
    set_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    model = BertForSequenceClassification(BertConfig(vocab_size=100, **sizes))
    rows = [{"input_ids": torch.randint(5, 100, (12,)), "labels": i % 2} for i in range(8)]
    return Trainer(model=model, args=TrainingArguments("out"), train_dataset=rows)

@accumcheck.parametrize(
    build_trainer, splits=["1x4x1", "1x1x4"], steps=1, expected_failures={"1x1x4-grad_norm": "transformers#47688"}
)
def test_splits(check):
    check()

def test_function():  # on the same run
    try:
        accumcheck.check_trainer(build_trainer, splits=["1x4x1", "1x1x4"], steps=1)
    except accumcheck.ChecksFailedError as error:
        failed = [one.id for one in error.results if one.status == "failed"]
    assert failed == ["1x1x4-loss", "1x1x4-grad_norm", "1x1x4-gradient"]
"""


@pytest.mark.e2e
def test_a_fault_of_trainer_is_found_by_both(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(RUNS_ONCE)
    pytester.makepyfile(test_training=REAL)
    ended = pytester.runpytest_subprocess("-v")
    ended.assert_outcomes(passed=7, failed=2, xfailed=1)
    ended.stdout.fnmatch_lines(["E *CheckFailedError: 1x1x4-loss: loss: x 4.00 vs control*"])

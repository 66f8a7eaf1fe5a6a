"""The pytest plugin on functions that build a Trainer: found again by the workers, wherever pytest found them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

TRAINING = (Path(__file__).parents[1] / "programs" / "train.py").read_text(encoding="utf-8")
"""Has a ``build_trainer`` whose Trainer smooths labels."""


def test_one_line_checks_a_trainer_that_a_test_file_builds(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("training.py").write_text(TRAINING, encoding="utf-8")
    pytester.makepyfile(
        test_it="""
        import functools

        from training import CountIgnored, LlamaForCausalLM, Trainer, TrainingArguments, collate, make_model, rows


        def build_trainer(kind="right"):
            model = make_model(CountIgnored if kind == "ignores_count" else LlamaForCausalLM)
            return Trainer(model=model, args=TrainingArguments("unused"), train_dataset=rows(), data_collator=collate)


        def test_right(accumcheck):
            report = accumcheck.check(build_trainer, splits=["1x8x1", "1x2x4"])
            assert report.config["global_batch_size"] == 8
            assert report.model.architecture == "LlamaForCausalLM"
            assert [split.verdict for split in report.splits] == ["pass", "pass"]


        def test_broken(accumcheck):
            broken = functools.partial(build_trainer, "ignores_count")
            accumcheck.check(broken, splits=["1x8x1", "1x2x4"], steps=1)


        def test_other_batches(accumcheck):
            accumcheck.check(build_trainer, splits=["1x8x1", "1x2x2"])


        def test_no_splits(accumcheck):
            accumcheck.check(build_trainer)


        def test_a_trainer(accumcheck):
            accumcheck.check(build_trainer(), splits=["1x8x1"])


        def test_inside(accumcheck):
            def build():
                return build_trainer()

            accumcheck.check(build, splits=["1x8x1"])


        def test_a_model_as_well(accumcheck):
            accumcheck.check(build_trainer, splits=["1x8x1"], model={"dtype": "float64"})
        """
    )
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    ended.assert_outcomes(passed=1, failed=6)
    ended.stdout.fnmatch_lines(
        [
            "E *NotEquivalentError: fail: 1 of 2 splits diverges (exit code 1: divergence)",
            "E *CountIgnored, 28,832 parameters, float32, from test_it:build_trainer",
            "E *1x8x1 * control * pass",
            "E *1x2x4 * x 4.* FAIL",
            "E *microbatch-mean[*]k: the sum over the accumulation steps is never divided*",
            "accumcheck: splits: 1x8x1 of 8, 1x2x2 of 4 samples; all splits of a check have the same global batch, *",
            "accumcheck: splits: missing; give for example splits=?'1x8x1', '1x2x4'? (n x b x k), or global_batch_size",
            "accumcheck: found a Trainer object; expected a function at the top level of a file, *, so give the *",
            "accumcheck: found test_inside.<locals>.build (test_it.py:*), defined inside another function; *",
            "accumcheck: --set model.dtype=*: has no effect with stack: callable: the program has its own model; *",
        ]
    )
    ended.stdout.no_fnmatch_line("*During handling of*")


def test_a_function_is_found_where_pytest_imports_without_the_search_path(pytester: pytest.Pytester) -> None:
    # its folder is no package's name and on no path; what it imports is on pytest's own; it draws on a conftest
    pytester.makeini("[pytest]\npythonpath = src\naddopts = --import-mode=importlib\n")
    for place, text in {
        "src/training.py": TRAINING,
        "more-tests/conftest.py": """
import pytest
import training

def build_trainer():
    return training.build_trainer()

@pytest.fixture
def building():
    return build_trainer
""",
        "more-tests/test_training.py": """
def test_right(accumcheck, building):
    report = accumcheck.check(building, splits=["1x8x1", "2x2x2"], steps=1, launcher={"device": "cpu"})
    assert report.config["callable"].endswith("/more-tests/conftest.py:build_trainer")
    assert [split.verdict for split in report.splits] == ["pass", "pass"]
""",
    }.items():
        path = pytester.path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    ended = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    ended.assert_outcomes(passed=1)

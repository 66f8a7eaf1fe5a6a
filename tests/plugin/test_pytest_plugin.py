"""The pytest plugin in sessions of its own: on a real run that diverges, and on reports made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import write_config, write_faulty_model
from tests.plugin.sessions import RUNS_ONCE

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


def _session(pytester: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_a_divergence_fails_with_the_table(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(pytester.path, steps=1, model=write_faulty_model(pytester.path))
    monkeypatch.setenv("PLANTED", "uncounted:any:0")
    pytester.makeconftest(RUNS_ONCE)
    ended = _session(
        pytester,
        """
        import pytest

        def test_splits(accumcheck):
            accumcheck.check("check.yaml")

        def test_the_fault_is_known(accumcheck):
            report = accumcheck.run("check.yaml")
            assert (report.exit_code, report.gradient_rule) == (1, "microbatch-mean*k")

        def test_the_assertion_holds_the_report(accumcheck):
            with pytest.raises(AssertionError) as caught:
                accumcheck.check("check.yaml")
            assert caught.value.report.verdict == "fail"
        """,
    )
    ended.assert_outcomes(passed=2, failed=1)
    ended.stdout.fnmatch_lines(
        [
            '>* accumcheck.check("check.yaml")',
            "E *NotEquivalentError: fail: 1 of 2 splits diverges (exit code 1: divergence)",
            "E *1x2x4 * x 4.* FAIL",
            "E *FAIL *1x2x4: loss 4.* times the reference's*",
            "E *fail: 1 of 2 splits diverges (exit code 1: divergence)",
        ]
    )
    ended.stdout.no_fnmatch_line("*pytest_plugin.py:*: *")  # the plugin's own frames are left out


def test_a_wrong_configuration_fails_with_its_message_alone(pytester: pytest.Pytester) -> None:
    write_config(pytester.path)
    ended = _session(
        pytester,
        """
        def test_in_a_file(accumcheck):
            accumcheck.check("check.yaml", splits=["1x8x2"])

        def test_in_a_mapping(accumcheck):
            accumcheck.check({"model": {"config": {"model_type": "llama"}}, "global_batch_size": 8})
        """,
    )
    ended.assert_outcomes(failed=2)
    ended.stdout.fnmatch_lines(
        ["accumcheck: --set splits=*1 x 8 x 2 = 16, but global_batch_size is 8*", "accumcheck: *::test_in_a_mapping:*"]
    )
    ended.stdout.no_fnmatch_line("*Traceback*")


MADE = f"""
import sys
from dataclasses import replace

import pytest

sys.path.insert(0, {str(ROOT)!r})
import accumcheck.check
from tests.report import examples


@pytest.fixture(autouse=True)
def run_check(request, monkeypatch):
    made = request.node.name.split("_")[1]

    def run_check(check, *, allow_skipped, **_):
        if made == "skipped":
            return examples.skipped(allow_skipped)
        if made == "crashed":
            return examples.undecided()
        return replace(examples.clean(), config=check.to_dict())

    monkeypatch.setattr(accumcheck.check, "run_check", run_check)
"""
"""Reports made by hand, by the second word of a test's name; otherwise a pass of whatever is to be run."""


def test_mappings_markers_and_overrides_add_up_and_what_is_no_pass_does_not_pass(pytester: pytest.Pytester) -> None:
    write_config(pytester.path, steps=1)
    pytester.makeconftest(MADE)
    ended = _session(
        pytester,
        """
        import json
        import pytest
        from accumcheck.config.load import load_config

        LLAMA = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 128}
        CHECK = {"model": {"config": LLAMA}, "global_batch_size": 8, "splits": ["1x8x1"], "launcher": {"device": "cpu"}}

        @pytest.mark.accumcheck(splits=["1x8x1", "1x2x4"], steps=2)
        def test_splits(accumcheck):
            given = accumcheck.check(CHECK, steps=1, model={"dtype": "float64"}).config
            assert given["splits"] == ["1x8x1", "1x2x4"]  # the marker's, over the mapping's
            assert given["steps"] == 1  # the call's, over the marker's
            assert given["model"]["dtype"] == "float64"
            assert given["model"]["config"] == LLAMA  # the rest of the section stayed

        def test_files(accumcheck, tmp_path):
            path = tmp_path / "resolved.yaml"
            path.write_text(json.dumps(CHECK))
            given = accumcheck.check(path, splits=["1x4x2", "1x1x8"], steps=1).config
            assert (given["splits"], given["steps"]) == (["1x4x2", "1x1x8"], 1)
            assert accumcheck.check(load_config(path, []), splits=["1x4x2"]).config["splits"] == ["1x4x2"]

        def test_skipped_for_lack_of_gpus(accumcheck):
            accumcheck.check("check.yaml")

        def test_skipped_as_allowed(accumcheck):
            assert accumcheck.check("check.yaml", allow_skipped=True).exit_code == 0

        def test_crashed(accumcheck):
            accumcheck.check("check.yaml")
        """,
        "-rs",
    )
    ended.assert_outcomes(passed=3, skipped=1, failed=1)
    ended.stdout.fnmatch_lines(["accumcheck could not decide:", "*OutOfMemoryError*", "could not be decided: *"])
    ended.stdout.fnmatch_lines(["SKIPPED*8x16x1: needs 8 devices, 4 are here*"])


def test_tests_that_train_can_be_left_out_and_collecting_them_imports_no_torch(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_unconfigure():\n    import sys\n    print('torch' in sys.modules)")
    test = "def test_splits(accumcheck):\n    accumcheck.check('none.yaml')\ndef test_other():\n    pass"
    ended = _session(pytester, test, "-m", "not accumcheck", "--strict-markers", "-s")
    ended.assert_outcomes(passed=1, deselected=1)
    ended.stdout.fnmatch_lines(["False"])
    assert "@pytest.mark.accumcheck(" in pytester.runpytest_subprocess("--markers").stdout.str()

"""The pytest plugin in sessions of its own, on real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import write_config, write_faulty_model

pytestmark = pytest.mark.e2e


RUNS_ONCE = """
import accumcheck.check

run_check, made = accumcheck.check.run_check, []


def run_once(*given, **keywords):
    made.append(made[0] if made else run_check(*given, **keywords))
    return made[0]


accumcheck.check.run_check = run_once
"""
"""One real run, whose report every test of the session is given."""


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


def test_a_run_that_crashed_fails_and_does_not_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(pytester.path, steps=1, splits=["1x8x1", "2x2x2"], model=write_faulty_model(pytester.path))
    monkeypatch.setenv("PLANTED", "raise:1:1")
    ended = _session(pytester, "def test_splits(accumcheck):\n    accumcheck.check('check.yaml')")
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(
        ["accumcheck could not decide:", "*planted: the model broke*", "could not be decided: *"]
    )


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


def test_mappings_markers_and_overrides_add_up(pytester: pytest.Pytester) -> None:
    ended = _session(
        pytester,
        """
        import pytest
        from accumcheck.config.load import load_config

        LLAMA = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 128}
        CHECK = {"model": {"config": LLAMA}, "global_batch_size": 8, "splits": ["1x8x1"], "launcher": {"device": "cpu"}}

        @pytest.mark.accumcheck(splits=["1x8x1", "1x2x4"], steps=2)
        def test_splits(accumcheck, tmp_path):
            report = accumcheck.check(CHECK, steps=1, model={"dtype": "float64"})
            assert report.config["splits"] == ["1x8x1", "1x2x4"]  # the marker's, over the mapping's
            assert report.config["steps"] == 1  # the call's, over the marker's
            assert report.model.dtype == "float64"
            assert report.model.architecture == "LlamaForCausalLM"  # the rest of the section stayed
            resolved = load_config(_written(tmp_path), [])
            assert accumcheck.check(resolved, splits=["1x4x2"]).control == "1x4x2"

        def test_a_file(accumcheck, tmp_path):
            report = accumcheck.check(_written(tmp_path), splits=["1x4x2", "1x1x8"], steps=1)
            assert report.exit_code == 0
            assert [str(split.split) for split in report.splits] == ["1x4x2", "1x1x8"]

        def _written(folder):
            import json
            path = folder / "resolved.yaml"
            path.write_text(json.dumps(CHECK))
            return path
        """,
    )
    ended.assert_outcomes(passed=2)


def test_tests_that_train_can_be_left_out(pytester: pytest.Pytester) -> None:
    test = "def test_splits(accumcheck):\n    accumcheck.check('none.yaml')\ndef test_other():\n    pass"
    ended = _session(pytester, test, "-m", "not accumcheck", "--strict-markers")
    ended.assert_outcomes(passed=1, deselected=1)
    assert "@pytest.mark.accumcheck(" in pytester.runpytest_subprocess("--markers").stdout.str()


def test_what_lacks_only_gpus_skips(pytester: pytest.Pytester) -> None:
    # what a machine with too few GPUs gives, made by hand: there may be enough of them here, or none
    write_config(pytester.path, steps=1)
    pytester.makeconftest(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        import accumcheck.check
        from tests.report.examples import skipped
        accumcheck.check.run_check = lambda *_, allow_skipped, **__: skipped(allow_skipped)
        """
    )
    ended = _session(
        pytester,
        """
        def test_splits(accumcheck):
            accumcheck.check("check.yaml")

        def test_allowed(accumcheck):
            assert accumcheck.check("check.yaml", allow_skipped=True).exit_code == 0
        """,
        "-rs",
    )
    ended.assert_outcomes(passed=1, skipped=1)
    ended.stdout.fnmatch_lines(["SKIPPED*8x16x1: needs 8 devices, 4 are here*"])


def test_help_and_collection_import_no_torch(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("def pytest_unconfigure():\n    import sys\n    print('torch' in sys.modules)")
    ended = _session(pytester, "def test_other():\n    pass", "-s")
    ended.stdout.fnmatch_lines(["False"])

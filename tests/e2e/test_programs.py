"""Programs of users, run as they are: scripts, modules, functions that build a Trainer, loops of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e.asked_programs import PROGRAMS, RUNS, check
from tests.e2e.program import Ended, accumcheck, run_together

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    return run_together(tmp_path_factory.getbasetemp(), RUNS)


def verdicts(ended: Ended) -> list[str]:
    return [split["verdict"] for split in ended.report["splits"]]


def test_a_script_is_checked_as_it_is_and_does_nothing_after_training(
    runs: Mapping[str, Ended], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ended = runs["clean"]
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 3), ended.out
    assert ended.report["model"]["architecture"] == "LlamaForCausalLM"
    for split in ended.report["splits"]:
        assert [step["samples"] for step in split["steps"]] == [8, 8]
        assert split["sample_weights"]["min"] == pytest.approx(1, abs=1e-4)
    folder = tmp_path_factory.getbasetemp() / "clean"
    assert (folder / "check.yaml").exists()
    assert not (folder / "after").exists()
    assert ended.report["program"] == {"split_set_by": ["TrainingArguments"], "sample": "row", "random_collators": []}


def test_the_texts_of_padding_free_batches_are_weighed_one_by_one(runs: Mapping[str, Ended]) -> None:
    ended = runs["flattened"]
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 3), ended.out
    assert ended.report["program"]["sample"] == "text of a padding-free row"
    for split in ended.report["splits"]:
        assert [step["samples"] for step in split["steps"]] == [8, 8]
        assert split["sample_weights"]["max"] == pytest.approx(1, abs=1e-4)


def test_a_loop_is_told_the_split_in_the_yaml_file_that_it_reads(runs: Mapping[str, Ended]) -> None:
    ended = runs["reads-yaml"]
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 2), ended.out
    assert ended.report["program"]["split_set_by"] == ["train.yaml"]


def test_a_fault_in_a_script_is_named_with_its_cause(runs: Mapping[str, Ended]) -> None:
    ended = runs["ignores-count"]
    assert (ended.code, verdicts(ended)) == (1, ["pass", "fail", "fail"]), ended.out
    assert ended.report["gradient_rule"] == "microbatch-mean*k*n"
    assert "The model ignores it" in ended.report["findings"][0]["explanation"]


def test_a_function_that_builds_a_trainer_is_checked_with_its_own_loss(tmp_path: Path) -> None:
    # it asks for label smoothing, which the reference follows; as a user runs it, from where it is imported
    module = tmp_path / "my_training.py"
    module.write_text((PROGRAMS / "train.py").read_text(encoding="utf-8"), encoding="utf-8")
    config = tmp_path / "check.yaml"
    config.write_text(yaml.safe_dump({**check(), "stack": "callable", "callable": "my_training:build_trainer"}))
    ended = accumcheck("run", config, "--format", "json", cwd=tmp_path)
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 3), ended.out + ended.err


@pytest.mark.parametrize(("name", "loss_rule"), [("own-loop", "microbatch-mean"), ("silent", None)])
def test_a_loop_of_ones_own_is_watched_from_its_optimizer_on(
    runs: Mapping[str, Ended], name: str, loss_rule: str | None
) -> None:
    ended = runs[name]
    assert ended.code == 1, ended.out
    assert (ended.report["gradient_rule"], ended.report["loss_rule"]) == ("microbatch-mean", loss_rule)


def test_a_program_that_does_not_train_is_an_error_with_its_reason(runs: Mapping[str, Ended]) -> None:
    ended = runs["does-not-train"]
    assert (ended.code, verdicts(ended)) == (3, ["error"] * 3)
    reasons = ["ended without an optimizer step", "ValueError: no data here", "SystemExit: wrong words"]
    for split, reason in zip(ended.report["splits"], reasons, strict=True):
        assert reason in split["reason"]


@pytest.mark.parametrize("way", ["tested", "always"])
def test_a_program_that_looks_for_torchrun_and_divides_by_its_processes(runs: Mapping[str, Ended], way: str) -> None:
    ended = runs[way]
    assert (ended.code, set(verdicts(ended)) - {"warn"}) == (0, {"pass"}), ended.out
    for split in ended.report["splits"]:
        assert split["steps"][0]["samples"] == 8


def test_a_crash_shows_the_line_and_the_programs_own_frames(
    runs: Mapping[str, Ended], tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = tmp_path_factory.getbasetemp() / "crashes" / "train.py"
    for split in runs["crashes"].report["splits"]:
        assert split["reason"] == f"KeyError: 'data' ({program}:2)"
        shown = [line for line in split["traceback"] if "^" not in line]
        assert shown == [
            f'  File "{program}", line 4, in <module>',
            "    main()",
            f'  File "{program}", line 2, in main',
            "    {}['data']",
            "KeyError: 'data'",
        ]
        assert Path(split["log"]).is_dir()


def test_what_cannot_be_checked_ends_the_run_for_every_split_with_one_reason(runs: Mapping[str, Ended]) -> None:
    ended = runs["refused"]
    assert (ended.code, verdicts(ended)) == (3, ["error"] * 3)
    assert len({split["reason"] for split in ended.report["splits"]}) == 1
    assert ended.report["splits"][0]["reason"].startswith("GRPOTrainer trains on answers")
    assert ended.report["splits"][0]["reason_kind"] == "unsupported"


def test_a_schedule_that_depends_on_the_processes_fails_though_the_gradients_agree(runs: Mapping[str, Ended]) -> None:
    ended = runs["schedule"]
    assert (ended.code, verdicts(ended)) == (1, ["pass", "pass", "fail"]), ended.out
    (finding,) = ended.report["findings"]
    assert (finding["id"], finding["severity"], finding["splits"]) == ("schedule-times-n", "fail", ["2x4x1"])
    assert "schedule.py:" in finding["source"]
    right, _, wrong = ended.report["splits"]
    assert wrong["gradient_rule"] == "token-mean"
    # a warm-up of 5 updates to 1e-3, which two processes go through at twice the speed
    assert [step["learning_rates"] for step in right["updates"]] == [[0.0], [pytest.approx(2e-4)]]
    assert [step["learning_rates"] for step in wrong["updates"]] == [[0.0], [pytest.approx(4e-4)]]
    changes = [step["weight_change"]["norm"] for step in (right["updates"][1], wrong["updates"][1])]
    assert changes[1] == pytest.approx(2 * changes[0], rel=1e-3)


def test_weights_that_are_not_the_same_each_time_are_an_error_and_no_verdict(runs: Mapping[str, Ended]) -> None:
    ended = runs["unseeded"]
    assert ended.code == 3, ended.out
    assert "error" in verdicts(ended)
    assert not {"pass", "warn", "fail"} & set(verdicts(ended))
    assert "starts from different weights than process 0 of split" in ended.out


def test_processes_with_other_weights_are_a_fault_of_their_split(runs: Mapping[str, Ended]) -> None:
    ended = runs["seed-by-process"]
    assert (ended.code, verdicts(ended)) == (1, ["pass", "fail", "pass"]), ended.out
    assert "the processes of 2x4x1 do not hold the same weights when training begins" in ended.out


def test_a_term_that_the_count_does_not_divide_fails_where_it_is_added_k_times(runs: Mapping[str, Ended]) -> None:
    ended = runs["term"]
    assert (ended.code, verdicts(ended)) == (1, ["pass", "fail", "fail"]), ended.out
    assert ended.report["accuracy"] == "judged"
    (finding,) = [one for one in ended.report["findings"] if one["severity"] == "fail"]
    assert finding["id"] == "term-not-divided"
    assert "4 times in 1x2x4, 2 times in 2x2x2" in finding["summary"]
    divided = runs["term-divided"]
    assert (divided.code, verdicts(divided)) == (0, ["pass"] * 3), divided.out


def test_a_hook_that_multiplies_by_k_is_named_and_the_control_is_right(runs: Mapping[str, Ended]) -> None:
    ended = runs["hook"]
    assert (ended.code, verdicts(ended)) == (1, ["pass", "fail", "fail"]), ended.out
    failed = [one["summary"] for one in ended.report["findings"] if one["severity"] == "fail"]
    assert failed
    assert all("model.norm.weight is" in summary for summary in failed)


def test_what_a_program_adds_to_its_weights_after_a_step_is_undone_and_belongs_to_the_update(
    runs: Mapping[str, Ended],
) -> None:
    ended = runs["moves"]
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 2), ended.out


def test_a_fault_is_found_in_gradients_that_fsdp_keeps_in_pieces(runs: Mapping[str, Ended]) -> None:
    ended = runs["shards"]
    assert (ended.code, verdicts(ended)) == (1, ["pass", "pass", "fail"]), ended.out
    assert (ended.report["gradient_rule"], ended.report["loss_rule"]) == ("token-mean*k", "token-mean")
    assert ended.report["model"]["architecture"] == "LlamaForCausalLM"
    weights = ended.split("2x2x2")["sample_weights"]
    assert (weights["min"], weights["max"]) == (pytest.approx(2, abs=1e-4), pytest.approx(2, abs=1e-4))


def test_a_program_that_takes_no_notice_of_the_split_does_not_pass_for_agreeing_with_itself(
    runs: Mapping[str, Ended],
) -> None:
    ended = runs["no-notice"]
    assert (ended.code, verdicts(ended)) == (3, ["pass", "error"]), ended.out
    assert "its first step had 1 micro-batches of 8 rows, but 1x2x4 needs 4 of 2" in ended.out


def test_a_collator_that_masks_at_random_masks_a_row_alike_in_every_split(runs: Mapping[str, Ended]) -> None:
    ended = runs["masks"]
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 2), ended.out
    (finding,) = [one for one in ended.report["findings"] if one["severity"] != "ignore"]
    assert (finding["id"], finding["severity"]) == ("random-collator", "warn")
    assert "random numbers of Masks were drawn from each row's content" in finding["summary"]


def test_a_collator_whose_numbers_belong_to_no_row_is_an_error_that_names_it(runs: Mapping[str, Ended]) -> None:
    ended = runs["masks-of-numpy"]
    assert (ended.code, verdicts(ended)) == (3, ["error"] * 2), ended.out
    assert "the collator Masks draws random numbers for a micro-batch as a whole" in ended.report["splits"][0]["reason"]


@pytest.mark.parametrize(("name", "code", "rule"), [("noise", 0, "token-mean"), ("noise-undivided", 1, "token-mean*k")])
def test_noise_that_a_loop_draws_is_a_rows_own(runs: Mapping[str, Ended], name: str, code: int, rule: str) -> None:
    ended = runs[name]
    assert (ended.code, ended.report["gradient_rule"]) == (code, rule), ended.out
    said = {finding["id"]: finding["summary"] for finding in ended.report["findings"]}
    assert "torch.randn_like in the loop" in said["random-collator"]
    assert "samples-differ" not in said


@pytest.mark.parametrize(
    ("counted", "name", "wrong", "rates"),
    [
        # 64 rows, 8 in an update, 2 epochs: 16 updates, so that the second one has 15/16 of 1e-2
        ("right", "", [], {"1x8x1": 15 / 16, "1x2x4": 15 / 16, "2x4x1": 15 / 16}),
        # 2 processes: 16 batches of 4 before they are divided, 2 * 16 * 2 steps, of which each update makes 2
        ("loader-before", "schedule-times-n", ["2x4x1"], {"1x8x1": 15 / 16, "1x2x4": 15 / 16, "2x4x1": 31 / 32}),
        # 32 batches of 2, in 2 epochs: 64 steps; with 2 processes the undivided loader makes up for the 2 steps
        ("micro-batches", "schedule-times-k", ["1x2x4"], {"1x8x1": 15 / 16, "1x2x4": 63 / 64, "2x4x1": 15 / 16}),
    ],
)
def test_schedules_of_published_diffusion_scripts_are_named_and_corrected_ones_pass(
    runs: Mapping[str, Ended], counted: str, name: str, wrong: list[str], rates: dict[str, float]
) -> None:
    ended = runs[f"counted-{counted}"]
    assert ended.code == (1 if wrong else 0), ended.out
    assert {split["split"]: split["verdict"] for split in ended.report["splits"]} == {
        split: "fail" if split in wrong else "pass" for split in rates
    }
    found = ended.report["findings"]
    assert [(finding["id"], finding["splits"]) for finding in found] == ([(name, wrong)] if wrong else [])
    assert all("schedules.py:" in finding["source"] for finding in found)
    for split in ended.report["splits"]:
        (second,) = split["updates"][1]["learning_rates"]
        assert second == pytest.approx(1e-2 * rates[split["split"]]), split["split"]

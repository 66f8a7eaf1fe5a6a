"""Hot-fixes: what is printed is what is applied, and it cures what it says, at the price that it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from accumcheck.cli import main
from accumcheck.hotfixes import HOTFIXES, NAMES, find_hotfix
from tests.e2e.program import accumcheck, write_config, write_faulty_model

PROGRAMS = Path(__file__).parents[1] / "programs"


def test_each_is_listed_with_its_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hotfix", "list"]) == 0
    told = capsys.readouterr().out
    for one in HOTFIXES:
        assert f"{one.name}\n  {one.does}\n  cost: {one.price}\n" in told


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_is_the_source_that_is_applied(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hotfix", "show", name]) == 0
    printed = capsys.readouterr().out
    module = f"accumcheck.hotfixes.{find_hotfix(name).function}"
    loaded = f"import {module} as applied; print(applied.__file__)"
    file = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(file).read_text(encoding="utf-8") in printed
    pasted: dict[str, Any] = {"__name__": "pasted"}
    exec(printed, pasted)
    assert callable(pasted[find_hotfix(name).function])


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hotfix", "show", "magic"]) == 2
    told = "there is no hot-fix magic; there are no-loss-kwargs and token-mean (accumcheck hotfix list)\n"
    assert capsys.readouterr().err == told


@pytest.mark.e2e
def test_token_mean_cures_a_model_that_ignores_the_count_in_the_shorter_last_step_of_an_epoch_too(
    tmp_path: Path,
) -> None:
    # 12 samples in steps of 8: the second step of each epoch is a half
    data = {"epochs": 2, "samples": 12}
    config = write_config(tmp_path, model=write_faulty_model(tmp_path), splits=["1x8x1", "1x2x4", "2x2x2"], data=data)
    config.write_text(config.read_text(encoding="utf-8").replace("steps: 2\n", ""), encoding="utf-8")
    faulty = {"PLANTED": "uncounted:any:0"}
    saved = tmp_path / "report.json"
    ended = accumcheck("run", config, "--hotfix", "token-mean", "-o", saved, env=faulty)
    assert ended.code == 0, ended.err + ended.out
    report = json.loads(saved.read_text(encoding="utf-8"))
    assert report["config"]["hotfix"] == "token-mean"
    before = report["before"]
    assert (before["verdict"], before["gradient_rule"]) == ("fail", "microbatch-mean*k*n")
    assert [split["verdict"] for split in before["splits"]] == ["pass", "fail", "fail"]
    assert (report["gradient_rule"], report["loss_rule"]) == ("token-mean", "token-mean")
    assert "stack trainer, hot-fix token-mean, global batch 8" in ended.out
    assert "hot-fix      token-mean: fail -> pass; loss microbatch-mean*k*n -> token-mean," in ended.out
    assert "cost         one more gather" in ended.out


@pytest.mark.e2e
def test_no_loss_kwargs_leaves_a_script_a_mean_of_means_without_a_change_to_it(tmp_path: Path) -> None:
    arguments = ["--output_dir", str(tmp_path), "--ignores_count"]
    config = tmp_path / "check.yaml"
    plan = {
        "global_batch_size": 8,
        "steps": 2,
        "splits": ["1x8x1", "1x2x4", "2x2x2"],
        "launcher": {"device": "cpu"},
        "stack": "script",
        "script": {"path": str(PROGRAMS / "train.py"), "arguments": arguments},
    }
    config.write_text(json.dumps(plan), encoding="utf-8")
    ended = accumcheck("run", config, "--hotfix", "no-loss-kwargs", "--format", "json")
    assert ended.code == 1, ended.out + ended.err
    assert ended.report["before"]["gradient_rule"] == "microbatch-mean*k*n"
    assert ended.report["gradient_rule"] == "microbatch-mean"


@pytest.mark.e2e
def test_a_loop_without_a_trainer_is_an_error_and_no_cure(tmp_path: Path) -> None:
    words = ["--batch", "{per_device_train_batch_size}", "--accumulate", "{gradient_accumulation_steps}"]
    plan = {
        "global_batch_size": 8,
        "steps": 1,
        "splits": ["1x8x1"],
        "launcher": {"device": "cpu"},
        "stack": "script",
        "script": {"path": str(PROGRAMS / "loop.py"), "arguments": words},
    }
    config = tmp_path / "check.yaml"
    config.write_text(json.dumps(plan), encoding="utf-8")
    ended = accumcheck("run", config, "--hotfix", "token-mean", "--format", "json")
    assert ended.code == 3, ended.out + ended.err
    for split in ended.report["splits"]:
        assert "made no transformers Trainer to apply token-mean to" in split["reason"]

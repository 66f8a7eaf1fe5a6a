"""The main job as a user runs it: real Trainer, real torchrun agent, real files.

Two runs at once, which several tests read: each takes as long as the imports of torch and transformers in several
processes.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.formats import check_formats
from tests.e2e.program import Ended, accumcheck, command, write_config, write_faulty_model

pytestmark = pytest.mark.e2e

SPLITS = ["1x8x1", "1x2x4", "2x2x2"]
ENDINGS = ("json", "txt", "xml", "md", "html", "sarif")


@dataclass(frozen=True)
class Run:
    """How a run ended, its configuration, and the text of its files by their endings."""

    ended: Ended
    config: Path
    files: dict[str, str]

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.files["json"])
        return report


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Two runs at once; the model of ``faulty`` ignores the token count."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("clean", "faulty")}
    keys: dict[str, Any] = {"splits": SPLITS, "trajectory_steps": 3}
    started = {
        "clean": start(write_config(folders["clean"], **keys)),
        "faulty": start(
            write_config(folders["faulty"], **keys, model=write_faulty_model(folders["faulty"], "uncounted:any:0")),
            *("--format", "json"),
        ),
    }
    try:
        return {name: end(process, folders[name]) for name, process in started.items()}
    finally:
        for process in started.values():
            process.terminate()  # it has ended, unless one of them took too long
            process.wait()


def start(config: Path, *options: str) -> subprocess.Popen[str]:
    outputs = [argument for ending in ENDINGS for argument in ("-o", config.with_name(f"report.{ending}"))]
    words = command("run", config, *options, *outputs)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str], folder: Path) -> Run:
    out, err = process.communicate(timeout=240)
    files = {ending: (folder / f"report.{ending}").read_text(encoding="utf-8") for ending in ENDINGS}
    return Run(Ended(process.wait(), out, err), folder / "check.yaml", files)


@pytest.fixture
def clean(runs: dict[str, Run]) -> Run:
    return runs["clean"]


@pytest.fixture
def faulty(runs: dict[str, Run]) -> Run:
    return runs["faulty"]


def test_splits_that_agree_pass_with_a_table_and_files(clean: Run) -> None:
    ended = clean.ended
    assert ended.code == 0, ended.err
    assert ended.out == clean.files["txt"]
    assert "pass: 3 of 3 splits agree with the reference (exit code 0)" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "\x1b" not in ended.out + ended.err
    report = clean.report
    assert report["control"] == "1x8x1"
    assert report["model"] == {
        "architecture": "LlamaForCausalLM",
        "parameters": 26_784,  # 2 x 128 x 32 embeddings + 2 layers x (3,072 + 6,144 + 64) + 32
        "dtype": "float32",
        "shrunk": False,
    }
    for split in report["splits"]:
        assert [step["samples"] for step in split["steps"]] == [8, 8]
        assert split["sample_weights"]["min"] == pytest.approx(1, abs=1e-5)
        assert split["sample_weights"]["max"] == pytest.approx(1, abs=1e-5)


def test_a_trajectory_begins_where_the_steps_are_and_moves(clean: Run) -> None:
    for split in clean.report["splits"]:
        losses = [point["loss"] for point in split["trajectory"]]
        assert len(losses) == 3
        assert losses[0] != losses[2]  # the real optimizer moves the weights
        assert losses[0] == pytest.approx(split["steps"][0]["loss"], rel=1e-6)


def test_json_on_standard_output_is_nothing_but_json(faulty: Run) -> None:
    assert faulty.ended.out == faulty.files["json"]
    assert faulty.ended.report == faulty.report


def test_a_model_that_ignores_the_token_count_fails_and_is_named(faulty: Run) -> None:
    # Trainer counts the tokens of the global batch and hands the count to any model that takes keyword arguments,
    # trusting it to divide; this one does not, as LLaVA did not in 4.49.0
    assert faulty.ended.code == 1, faulty.ended.err
    assert [split["verdict"] for split in faulty.report["splits"]] == ["pass", "fail", "fail"]
    scales = [split["sample_weights"]["scale"] for split in faulty.report["splits"]]
    assert scales == pytest.approx([1, 4, 4], rel=1e-4)  # k, times n where the loss is summed over processes
    assert faulty.report["gradient_rule"] == faulty.report["loss_rule"] == "microbatch-mean*k*n"


@pytest.mark.parametrize("name", ["clean", "faulty"])
def test_every_format_of_one_run_says_the_same_and_is_valid(name: str, runs: dict[str, Run]) -> None:
    check_formats(runs[name].files, runs[name].config, runs[name].ended.code)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "no-such-file.yaml"], 2, "no-such-file.yaml"),
        (["run"], 2, "Missing argument"),
        (
            ["run", "check.yaml", "--format", "pdf"],
            2,
            "--format pdf: no such format; use table, github, json, junit, markdown or sarif",
        ),
        (["run", "check.yaml", "--set", "stepz=3"], 2, "steps"),
        (["fly"], 2, "fly"),
    ],
)
def test_usage_errors_are_one_message_and_exit_2(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    write_config(tmp_path)
    ended = accumcheck(*arguments, cwd=tmp_path)
    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""

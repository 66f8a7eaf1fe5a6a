"""The main job as a user runs it: real Trainer, real torchrun agent, real files.

Few runs, which several tests read: each takes as long as the imports of torch and transformers in several processes.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.formats import check_formats
from tests.e2e.program import TINY_LLAMA, Ended, accumcheck, command, write_config, write_faulty_model

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


def run(folder: Path, *options: str, planted: str = "none:-1:0", **keys: Any) -> Run:
    config = write_config(folder, **keys)
    files = {ending: folder / f"report.{ending}" for ending in ENDINGS}
    outputs = [argument for file in files.values() for argument in ("-o", file)]
    ended = accumcheck("run", config, *options, *outputs, env={"PLANTED": planted})
    return Run(ended, config, {ending: file.read_text(encoding="utf-8") for ending, file in files.items()})


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("clean"), splits=SPLITS, trajectory_steps=3)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Its model ignores the token count."""
    folder = tmp_path_factory.mktemp("faulty")
    keys = {"splits": SPLITS, "trajectory_steps": 3, "model": write_faulty_model(folder)}
    return run(folder, "--format", "json", planted="uncounted:any:0", **keys)


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
def test_every_format_of_one_run_says_the_same_and_is_valid(name: str, request: pytest.FixtureRequest) -> None:
    made: Run = request.getfixturevalue(name)
    check_formats(made.files, made.config, made.ended.code)


def write_own_text(folder: Path) -> tuple[Path, int]:
    """A check of a user's own text, with a tokenizer of its words; and how many tokens are predicted."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    lines = [f"the {word} of {count} words is {'very ' * (count % 7)}long" for count, word in enumerate("abcdefgh")]
    trainer = tokenizers.trainers.WordLevelTrainer(special_tokens=["<unk>", "<pad>"])
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(lines, trainer)
    place = folder / "model"
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(place)
    (place / "config.json").write_text(json.dumps({**TINY_LLAMA, "architectures": ["LlamaForCausalLM"]}))
    (folder / "text.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in lines))
    model = {"name_or_path": "./model", "weights": "random"}
    smoothing = {"label_smoothing_factor": 0.1}
    config = write_config(folder, model=model, data={"jsonl": "text.jsonl"}, steps=1, training_arguments=smoothing)
    # every word is a token, every token but a line's first is predicted
    words = [len(tokenizer.encode(line).ids) for line in lines]
    return config, sum(words) - len(words)


def test_two_runs_at_once_are_both_right(tmp_path_factory: pytest.TempPathFactory) -> None:
    # a user's own text, whose reference has to follow label smoothing; and float32 weights with products in bfloat16:
    # samples padded in a batch round otherwise than alone, which is not put down to batching
    of_text, predicted = write_own_text(tmp_path_factory.mktemp("text"))
    mixed = write_config(tmp_path_factory.mktemp("mixed"), training_arguments={"bf16": True}, splits=SPLITS)
    runs = [
        subprocess.Popen(
            command("run", config, "--format", "json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for config in (of_text, mixed)
    ]
    first, second = (Ended(one.wait(), out, err) for one in runs for out, err in [one.communicate(timeout=240)])
    assert first.code == 0, first.err + first.out
    assert first.report["reference"][0]["tokens"] == predicted
    assert (second.code, second.report["findings"]) == (0, []), second.err + second.out
    assert second.report["tolerances"]["noise_floor"]["gradient"] > 1e-4  # as in bfloat16


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

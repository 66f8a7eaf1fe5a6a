"""The main job as a user runs it: real Trainer, real torchrun agent, real files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from accumcheck.saved.reports import report_schema
from tests.e2e.program import TINY_LLAMA, accumcheck, command, write_config, write_faulty_model

pytestmark = pytest.mark.e2e


def test_splits_that_agree_pass_with_table_json_and_files(tmp_path: Path) -> None:
    config = write_config(tmp_path, splits=["1x8x1", "1x2x4", "2x2x2"])
    files = [tmp_path / "report.json", tmp_path / "report.txt"]
    ended = accumcheck("run", config, "-o", files[0], "-o", files[1])
    assert ended.code == 0, ended.err
    assert ended.out == files[1].read_text(encoding="utf-8")
    assert "pass: 3 of 3 splits agree with the reference (exit code 0)" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "\x1b" not in ended.out + ended.err
    report = json.loads(files[0].read_text(encoding="utf-8"))
    jsonschema.validate(report, report_schema())
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


def test_json_on_standard_output_is_nothing_but_json(tmp_path: Path) -> None:
    ended = accumcheck("run", write_config(tmp_path, steps=1, trajectory_steps=3), "--format", "json")
    assert ended.code == 0, ended.err
    jsonschema.validate(ended.report, report_schema())
    for split in ended.report["splits"]:
        losses = [point["loss"] for point in split["trajectory"]]
        assert len(losses) == 3
        assert losses[0] != losses[2]  # the real optimizer moves the weights
        assert losses[0] == pytest.approx(split["steps"][0]["loss"], rel=1e-6)


def test_a_model_that_ignores_the_token_count_fails_and_is_named(tmp_path: Path) -> None:
    # Trainer counts the tokens of the global batch and hands the count to any model that takes keyword arguments,
    # trusting it to divide; this one does not, as LLaVA did not in 4.49.0
    config = write_config(tmp_path, model=write_faulty_model(tmp_path), splits=["1x8x1", "1x2x4", "2x2x2"])
    ended = accumcheck("run", config, "--format", "json", env={"PLANTED": "uncounted:any:0"})
    assert ended.code == 1, ended.err
    assert [split["verdict"] for split in ended.report["splits"]] == ["pass", "fail", "fail"]
    scales = [split["sample_weights"]["scale"] for split in ended.report["splits"]]
    assert scales == pytest.approx([1, 4, 4], rel=1e-4)  # k, times n where the loss is summed over processes
    assert ended.report["gradient_rule"] == ended.report["loss_rule"] == "microbatch-mean*k*n"
    jsonschema.validate(ended.report, report_schema())


def test_the_reference_follows_label_smoothing(tmp_path: Path) -> None:
    config = write_config(tmp_path, training_arguments={"label_smoothing_factor": 0.1})
    ended = accumcheck("run", config, "--format", "json")
    assert ended.code == 0, ended.err + ended.out


def test_rounding_in_mixed_precision_is_not_put_down_to_batching(tmp_path: Path) -> None:
    # float32 weights, but products in bfloat16: samples padded in a batch round otherwise than alone
    config = write_config(tmp_path, training_arguments={"bf16": True}, splits=["1x8x1", "1x2x4", "2x2x2"])
    ended = accumcheck("run", config, "--format", "json")
    assert (ended.code, ended.report["findings"]) == (0, []), ended.err + ended.out
    assert ended.report["tolerances"]["noise_floor"]["gradient"] > 1e-4  # as in bfloat16


def test_two_runs_at_once_are_both_right(tmp_path: Path) -> None:
    config = write_config(tmp_path, splits=["1x8x1", "2x2x2"])
    runs = [
        subprocess.Popen(command("run", config, "--format", "json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outs = [run.communicate(timeout=240)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    first, second = (json.loads(out) for out in outs)
    assert first["reference"] == second["reference"]


def test_a_users_own_text_is_trained_on(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    lines = [f"the {word} of {count} words is {'very ' * (count % 7)}long" for count, word in enumerate("abcdefgh")]
    trainer = tokenizers.trainers.WordLevelTrainer(special_tokens=["<unk>", "<pad>"])
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(lines, trainer)
    place = tmp_path / "model"
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(place)
    (place / "config.json").write_text(json.dumps({**TINY_LLAMA, "architectures": ["LlamaForCausalLM"]}))
    (tmp_path / "text.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in lines))
    config = write_config(
        tmp_path, model={"name_or_path": "./model", "weights": "random"}, data={"jsonl": "text.jsonl"}, steps=1
    )
    ended = accumcheck("run", config, "--format", "json")
    assert ended.code == 0, ended.err
    # every word is a token, every token but a line's first is predicted
    words = [len(tokenizer.encode(line).ids) for line in lines]
    assert ended.report["reference"][0]["tokens"] == sum(words) - len(words)


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

"""The stacks that people use: a real LLaMA-Factory in an environment of its own, our loop, a plain script, and whole
epochs, whose last step takes what is left.

More releases and more of each stack are rows of scripts/faults.yaml (``make faults``).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import transformers
import yaml

from tests.e2e.program import EXAMPLES, TINY_LLAMA, Ended, accumcheck, make_tiny, run_together

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the tiny models and data."""
    folder = tmp_path_factory.mktemp("work")
    make_tiny(folder)
    return folder


def configured(_: Path, **keys: Any) -> dict[str, Any]:
    return {"global_batch_size": 8, "steps": 1, "splits": ["1x8x1", "1x2x4"], "launcher": {"device": "cpu"}, **keys}


def run(folder: Path, *options: str, env: Mapping[str, str] | None = None, **keys: Any) -> Ended:
    path = folder / "check.yaml"
    path.write_text(yaml.safe_dump(configured(folder, **keys)), encoding="utf-8")
    environment = {"HF_HUB_OFFLINE": "1", **(env or {})}
    return accumcheck("run", path, "--format", "json", *options, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where environments are built, once for the tests that share one."""
    return tmp_path_factory.mktemp("cache")


LLAMAFACTORY = ("--transformers", "4.49.0", "--with", "llamafactory==0.9.2")


def test_llamafactory_trains_llava_with_k_times_the_loss(made: Path, cache: Path) -> None:
    ended = run(
        made,
        *LLAMAFACTORY,
        env={"ACCUMCHECK_CACHE": str(cache)},
        stack="llamafactory",
        llamafactory={"train": str(EXAMPLES / "llava_lora_sft.yaml")},
    )
    assert ended.code == 1, ended.out + ended.err
    report = ended.report
    assert (report["environment"]["transformers"], report["environment"]["stack_version"]) == ("4.49.0", "0.9.2")
    assert (report["loss_rule"], report["gradient_rule"]) == ("microbatch-mean*k", "microbatch-mean*k")
    assert report["model"]["architecture"] == "LlavaForConditionalGeneration"  # inside its LoRA adapter
    step = ended.split("1x2x4")["steps"][0]
    assert step["loss"] / report["reference"][0]["loss"] == pytest.approx(4, rel=0.01)
    titles = [known["title"] for finding in report["findings"] for known in finding["known"]]
    assert any(title.startswith("LLaMA-Factory trains LLaVA") for title in titles)
    installed = {path.name.split("-")[0] for path in cache.glob("environments/*/lib/*/site-packages/*.dist-info")}
    assert {"llamafactory", "peft"} <= installed
    assert not {"torch", "torchvision", "torchaudio", "gradio"} & installed


def test_pairs_of_dpo_are_samples(made: Path, cache: Path) -> None:
    ended = run(
        made,
        *LLAMAFACTORY,
        env={"ACCUMCHECK_CACHE": str(cache)},
        splits=["1x8x1", "1x2x4", "2x2x2"],
        stack="llamafactory",
        llamafactory={"train": str(EXAMPLES / "llama_lora_dpo.yaml")},
    )
    assert ended.code == 0, ended.out + ended.err
    assert (ended.report["loss_rule"], ended.report["gradient_rule"]) == ("token-mean", "token-mean")
    (truth,) = ended.report["reference"]
    # a pair is one prediction; an adapter that adds nothing yet prefers neither text more than the model without it
    assert (truth["samples"], truth["tokens"]) == (8, 8)
    assert truth["loss"] == pytest.approx(math.log(2), rel=1e-3)
    weights = [split["sample_weights"] for split in ended.report["splits"]]
    assert [(found["min"], found["max"]) for found in weights] == [(pytest.approx(1, abs=1e-4),) * 2] * 3


INSTALLED: dict[str, dict[str, Any]] = {
    "not-installed": {
        "stack": "llamafactory",
        "llamafactory": {"train": str(EXAMPLES / "llava_lora_sft.yaml")},
        "splits": ["1x8x1"],
    },
    "our-loop": {
        "stack": "accelerate",
        "model": {"config": TINY_LLAMA},
        "splits": ["1x8x1", "1x2x4", "2x2x2"],
        "steps": 2,
        "trajectory_steps": 2,
    },
    "example-script": {
        "stack": "script",
        "script": {
            "path": str(EXAMPLES / "train.py"),
            "arguments": ["--model", "tiny/llama", "--data", "tiny/trl/train.jsonl", "--output_dir", "saves"],
        },
    },
    # float32 weights with products in bfloat16: samples padded in a batch round otherwise than alone
    "mixed": {
        "model": {"config": TINY_LLAMA},
        "training_arguments": {"bf16": True},
        "splits": ["1x8x1", "1x2x4", "2x2x2"],
        "steps": 2,
    },
    # 12 samples: 1x2x4 has 2 micro-batches for its last step, and 2x4x1 has to fill a micro-batch
    "epochs": {
        "model": {"config": TINY_LLAMA},
        "data": {"epochs": 2, "samples": 12},
        "steps": 4,
        "splits": ["1x8x1", "1x2x4", "2x2x2", "2x4x1"],
    },
}
"""The checks that this environment runs, in one launch, by name."""

LINES = [f"the {word} of {count} words is {'very ' * (count % 7)}long" for count, word in enumerate("abcdefgh")]
"""Of them, a space separates the tokens; all but a line's first are predicted."""


def own_text(folder: Path) -> dict[str, Any]:
    """A check of a user's own text, with a tokenizer of its words, whose reference has to follow label smoothing."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    special = tokenizers.trainers.WordLevelTrainer(special_tokens=["<unk>", "<pad>"])
    tokenizer.train_from_iterator(LINES, special)
    place = folder / "model"
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(place)
    (place / "config.json").write_text(json.dumps({**TINY_LLAMA, "architectures": ["LlamaForCausalLM"]}))
    (folder / "text.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in LINES))
    return configured(
        folder,
        model={"name_or_path": "./model", "weights": "random"},
        data={"jsonl": "text.jsonl"},
        training_arguments={"label_smoothing_factor": 0.1},
    )


@pytest.fixture(scope="module")
def here(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)  # from where the script finds its model and its data
        patch.setenv("HF_HUB_OFFLINE", "1")
        checks = {name: functools.partial(configured, **keys) for name, keys in INSTALLED.items()}
        yield run_together(tmp_path_factory.mktemp("here"), {**checks, "own-text": own_text})


def test_a_stack_that_is_not_installed_says_how_to_get_it(here: dict[str, Ended]) -> None:
    ended = here["not-installed"]
    assert ended.code == 3
    assert "--with llamafactory==VERSION" in ended.report["splits"][0]["reason"]


def test_our_loop_gives_every_split_one_loss_and_one_gradient(here: dict[str, Ended]) -> None:
    ended = here["our-loop"]
    assert ended.code == 0, ended.out
    assert (ended.report["loss_rule"], ended.report["gradient_rule"]) == ("token-mean", "token-mean")
    assert [split["verdict"] for split in ended.report["splits"]] == ["pass"] * 3


def test_the_example_script_passes(here: dict[str, Ended]) -> None:
    ended = here["example-script"]
    assert ended.code == 0, ended.out
    assert ended.report["gradient_rule"] == "token-mean"


def test_the_end_of_an_epoch_is_the_same_under_every_split(here: dict[str, Ended]) -> None:
    ended = here["epochs"]
    assert ended.code == 0, ended.out
    assert [split["verdict"] for split in ended.report["splits"]] == ["pass", "pass", "pass", "warn"]
    for split in ended.report["splits"][:3]:
        assert [step["samples"] for step in split["steps"]] == [8, 4, 8, 4]
    assert [step["samples"] for step in ended.report["splits"][3]["steps"]] == [8, 8, 8, 8]
    assert [finding["id"] for finding in ended.report["findings"]] == ["padded-samples"]


def test_a_users_own_text_is_counted_in_its_tokens(here: dict[str, Ended]) -> None:
    ended = here["own-text"]
    assert ended.code == 0, ended.out
    assert ended.report["reference"][0]["tokens"] == sum(len(line.split()) - 1 for line in LINES)


def test_what_mixed_precision_rounds_is_not_put_down_to_batching(here: dict[str, Ended]) -> None:
    ended = here["mixed"]
    assert (ended.code, ended.report["findings"]) == (0, []), ended.out
    assert ended.report["tolerances"]["noise_floor"]["gradient"] > 1e-4  # as in bfloat16

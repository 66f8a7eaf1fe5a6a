from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from accumcheck.config.model import CheckConfig, DataConfig, DatasetSource, ModelConfig
from accumcheck.errors import WorkloadError
from accumcheck.workload.data import build_samples
from accumcheck.workload.model import build_model
from tests.workload.tiny import LLAMA

WORDS = ["<unk>", "<s>", "</s>", "<pad>", "<user>", "<bot>", "hi", "how", "are", "you", "fine", "thanks", "bye", "well"]
TEMPLATE = (
    "{% for m in messages %}{{ '<user> ' if m['role'] == 'user' else '<bot> ' }}{{ m['content'] }} "
    "{% if m['role'] == 'assistant' %}</s> {% endif %}{% endfor %}{% if add_generation_prompt %}<bot> {% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model folder with a word-level tokenizer; token i is the i-th of WORDS."""
    path = tmp_path_factory.mktemp("model")
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    build_model(ModelConfig(config=LLAMA), seed=0, device="cpu").save_pretrained(path)
    return str(path)


def _ids(text: str) -> Any:
    return [WORDS.index(word) for word in text.split()]


def _samples(folder: Path, tmp_path: Path, rows: Any, count: int, *, shrink: Any = False, **data: Any) -> Any:
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    model_config = ModelConfig(name_or_path=str(folder), shrink=shrink)
    check = CheckConfig(
        model=model_config,
        global_batch_size=count,
        steps=1,
        splits=None,
        data=DataConfig(synthetic=None, jsonl=str(path), **data),
    )
    return build_samples(check, build_model(model_config, seed=0, device="cpu"), count)


def test_plain_text_is_predicted_throughout(folder: Path, tmp_path: Path) -> None:
    samples = _samples(folder, tmp_path, [{"text": "hi how are you"}, "", {"text": "fine thanks"}], 2)

    assert [sample["input_ids"].tolist() for sample in samples] == [_ids("hi how are you"), _ids("fine thanks")]
    assert all(torch.equal(sample["labels"], sample["input_ids"]) for sample in samples)


def test_only_what_the_assistant_says_is_predicted(folder: Path, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "how are you"},
        {"role": "user", "content": "fine"},
        {"role": "assistant", "content": "bye"},
    ]
    (sample,) = _samples(folder, tmp_path, [{"chat": messages}], 1, messages_column="chat")

    assert sample["input_ids"].tolist() == _ids("<user> hi <bot> how are you </s> <user> fine <bot> bye </s>")
    x = -100
    assert sample["labels"].tolist() == [x, x, x, *_ids("how are you </s>"), x, x, x, *_ids("bye </s>")]


def test_rows_are_cut_and_what_says_nothing_new_is_passed_over(folder: Path, tmp_path: Path) -> None:
    rows = [{"text": "hi how are you"}, {"text": "hi how are well"}, {"text": "hi"}, {"text": "bye bye"}]
    samples = _samples(folder, tmp_path, rows, 2, max_length=3)

    assert [sample["input_ids"].tolist() for sample in samples] == [_ids("hi how are"), _ids("bye bye")]


def test_a_shrunk_model_takes_ids_of_its_own_vocabulary(folder: Path, tmp_path: Path) -> None:
    (sample,) = _samples(folder, tmp_path, [{"text": "hi how are you"}], 1, shrink=True)

    assert len(sample["input_ids"]) == 4
    assert int(sample["input_ids"].max()) < 96


@pytest.mark.parametrize(
    ("rows", "data", "message"),
    [
        ([{"text": "hi how"}, "{oops"], {}, "data.jsonl:2: not JSON: "),
        (["[1]"], {}, "data.jsonl:1: expected a JSON object, found list"),
        ([{"txt": "hi", "id": 1}], {}, "data.jsonl:1: no column 'text'; found id, txt; did you mean txt?"),
        ([{"text": "  "}], {}, "data.jsonl:1: 'text' is empty or not text"),
        ([{"text": "hi how"}], {}, "has 1 usable rows, but 2 are needed (steps 1 x global_batch_size 2)"),
        ([{"m": "hi"}], {"messages_column": "m"}, "expected a list of {role, content}, found 'hi'"),
        (
            [{"m": [{"role": "user", "content": "hi"}]}],
            {"messages_column": "m"},
            "no turn has the role 'assistant', so nothing would be predicted",
        ),
    ],
)
def test_rows_that_cannot_be_used_are_named(folder: Path, tmp_path: Path, rows: Any, data: Any, message: Any) -> None:
    with pytest.raises(WorkloadError) as error:
        _samples(folder, tmp_path, rows, 2, **data)

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_inline_config_has_no_tokenizer(tmp_path: Path) -> None:
    model_config = ModelConfig(config=LLAMA)
    data = DataConfig(synthetic=None, jsonl=str(tmp_path / "data.jsonl"))
    check = CheckConfig(model=model_config, global_batch_size=1, splits=None, data=data)

    with pytest.raises(WorkloadError, match=r"an inline model\.config has none; set model\.name_or_path"):
        build_samples(check, build_model(model_config, seed=0, device="cpu"), 1)


def _from_dataset(folder: Path, source: Any) -> Any:
    model_config = ModelConfig(name_or_path=str(folder))
    data = DataConfig(synthetic=None, dataset=source)
    check = CheckConfig(model=model_config, global_batch_size=2, splits=None, data=data)
    return build_samples(check, build_model(model_config, seed=0, device="cpu"), 2)


def test_a_data_set_on_disk_is_read(folder: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([{"text": "hi how are you"}, {"text": "fine thanks"}])
    datasets.DatasetDict({"train": rows}).save_to_disk(tmp_path / "data")

    samples = _from_dataset(folder, DatasetSource(str(tmp_path / "data")))
    assert [sample["input_ids"].tolist() for sample in samples] == [_ids("hi how are you"), _ids("fine thanks")]
    with pytest.raises(WorkloadError, match="has no split 'test'; it has train"):
        _from_dataset(folder, DatasetSource(str(tmp_path / "data"), split="test"))


def test_a_missing_datasets_library_says_how_to_install_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)

    with pytest.raises(WorkloadError, match=r"pip install 'accumcheck\[datasets\]'"):
        _from_dataset(folder, DatasetSource(str(tmp_path)))

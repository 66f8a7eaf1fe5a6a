"""Make samples from the user's own text. It is tokenised by the model's tokenizer; prompts are masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoTokenizer

from accumcheck.errors import WorkloadError
from accumcheck.rows.fingerprint import fingerprint
from accumcheck.rows.sample import IGNORED, Sample
from accumcheck.workload.architecture import text_vocabulary
from accumcheck.workload.causes import did_you_mean, first_line, named_cause
from accumcheck.workload.hub import source_options
from accumcheck.workload.sources import dataset_rows, jsonl_rows
from accumcheck.workload.special_ids import ordinary, special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import CheckConfig, DataConfig, ModelConfig


def text_samples(check: CheckConfig, model: PreTrainedModel, count: int) -> list[Sample]:
    """The first ``count`` usable rows of the user's data, in order.

    Plain text is predicted from its second token on. In a conversation, only the assistant's turns are predicted. Rows
    are cut at ``data.max_length`` tokens. Rows that repeat an earlier row are skipped, because samples are identified
    by their content. Rows without a predicted token after the cut are skipped too. If a shrunk model has fewer ids than
    its tokenizer, ids are taken modulo the shrunk vocabulary, without special ids. The text is then not readable.

    Raises:
        WorkloadError: a row cannot be used, there are too few rows, or there is no tokenizer or chat template.
    """
    tokenizer = _tokenizer(check.model)
    rows = jsonl_rows(check.data.jsonl) if check.data.jsonl is not None else dataset_rows(_source(check.data))
    vocabulary, special = text_vocabulary(model), special_ids(model.config)
    samples: list[Sample] = []
    seen: set[str] = set()
    read = 0
    for where, row in rows:
        if len(samples) == count:
            break
        read += 1
        ids, labels = _tokenise(tokenizer, check.data, where, row)
        if check.model.shrink:
            ids = [ordinary(token % vocabulary, vocabulary, special) for token in ids]
            labels = [token if label != IGNORED else IGNORED for token, label in zip(ids, labels, strict=True)]
        sample = _sample(ids[: check.data.max_length], labels[: check.data.max_length])
        if fingerprint(sample) in seen or not (sample["labels"][1:] != IGNORED).any():
            continue
        largest = int(sample["input_ids"].max())
        if largest >= vocabulary:
            raise WorkloadError(f"{where}: token id {largest} is outside the model's vocabulary of {vocabulary} ids")
        seen.add(fingerprint(sample))
        samples.append(sample)
    if len(samples) < count:
        raise WorkloadError(_too_few(check, read, len(samples), count))
    return samples


def _source(data: DataConfig) -> Any:
    assert data.dataset is not None
    return data.dataset


def _tokenizer(model: ModelConfig) -> Any:
    if model.name_or_path is None:
        raise WorkloadError(
            "data.jsonl and data.dataset need a tokenizer, but an inline model.config has none; "
            "set model.name_or_path, or use data.synthetic"
        )
    with named_cause(model, what="no tokenizer"):
        return AutoTokenizer.from_pretrained(model.name_or_path, **source_options(model))


def _tokenise(tokenizer: Any, data: DataConfig, where: str, row: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The token ids and labels of one row before it is cut."""
    if data.messages_column is not None or (data.text_column is None and "text" not in row and "messages" in row):
        messages = _column(row, data.messages_column or "messages", where)
        return _conversation(tokenizer, messages, where)
    text = _column(row, data.text_column or "text", where)
    if not isinstance(text, str) or not text.strip():
        raise WorkloadError(f"{where}: {data.text_column or 'text'!r} is empty or not text")
    ids = list(tokenizer(text)["input_ids"])
    return ids, list(ids)


def _column(row: dict[str, Any], name: str, where: str) -> Any:
    if name not in row:
        raise WorkloadError(
            f"{where}: no column {name!r}; found {', '.join(sorted(row)) or 'none'}{did_you_mean(name, list(row))}"
        )
    return row[name]


def _conversation(tokenizer: Any, messages: Any, where: str) -> tuple[list[int], list[int]]:
    """Ids and labels of a conversation. Only the assistant's turns have labels; prefixes are tokenised to find them."""
    if not isinstance(messages, list) or not all(isinstance(turn, dict) and "role" in turn for turn in messages):
        raise WorkloadError(f"{where}: expected a list of {{role, content}}, found {first_line(repr(messages))}")
    if not getattr(tokenizer, "chat_template", None):
        raise WorkloadError(f"{where}: the tokenizer has no chat template; use data.text_column")
    turns = [index for index, turn in enumerate(messages) if turn["role"] == "assistant"]
    if not turns:
        raise WorkloadError(f"{where}: no turn has the role 'assistant', so nothing would be predicted")
    whole = _rendered(tokenizer, messages, where, prompt=False)
    ids = _ids(tokenizer, whole)
    labels = [IGNORED] * len(ids)
    for index in turns:
        before = _rendered(tokenizer, messages[:index], where, prompt=True) if index else ""
        through = _rendered(tokenizer, messages[: index + 1], where, prompt=False)
        if not whole.startswith(through) or not through.startswith(before):
            raise WorkloadError(
                f"{where}: the chat template changes earlier turns if later ones follow, so the assistant's tokens "
                "cannot be found; use data.text_column"
            )
        start, end = len(_ids(tokenizer, before)), len(_ids(tokenizer, through))
        labels[start:end] = ids[start:end]
    return ids, labels


def _rendered(tokenizer: Any, messages: list[dict[str, Any]], where: str, *, prompt: bool) -> str:
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt))
    except Exception as error:
        raise WorkloadError(f"{where}: the chat template refuses the messages: {first_line(str(error))}") from error


def _ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of rendered text, which already contains its special tokens."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _sample(ids: list[int], labels: list[int]) -> Sample:
    return {
        "input_ids": torch.tensor(ids, dtype=torch.long),
        "labels": torch.tensor(labels, dtype=torch.long),
        "attention_mask": torch.ones(len(ids), dtype=torch.long),
    }


def _too_few(check: CheckConfig, read: int, usable: int, count: int) -> str:
    what = f"data.jsonl: {check.data.jsonl}" if check.data.jsonl is not None else "data.dataset"
    need = f"{count} are needed"
    if check.data.samples == count:
        need += " (data.samples)"
    elif check.steps * check.global_batch_size == count:
        need += f" (steps {check.steps} x global_batch_size {check.global_batch_size})"
    usable_of = f"{usable} usable rows" if usable == read else f"{usable} distinct usable rows among {read}"
    return f"{what} has {usable_of}, but {need}"

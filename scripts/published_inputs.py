"""Make the inputs of the scripts in `scripts/published.yaml`: models with two layers, a tokenizer and data.

    python scripts/published_inputs.py --into FOLDER

::

    gpt2, llama, bert, t5, bart
                            models with random weights and their tokenizer, as written by save_pretrained
    text.json               lines of text, for language models
    pairs.csv, pairs.json   two sentences and a label, for classification; the csv has whole numbers for labels
    ner.json                words and their tags
    qa.json                 SQuAD's fields
    summaries.json          texts and their summaries
    translations.json       sentences in two languages
    trl/prompts/            prompts and completions, for TRL
    trl/unpaired/           completions that are wanted or not, for TRL's KTO
    tokens/train.bin        token numbers of 16 bits, for nanoGPT
    hub/                    models and data sets under the names that accelerate's examples load from the hub; the
                            examples find them if they run in this folder

Texts have different lengths on purpose: with equal lengths a mean of means is not visible.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

ROWS = 64
LENGTH = 64
SPECIAL = ("<pad>", "<s>", "</s>", "<mask>", "<unk>")
ON_THE_HUB = {"bert": ("hub/bert-base-cased",), "llama": ("hub/HuggingFaceTB/SmolLM-360M",)}
"""Further names of models."""
WORDS = ("the", "sum", "of", "means", "is", "not", "a", "mean", "when", "batches", "differ", "in", "length", "why")
TAGS = ("O", "B-LOC", "I-LOC")


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each word; texts begin with ``<s>`` and end with ``</s>``."""
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B:1 </s>:1",
        special_tokens=[(token, vocabulary[token]) for token in ("<s>", "</s>")],
    )
    names = {
        "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>",
        "mask_token": "<mask>", "unk_token": "<unk>",
    }  # fmt: skip
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=LENGTH, **names)


def write_tokenizer(folder: Path) -> None:
    """Write files that every release of transformers reads. Later releases have another name for the class."""
    make_tokenizer().save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**settings, "tokenizer_class": "PreTrainedTokenizerFast"}), encoding="utf-8")


def make_models() -> dict[str, PreTrainedModel]:
    """The models by the names of their folders."""
    size = len(SPECIAL) + len(WORDS)
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    no_dropout = {"attention_dropout": 0.0, "activation_dropout": 0.0, "dropout": 0.0}
    encoder = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return {
        "gpt2": GPT2LMHeadModel(GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=LENGTH, **ids)),
        "llama": LlamaForCausalLM(LlamaConfig(vocab_size=size, num_key_value_heads=2, **encoder, **ids)),
        "bert": BertForPreTraining(BertConfig(vocab_size=size, max_position_embeddings=LENGTH, **encoder, **ids)),
        "t5": T5ForConditionalGeneration(
            T5Config(
                vocab_size=size, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0, **ids
            )
        ),
        "bart": BartForConditionalGeneration(
            BartConfig(
                vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=LENGTH,
                decoder_start_token_id=2, forced_eos_token_id=2, **no_dropout, **ids,
            )
        ),
    }  # fmt: skip


def make_data(folder: Path) -> None:
    """Write all data files."""
    draw = random.Random(0)
    pairs = [
        {"sentence1": say(draw, 2, 8), "sentence2": say(draw, 1, 12), "label": draw.randrange(2)} for _ in range(ROWS)
    ]
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(pairs[0]))
        writer.writeheader()
        writer.writerows(pairs)
    write_lines(folder / "text.json", [{"text": say(draw, 3, 20)} for _ in range(4 * ROWS)])
    tagged = [say(draw, 2, 15).split() for _ in range(ROWS)]
    write_lines(
        folder / "ner.json", [{"tokens": words, "ner_tags": [draw.choice(TAGS) for _ in words]} for words in tagged]
    )
    write_lines(folder / "summaries.json", [{"text": say(draw, 5, 20), "summary": say(draw, 1, 9)} for _ in pairs])
    write_lines(
        folder / "translations.json",
        [{"translation": {"en": pair["sentence1"], "de": pair["sentence2"]}} for pair in pairs],
    )
    (folder / "qa.json").write_text(json.dumps({"data": [question(draw, number) for number in range(ROWS)]}))
    for name in ("prompts", "unpaired"):
        (folder / "trl" / name).mkdir(parents=True)
    write_lines(
        folder / "trl" / "prompts" / "train.jsonl",
        [{"prompt": f"{pair['sentence1']} ", "completion": pair["sentence2"]} for pair in pairs],
    )
    write_lines(
        folder / "trl" / "unpaired" / "train.jsonl",
        [
            {"prompt": pair["sentence1"], "completion": pair["sentence2"], "label": bool(pair["label"])}
            for pair in pairs
        ],
    )
    (folder / "tokens").mkdir()
    for name in ("train", "val"):
        numbers = np.array([draw.randrange(len(WORDS)) for _ in range(4096)], dtype=np.uint16)
        numbers.tofile(folder / "tokens" / f"{name}.bin")
    paraphrases = [
        {"sentence1": say(draw, 4, 24), "sentence2": say(draw, 4, 24), "label": draw.randrange(2), "idx": number}
        for number in range(4 * ROWS)
    ]
    make_data_set(folder / "hub" / "nyu-mll" / "glue", "mrpc", paraphrases)
    texts = [{"text": say(draw, 3, 20)} for _ in range(512)]
    make_data_set(folder / "hub" / "Salesforce" / "wikitext", "wikitext-2-v1", texts)


def make_data_set(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Write a data set as on the hub, with one configuration: all rows for training, a few for validation."""
    folder.mkdir(parents=True)
    write_lines(folder / "train.jsonl", rows)
    write_lines(folder / "validation.jsonl", rows[:32])
    files = "".join(f"  - split: {split}\n    path: {split}.jsonl\n" for split in ("train", "validation"))
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: {name}\n  data_files:\n{files}---\n")


def question(draw: random.Random, number: int) -> dict[str, Any]:
    """A question whose answer is a word of its context."""
    words = say(draw, 5, 25).split()
    place = draw.randrange(len(words))
    answers = {"text": [words[place]], "answer_start": [len(" ".join([*words[:place], ""]))]}
    return {"id": str(number), "question": say(draw, 2, 6), "context": " ".join(words), "answers": answers}


def say(draw: random.Random, least: int, most: int) -> str:
    """A random number of words between these limits."""
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(least, most)))


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one row per line."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def make_inputs(folder: Path) -> None:
    """Make all inputs, unless they exist."""
    if folder.exists():
        return
    torch.manual_seed(0)
    for name, model in make_models().items():
        for place in (name, *ON_THE_HUB.get(name, ())):
            model.save_pretrained(folder / place)
            write_tokenizer(folder / place)
    make_data(folder)


def main() -> None:
    """Make the inputs in the folder of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True)
    make_inputs(parser.parse_args().into)


if __name__ == "__main__":
    main()

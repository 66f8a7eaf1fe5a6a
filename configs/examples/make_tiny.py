"""Make what the examples of this folder train: tiny models with random weights, a tokenizer, and data. No network.

    python configs/examples/make_tiny.py               # into ./tiny, where the examples look
    python configs/examples/make_tiny.py --into FOLDER

::

    tiny/llama, tiny/llava      models of 2 layers with their tokenizer, as save_pretrained leaves them
    tiny/reward                 tiny/llama with a head of one number, a reward model
    tiny/embedder               a BERT of 2 layers with the same tokenizer, for sentence-transformers
    tiny/sentences/             pairs of sentences with a score, for sentence-transformers
    tiny/trl/train.jsonl        prompts and completions, for TRL
    tiny/preferences/           prompts with a chosen and a rejected answer, for TRL
    tiny/llamafactory/          instructions, plain text, preferences, and conversations about images, with a
                                dataset_info.json

Answers differ in length on purpose: with equal ones a mean of means is invisible.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

ROWS = 64
IMAGE = 28
PATCH = 14
WORDS = ("the", "sum", "of", "means", "is", "not", "a", "mean", "when", "batches", "differ", "in", "length")
SPECIAL = ("<pad>", "<s>", "</s>", "<image>")


def make_tokenizer() -> Tokenizer:
    """One token for each byte, so that any text has a length and nothing is unknown."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def write_tokenizer(folder: Path) -> None:
    """As files that every release of transformers reads."""
    make_tokenizer().save(str(folder / "tokenizer.json"))
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    template = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token }}{% endfor %}"
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 512,
            "padding_side": "right",
            "chat_template": template,
            **names,
        },
    )
    write_json(folder / "special_tokens_map.json", names)


def text_config(vocabulary: int) -> LlamaConfig:
    """A Llama of two layers."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def make_llama(folder: Path) -> None:
    """A causal language model."""
    vocabulary = make_tokenizer().get_vocab_size()
    LlamaForCausalLM(text_config(vocabulary)).save_pretrained(folder)
    write_tokenizer(folder)


def make_reward(folder: Path) -> None:
    """A model that gives a text one number. Its head is saved with it: not every release draws it from a seed."""
    config = text_config(make_tokenizer().get_vocab_size())
    config.num_labels = 1
    LlamaForSequenceClassification(config).save_pretrained(folder)
    write_tokenizer(folder)


def make_embedder(folder: Path) -> None:
    """An encoder; sentence-transformers takes the mean of its outputs for the text's."""
    config = BertConfig(
        vocab_size=make_tokenizer().get_vocab_size(), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=512, pad_token_id=0,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    write_tokenizer(folder)


def make_llava(folder: Path) -> None:
    """The architecture of LLaVA-1.5, with a processor for images of 28 x 28, which make 4 tokens each."""
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=IMAGE,
        patch_size=PATCH, projection_dim=32,
    )  # fmt: skip
    text = text_config(make_tokenizer().get_vocab_size())
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=SPECIAL.index("<image>"), pad_token_id=0
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    # the names of published LLaVA checkpoints, which every release reads; transformers 5 writes shorter ones
    weights = load_file(folder / "model.safetensors")
    long = {
        re.sub(r"^vision_tower\.(?!vision_model\.)", "vision_tower.vision_model.", name): weights[name]
        for name in weights
    }
    save_file(long, folder / "model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder)
    sizes = {"size": {"shortest_edge": IMAGE}, "crop_size": {"height": IMAGE, "width": IMAGE}}
    image_processor = {"image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor", **sizes}
    write_json(folder / "preprocessor_config.json", image_processor)
    write_json(
        folder / "processor_config.json",
        {
            "processor_class": "LlavaProcessor",
            "image_token": "<image>",
            "patch_size": PATCH,
            "num_additional_image_tokens": 1,
            "vision_feature_select_strategy": "default",
        },
    )


def make_data(folder: Path) -> None:
    """The same questions and answers in the three forms."""
    draw = random.Random(0)
    pairs = [(say(draw, 2, 5), say(draw, 1, 12)) for _ in range(ROWS)]
    (folder / "trl").mkdir(parents=True)
    write_lines(folder / "trl" / "train.jsonl", [{"prompt": f"{ask}? ", "completion": tell} for ask, tell in pairs])
    (folder / "preferences").mkdir()
    preferences = [{"prompt": f"{ask}? ", "chosen": tell, "rejected": say(draw, 1, 12)} for ask, tell in pairs]
    write_lines(folder / "preferences" / "train.jsonl", preferences)
    (folder / "sentences").mkdir()
    score = random.Random(1)
    scored = [{"sentence1": ask, "sentence2": tell, "score": score.random()} for ask, tell in pairs]
    write_lines(folder / "sentences" / "train.jsonl", scored)
    here = folder / "llamafactory"
    (here / "images").mkdir(parents=True)
    write_lines(here / "preferences.jsonl", preferences)
    write_lines(here / "instructions.jsonl", [{"instruction": ask, "input": "", "output": tell} for ask, tell in pairs])
    write_lines(here / "text.jsonl", [{"text": f"{ask} {tell}"} for ask, tell in pairs])
    conversations = []
    for number, (ask, tell) in enumerate(pairs):
        colour = tuple(draw.randrange(256) for _ in range(3))
        Image.new("RGB", (IMAGE, IMAGE), colour).save(here / "images" / f"{number}.png")
        messages = [{"role": "user", "content": f"<image>{ask}"}, {"role": "assistant", "content": tell}]
        conversations.append({"messages": messages, "images": [f"images/{number}.png"]})
    write_lines(here / "conversations.jsonl", conversations)
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    write_json(
        here / "dataset_info.json",
        {
            "instructions": {"file_name": "instructions.jsonl"},
            "preferences": {
                "file_name": "preferences.jsonl",
                "ranking": True,
                "columns": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
            },
            "text": {"file_name": "text.jsonl", "columns": {"prompt": "text"}},
            "conversations": {
                "file_name": "conversations.jsonl",
                "formatting": "sharegpt",
                "columns": {"messages": "messages", "images": "images"},
                "tags": tags,
            },
        },
    )


def say(draw: random.Random, least: int, most: int) -> str:
    """So many words."""
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(least, most)))


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """One row a line."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Readably."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Make it all, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path("tiny"), help="default: %(default)s")
    into = parser.parse_args().into
    if into.exists():
        print(f"{into} is there already")
        return
    torch.manual_seed(0)
    make_llama(into / "llama")
    make_llava(into / "llava")
    make_reward(into / "reward")
    make_embedder(into / "embedder")
    make_data(into)
    print(f"made {into}")


if __name__ == "__main__":
    main()

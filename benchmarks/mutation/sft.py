"""TRL's SFTTrainer under a mutant, as a program of a user's: ``python sft.py MUTANT``.

A tiny Llama on rows that are token ids already, a part of each a prompt without loss. MUTANT as in `stack.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))


def main(mutant: str) -> None:
    """Train."""
    import torch
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from mutation.mutants import apply

    if mutant not in ("none", "trace"):
        apply(mutant)
    set_seed(0)
    words = Tokenizer(models.WordLevel({f"w{number}": number for number in range(128)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="w0", eos_token="w1", unk_token="w0")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=128, initializer_range=0.2, pad_token_id=0, **sizes))
    draw = torch.Generator().manual_seed(1)
    rows: list[dict[str, Any]] = []
    for length in torch.randint(6, 25, (64,), generator=draw).tolist():
        ids = torch.randint(2, 128, (length,), generator=draw).tolist()
        prompt = int(torch.randint(1, length // 2 + 1, (), generator=draw))
        rows.append({"input_ids": ids, "completion_mask": [0] * prompt + [1] * (length - prompt)})
    arguments = SFTConfig("unused", use_cpu=True, report_to=[], max_length=None, dataloader_num_workers=0)
    trainer = SFTTrainer(model, arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    trainer.train()


if __name__ == "__main__":
    main(sys.argv[1])

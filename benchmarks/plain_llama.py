"""A plain user's training script for `memory.py`: a causal language model, Trainer, and none of accumcheck's code.

python plain_llama.py FOLDER PER_DEVICE_BATCH ACCUMULATION_STEPS STEPS OPTIMIZER DEVICE DTYPE
"""

import sys
import tempfile

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainingArguments

PADDING = {"input_ids": 0, "attention_mask": 0, "labels": -100}


def collate(rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Pad the rows to one length."""
    return {
        name: pad_sequence([row[name] for row in rows], batch_first=True, padding_value=PADDING[name])
        for name in PADDING
    }


def train(folder: str, batch: int, accumulate: int, steps: int, optim: str, device: str, dtype: str) -> None:
    """Build the model of ``folder/config.json`` and train it on ``folder/samples.pt``."""
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), torch_dtype=getattr(torch, dtype))
    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulate,
            max_steps=steps,
            optim=optim,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=device == "cpu",
            dataloader_pin_memory=False,
        )
        samples = torch.load(f"{folder}/samples.pt")
        Trainer(model=model, args=arguments, train_dataset=samples, data_collator=collate).train()


if __name__ == "__main__":
    of_split, steps, last = sys.argv[2:4], sys.argv[4], sys.argv[5:]
    train(sys.argv[1], int(of_split[0]), int(of_split[1]), int(steps), *last)

"""A user's plain training script: the same tiny model and samples as the check, but without accumcheck's code.

torchrun --nproc_per_node N plain_script.py FOLDER PER_DEVICE_BATCH ACCUMULATION_STEPS STEPS
"""

import sys
import tempfile

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, LlavaForConditionalGeneration, Trainer, TrainingArguments


def collate(rows: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Pad the texts of the rows to one length and stack their images."""
    batch = {"pixel_values": torch.cat([row["pixel_values"] for row in rows])}
    for name, padding in (("input_ids", 0), ("attention_mask", 0), ("labels", -100)):
        batch[name] = pad_sequence([row[name] for row in rows], batch_first=True, padding_value=padding)
    return batch


def train(folder: str, batch: int, accumulate: int, steps: int) -> None:
    """Build the model of ``folder/config.json`` and train it on ``folder/samples.pt``."""
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(AutoConfig.from_pretrained(folder))
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    samples = torch.load(f"{folder}/samples.pt")
    Trainer(model=model, args=arguments, train_dataset=samples, data_collator=collate).train()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # otherwise gloo's threads sometimes abort at exit


if __name__ == "__main__":
    train(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]))

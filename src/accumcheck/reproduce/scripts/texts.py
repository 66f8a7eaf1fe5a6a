"""The middle of a script whose rows are texts. The right value is the trainer's own loss of one row at a time."""

from __future__ import annotations

SPECIAL = ("<pad>", "<eos>", "<unk>")
WORDS = (*SPECIAL, *"abcdefgh")
"""The vocabulary of the tokenizer."""
IMPORTS = """\
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import {transformers}, PreTrainedTokenizerFast, PrinterCallback
{own}"""

MIDDLE = """\
words = Tokenizer(models.WordLevel({{word: at for at, word in enumerate("{words}".split())}}, "<unk>"))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
{gradient}{model}
seen = []
optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
optimizer.register_step_pre_hook(lambda *_: seen.append(gradient(model)))
constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
arguments = {arguments}(
    tempfile.mkdtemp(), per_device_train_batch_size=B, gradient_accumulation_steps=K, max_steps=1, logging_steps=1,
    max_grad_norm=0.0, save_strategy="no", report_to=[], use_cpu=True, bf16=False, disable_tqdm=True,
{more})
trainer = {trainer}
trainer.remove_callback(PrinterCallback)
batches = [trainer.data_collator([row]) for row in {rows}]
counts = [{count} for batch in batches]  # the number of labels that the row's loss is a mean of
losses = [trainer.compute_loss(model.train(), batch) for batch in batches]  # each row alone: no accumulation
right = sum(loss * count for loss, count in zip(losses, counts)) / sum(counts)
right.backward()
right_loss, right_gradient = right.item(), gradient(model)
model.zero_grad()
trainer.train()
loss = trainer.state.log_history[0]["loss"]"""

TRAIN_ROWS = 'trainer._remove_unused_columns(trainer.train_dataset, "training")'

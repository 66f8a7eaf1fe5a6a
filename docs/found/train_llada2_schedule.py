"""diffusers' train_llada2.py: with n processes the learning rate runs through its schedule n times too fast.

Trains a tiny Llama on the script's own dummy data for 12 steps, with one process and with two, and prints the learning
rate that the script logs. Run it on a CPU with diffusers and accelerate installed, and give it the script:
python train_llada2_schedule.py diffusers/examples/discrete_diffusion/train_llada2.py
Exit code: 1 if the fault is there, 0 if it is not, 2 if the script cannot run.
"""

import os
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path


def cannot_run(kind, error, trace):
    """End with 2: an error of the script is not the fault."""
    traceback.print_exception(kind, error, trace)
    sys.stdout.flush()
    os._exit(2)


sys.excepthook = cannot_run

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

STEPS, WARMUP = 12, 2


def make_model(folder):
    """A tiny Llama with a tokenizer of 60 words."""
    words = {name: number for number, name in enumerate(["<pad>", "<eos>", *(f"w{i}" for i in range(58))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>").save_pretrained(folder)
    LlamaForCausalLM(
        LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=60)
    ).save_pretrained(folder)


def learning_rates(script, model, processes):
    """What the script logs as its learning rate after each step."""
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc_per_node={processes}",
        script,
        "--model_name_or_path",
        model,
        "--use_dummy_data",
        "--num_dummy_samples",
        "256",
        "--max_length",
        "16",
        "--prompt_length",
        "2",
        "--block_length",
        "4",
        "--max_train_steps",
        str(STEPS),
        "--lr_warmup_steps",
        str(WARMUP),
        "--lr_scheduler",
        "linear",
        "--learning_rate",
        "1e-3",
        "--logging_steps",
        "1",
        "--checkpointing_steps",
        "0",
        "--per_device_train_batch_size",
        str(4 // processes),
        "--gradient_accumulation_steps",
        "1",
        "--output_dir",
        model,
    ]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    rates = [float(rate) for rate in re.findall(r"step=\d+ .*lr=(\S+)", done.stdout)]
    if done.returncode or len(rates) != STEPS:
        print(f"{done.stderr[-2000:]}\n{len(rates)} of {STEPS} learning rates were logged", file=sys.stderr)
        sys.exit(2)
    return rates


if len(sys.argv) != 2:
    print("usage: python train_llada2_schedule.py SCRIPT, the path of train_llada2.py", file=sys.stderr)
    sys.exit(2)
with tempfile.TemporaryDirectory() as folder:
    make_model(folder)
    one, two = (learning_rates(str(Path(sys.argv[1]).resolve()), folder, processes) for processes in (1, 2))
print("step         " + " ".join(f"{step:7d}" for step in range(1, STEPS + 1)))
print("1 process    " + " ".join(f"{rate:7.1e}" for rate in one))
print("2 processes  " + " ".join(f"{rate:7.1e}" for rate in two))
sys.exit(0 if one == two else 1)

"""The table of every key: what it may hold and what it means. The loader and the JSON Schema both come from it.

Defaults are not repeated here; they stand in `accumcheck.config.model`.
"""

from __future__ import annotations

from accumcheck.config.aliases import SPLIT_ALIASES
from accumcheck.config.composites import FractionPair, OneSplit, Severities, Splits
from accumcheck.config.kinds import Choice, Flag, Positive, Text, Whole
from accumcheck.config.model import (
    DTYPES,
    PROGRAMS,
    CheckConfig,
    DataConfig,
    DatasetSource,
    LauncherConfig,
    ModelConfig,
    SyntheticData,
    ToleranceConfig,
)
from accumcheck.config.program_fields import LLAMAFACTORY, SCRIPT, TRL
from accumcheck.config.sections import Field, Free, Section
from accumcheck.hotfixes import NAMES as HOTFIXES
from accumcheck.record import Split

STACKS = ("trainer", "accelerate", *PROGRAMS)

RULE_BASES = (
    "token-mean",
    "sample-mean",
    "microbatch-mean",
    "device-mean",
    "unshifted-token-mean",
    "unshifted-device-mean",
)
RULE_OTHERS = ("dropped-samples", "duplicated-samples", "unsynchronised", "unexplained")

DTYPE_SPELLINGS = {
    **{f"torch.{dtype}": dtype for dtype in DTYPES},
    "fp64": "float64",
    "double": "float64",
    "fp32": "float32",
    "float": "float32",
    "bf16": "bfloat16",
    "fp16": "float16",
    "half": "float16",
}

# Of each group at most one key may be given; of the first exactly one.
MODEL_SOURCES = (("model", "name_or_path"), ("model", "config"))
DATA_SOURCES = (("data", "synthetic"), ("data", "jsonl"), ("data", "dataset"))
DATA_COLUMNS = (("data", "text_column"), ("data", "messages_column"))

_COLUMN = Text("the name of a column")
_REVISION = Text("a branch, a tag or a commit id")

MODEL = Section(
    into=ModelConfig,
    fields=(
        Field(
            "name_or_path",
            Text("a hub id, or a local directory that begins with ./, ../, / or ~"),
            "Hub id, or local directory beginning with ./, ../, / or ~ (relative to the config file). Or give config.",
            nullable=True,
        ),
        Field(
            "config",
            Free(
                "a mapping, for example {model_type: llama, hidden_size: 32}",
                required={"model_type": "model_type: llama"},
            ),
            "Inline configuration of transformers, with its model_type; weights are drawn from seed.",
            nullable=True,
        ),
        Field(
            "architecture",
            Text("the name of a transformers class, for example LlamaForCausalLM", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
            "Class of transformers with a head; default: the one that the configuration names, or causal LM.",
            nullable=True,
        ),
        Field("shrink", Flag(), "Same architecture with tiny sizes and random weights."),
        Field(
            "weights",
            Choice(("random", "pretrained")),
            "Where weights come from; default: pretrained where name_or_path is given without shrink, else random.",
            derived=True,
        ),
        Field("dtype", Choice(DTYPES, DTYPE_SPELLINGS), "Floating point type of weights and arithmetic."),
        Field(
            "attn_implementation",
            Text("an attention implementation, for example eager or sdpa"),
            "Passed to transformers, for example eager or sdpa; default: transformers' choice.",
            nullable=True,
        ),
        Field("revision", _REVISION, "Branch, tag or commit of a hub id; default: main.", nullable=True),
        Field("trust_remote_code", Flag(), "Allow code from the model's repository to run."),
    ),
)

SYNTHETIC = Section(
    into=SyntheticData,
    fields=(
        Field("min_length", Whole(2), "Shortest sample, in tokens with its prompt, without an image's own tokens."),
        Field("max_length", Whole(2), "Longest sample, in tokens, at least min_length."),
        Field("prompt_fraction", FractionPair(), "Least and greatest part of a sample that is masked prompt."),
        Field("images_per_sample", Whole(0), "Images in each sample of a vision-language model."),
        Field("lengths", Choice(("varied", "equal")), "Whether samples differ in length; equal ones hide faults."),
    ),
)

DATASET = Section(
    into=DatasetSource,
    fields=(
        Field(
            "name_or_path",
            Text("a hub id or a local directory"),
            "Data set of the datasets library: hub id, or local directory beginning with ./, ../, / or ~.",
            example="name_or_path: trl-lib/Capybara",
        ),
        Field("split", Text("the name of a split, for example train"), "Split of the data set."),
        Field("name", Text("the name of a configuration"), "Configuration (subset) of the data set.", nullable=True),
        Field("revision", _REVISION, "Branch, tag or commit of a hub id; default: main.", nullable=True),
    ),
)

DATA = Section(
    into=DataConfig,
    fields=(
        Field("synthetic", SYNTHETIC, "Samples made here to fit the architecture; the default source.", nullable=True),
        Field(
            "jsonl",
            Text("the path of a JSON Lines file"),
            "JSON Lines file, one sample per line (relative to the config file).",
            nullable=True,
        ),
        Field("dataset", DATASET, "Data set of the datasets library.", nullable=True),
        Field("text_column", _COLUMN, "Column with text, of jsonl and dataset; default: found by name.", nullable=True),
        Field("messages_column", _COLUMN, "Column with chat messages, of jsonl and dataset.", nullable=True),
        Field("max_length", Whole(2), "Where rows of jsonl and dataset are cut, in tokens."),
        Field(
            "epochs",
            Whole(1),
            "Passes over the data set, instead of steps; shows what the last step of an epoch is made of.",
            nullable=True,
        ),
        Field(
            "samples",
            Whole(2),
            "Samples of one epoch, for jsonl and dataset the first rows; needs epochs. Default for synthetic data: a "
            "global batch and most of another.",
            nullable=True,
            derived=True,
        ),
    ),
)

TOLERANCES = Section(
    into=ToleranceConfig,
    fields=tuple(
        Field(
            name,
            Positive("a relative difference", auto=True),
            f"{what}; auto: from the measured noise floor.",
            nullable=True,
        )
        for name, what in (
            ("loss", "Relative difference of losses still called equal"),
            ("grad_norm", "Relative difference of gradient norms still called equal"),
            ("gradient", "Norm of the gradients' difference relative to the gradient's, still called equal"),
        )
    ),
)

LAUNCHER = Section(
    into=LauncherConfig,
    fields=(
        Field(
            "device",
            Choice(("auto", "cuda", "cpu"), {"gpu": "cuda"}),
            "Where processes compute; auto: on GPUs where there are any.",
        ),
        Field("oversubscribe", Flag(), "Allow more processes than devices."),
        Field("timeout", Positive("a number of seconds"), "Seconds that one split may take."),
        Field("nnodes", Whole(1), "Machines that take part."),
        Field("node_rank", Whole(0), "Number of this machine, from 0, below nnodes."),
        Field(
            "rdzv_endpoint",
            Text("host:port, for example node0:29400", pattern=r"^[^\s/]+:[0-9]{1,5}$"),
            "Where machines meet, host:port of the first; required for nnodes above 1.",
            nullable=True,
        ),
    ),
)

SPLIT = Section(
    into=Split,
    aliases=SPLIT_ALIASES,
    fields=(
        Field("num_processes", Whole(1), "Processes n, one per GPU.", example="num_processes: 2"),
        Field(
            "per_device_train_batch_size",
            Whole(1),
            "Samples b that one process feeds the model at once.",
            example="per_device_train_batch_size: 4",
        ),
        Field(
            "gradient_accumulation_steps",
            Whole(1),
            "Micro-batches k in one optimizer step.",
            example="gradient_accumulation_steps: 8",
        ),
    ),
)

_BY_SPLIT = "a split sets it; write it in splits, for example splits: [4x16x2] (n x b x k)"
_BY_STEPS = "accumcheck sets it; write steps, for example steps: 3"
_BY_EPOCHS = "accumcheck sets it; write data: {epochs: 2}, or steps"

TRAINING_ARGUMENTS = Free(
    "a mapping of TrainingArguments' fields, for example {average_tokens_across_devices: true}",
    refused={
        "per_device_train_batch_size": _BY_SPLIT,
        "gradient_accumulation_steps": _BY_SPLIT,
        "max_steps": _BY_STEPS,
        "num_train_epochs": _BY_EPOCHS,
        "output_dir": "accumcheck sets it to a temporary directory; remove it",
    },
)

ROOT = Section(
    into=CheckConfig,
    fields=(
        Field("model", MODEL, "Which model is trained: exactly one of name_or_path and config."),
        Field("data", DATA, "Where samples come from: at most one of synthetic, jsonl and dataset."),
        Field(
            "global_batch_size",
            Whole(1),
            "Samples of one optimizer step, B = n * b * k in every split.",
            example="global_batch_size: 128",
        ),
        Field(
            "steps",
            Whole(1),
            "Optimizer steps, each an independent test from the same weights; data.epochs sets it.",
        ),
        Field("trajectory_steps", Whole(0), "Further steps with the real optimizer, judged by drift only."),
        Field(
            "splits",
            Splits(OneSplit(SPLIT)),
            "Splits n x b x k to compare, short (4x16x2) or as mappings; auto: chosen for the devices.",
            example="splits: [1x8x1, 1x2x4]",
        ),
        Field("stack", Choice(STACKS), "Training software under test."),
        Field("script", SCRIPT, "With stack: script, the program: exactly one of path and module.", nullable=True),
        Field(
            "callable",
            Text(
                "module:function, for example my_package.train:build_trainer, or file.py:function",
                pattern=r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*|.*[^/]\.py):[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$",
            ),
            "With stack: callable, what returns a transformers Trainer: module:function, or file.py:function (relative "
            "to the config file).",
            nullable=True,
        ),
        Field(
            "callable_arguments",
            Free("a mapping of parameters' names to values, for example {size: 2}"),
            "With stack: callable, what the function is called with, by name.",
        ),
        Field("trl", TRL, "With stack: trl-sft, trl-dpo or trl-reward, what to train.", nullable=True),
        Field("llamafactory", LLAMAFACTORY, "With stack: llamafactory, what to train.", nullable=True),
        Field("training_arguments", TRAINING_ARGUMENTS, "Any fields of transformers' TrainingArguments."),
        Field("tolerances", TOLERANCES, "Relative differences that are still called equal."),
        Field(
            "severity",
            Severities(RULE_BASES, RULE_OTHERS, Choice(("ignore", "warn", "fail"))),
            "Severity by weighting rule; default: unshifted-token-mean warns, other rules than token-mean fail.",
        ),
        Field("launcher", LAUNCHER, "Where and how processes are started."),
        Field("hotfix", Choice(HOTFIXES), "A hot-fix that the Trainer is given, see accumcheck hotfix.", nullable=True),
        Field("seed", Whole(0, 2**32 - 1), "Seed of weights and synthetic data."),
    ),
    elsewhere={
        **dict.fromkeys(("num_processes", "per_device_train_batch_size", "gradient_accumulation_steps"), _BY_SPLIT),
        **dict.fromkeys(SPLIT_ALIASES, _BY_SPLIT),
        "max_steps": _BY_STEPS,
        "num_train_epochs": _BY_EPOCHS,
        **dict.fromkeys(
            ("bf16", "fp16"),
            "not a key; write model: {dtype: ...} for the weights, or training_arguments for mixed precision",
        ),
        **dict.fromkeys(
            ("learning_rate", "max_grad_norm", "optim", "weight_decay", "gradient_checkpointing", "deepspeed", "fsdp"),
            "not a key; write it under training_arguments",
        ),
    },
)

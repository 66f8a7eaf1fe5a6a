"""The sections of a configuration that all stacks share: each key with its type and default, and its meaning below.

A type carries its bounds and the words for messages. The dataclasses do not depend on YAML and import nothing
heavy, since workers use them with other releases' packages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from accumcheck.config.limits import Epochs, Images, Machine, Machines, Samples, Seconds, Tokens, Tolerance
from accumcheck.config.values import Column, FractionPair, InlineConfig, Revision, Truth
from accumcheck.declare.keys import Contradiction, Derived, OneOf, Required, Section, Text
from accumcheck.declare.texts import MODEL

DType = Literal["float64", "float32", "bfloat16", "float16"]
_SPELLINGS = {
    **{f"torch.{dtype}": dtype for dtype in get_args(DType)},
    "fp64": "float64",
    "double": "float64",
    "fp32": "float32",
    "float": "float32",
    "bf16": "bfloat16",
    "fp16": "float16",
    "half": "float16",
}
_DATASET = Text("a hub id or a local directory", located="directory")
_CLASS = Text("the name of a transformers class, for example LlamaForCausalLM", r"^[A-Za-z_][A-Za-z0-9_]*$")
_ENDPOINT = Text("host:port, for example node0:29400", r"^[^\s/]+:[0-9]{1,5}$")


@dataclass(frozen=True, slots=True)
class ModelConfig(Section):
    """Which model is trained. Exactly one of ``name_or_path`` and ``config`` is set."""

    name_or_path: Annotated[str, MODEL] | None = None
    """Hub id, or local directory beginning with ./, ../, / or ~ (relative to the config file). Or give config."""
    config: InlineConfig | None = None
    """Inline configuration of transformers, with its model_type; weights are drawn from seed."""
    architecture: Annotated[str, _CLASS] | None = None
    """Class of transformers with a head; default: the one that the configuration names, or causal LM."""
    shrink: Truth = False
    """Same architecture with tiny sizes and random weights."""
    weights: Annotated[Literal["random", "pretrained"], Derived()] = "random"
    """Where weights come from; default: pretrained where name_or_path is given without shrink, else random."""
    dtype: Annotated[DType, OneOf(get_args(DType), _SPELLINGS)] = "float32"
    """Floating point type of weights and arithmetic."""
    attn_implementation: Annotated[str, Text("an attention implementation, for example eager or sdpa")] | None = None
    """Passed to transformers, for example eager or sdpa; default: transformers' choice."""
    revision: Revision | None = None
    """Branch, tag or commit of a hub id; default: main."""
    trust_remote_code: Truth = False
    """Allow code from the model's repository to run."""


@dataclass(frozen=True, slots=True)
class SyntheticData(Section):
    """Data made here. Lengths are in tokens and include the masked prompt, not an image's own tokens."""

    min_length: Tokens = 8
    """Shortest sample, in tokens with its prompt, without an image's own tokens."""
    max_length: Tokens = 64
    """Longest sample, in tokens, at least min_length."""
    prompt_fraction: FractionPair = (0.0, 0.5)
    """Smallest and largest fraction of a sample that is masked prompt."""
    images_per_sample: Images = 1
    """Images in each sample of a vision-language model."""
    lengths: Literal["varied", "equal"] = "varied"
    """Whether samples differ in length; equal ones hide faults."""

    def contradictions(self) -> list[Contradiction]:
        """The lengths are in order."""
        if self.min_length <= self.max_length:
            return []
        message = f"min_length {self.min_length} is above max_length {self.max_length}; write min_length <= max_length"
        return [(("min_length", "max_length"), message)]


@dataclass(frozen=True, slots=True)
class DatasetSource(Section):
    """A data set of the ``datasets`` library: a hub id, or a local folder."""

    name_or_path: Annotated[str, _DATASET, Required("name_or_path: trl-lib/Capybara")]
    """Data set of the datasets library: hub id, or local directory beginning with ./, ../, / or ~."""
    split: Annotated[str, Text("the name of a split, for example train")] = "train"
    """Split of the data set."""
    name: Annotated[str, Text("the name of a configuration")] | None = None
    """Configuration (subset) of the data set."""
    revision: Revision | None = None
    """Branch, tag or commit of a hub id; default: main."""


@dataclass(frozen=True, slots=True)
class DataConfig(Section):
    """Where samples come from. Exactly one of ``synthetic``, ``jsonl`` and ``dataset`` is set.

    ``epochs`` and ``samples`` are set together: a number of passes over a number of samples, instead of steps.
    """

    synthetic: SyntheticData | None = field(default_factory=SyntheticData)
    """Synthetic samples that fit the architecture; the default."""
    jsonl: Annotated[str, Text("the path of a JSON Lines file", located="file")] | None = None
    """JSON Lines file, one sample per line (relative to the config file)."""
    dataset: DatasetSource | None = None
    """Data set of the datasets library."""
    text_column: Column | None = None
    """Column with text, of jsonl and dataset; default: found by name."""
    messages_column: Column | None = None
    """Column with chat messages, of jsonl and dataset."""
    max_length: Tokens = 1024
    """Length at which rows of jsonl and dataset are truncated, in tokens."""
    epochs: Epochs | None = None
    """Passes over the data set, instead of steps; also checks the last, shorter step of an epoch."""
    samples: Samples | None = None
    """Samples of the data set, with epochs; default for synthetic data: about 1.75 global batches."""


@dataclass(frozen=True, slots=True)
class ToleranceConfig(Section):
    """Largest relative differences that count as equal; None is ``auto``, from the measured noise floor."""

    loss: Tolerance = None
    """Largest relative difference between losses that counts as equal; auto: from the measured noise floor."""
    grad_norm: Tolerance = None
    """Largest relative difference between gradient norms that counts as equal; auto: from the measured noise floor."""
    gradient: Tolerance = None
    """Largest norm of the gradients' difference, relative to the gradient's norm, that counts as equal; auto: from the
    measured noise floor."""


@dataclass(frozen=True, slots=True)
class LauncherConfig(Section):
    """Where and how processes are started. ``timeout`` is in seconds, per split."""

    device: Annotated[Literal["auto", "cuda", "cpu"], OneOf(("auto", "cuda", "cpu"), {"gpu": "cuda"})] = "auto"
    """Where processes run; auto: on GPUs if there are any."""
    oversubscribe: Truth = False
    """Allow more processes than devices."""
    timeout: Seconds = 600.0
    """Seconds that one split may take."""
    nnodes: Machines = 1
    """Number of machines."""
    node_rank: Machine = 0
    """Index of this machine, from 0 to nnodes - 1."""
    rdzv_endpoint: Annotated[str, _ENDPOINT] | None = None
    """Where machines meet, host:port of the first; required for nnodes above 1."""
    single_process: Literal["python", "torchrun"] = "python"
    """How a program of one process is started; python: it finds torchrun's variables (RANK and so on) only when it
    reads one by name or makes a process group; torchrun: always."""

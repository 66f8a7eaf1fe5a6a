"""The configuration: every key in one line, with its type, its bounds, its default and its meaning.

Frozen dataclasses that know nothing of YAML and import nothing heavy: workers read them under other releases' packages.
`accumcheck.config.load` makes them of a file; `to_dict` and `from_dict` carry them to the workers as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from accumcheck.config.keys import Contradiction, Key, OneOf, Section, plain_type
from accumcheck.config.limits import (
    Batch,
    Epochs,
    Images,
    Machine,
    Machines,
    MoreSteps,
    Relative,
    Samples,
    Seconds,
    Seed,
    Steps,
    Tokens,
)
from accumcheck.config.stacks import (
    BY_NAME,
    STACK_PACKAGES,
    STACKS,
    TRL_SCRIPTS,
    LlamaFactoryConfig,
    ScriptConfig,
    TrlConfig,
    stack_of_module,
    with_own_keys,
)
from accumcheck.config.values import (
    SPLITS_EXPECTED,
    FractionPair,
    InlineConfig,
    Severities,
    Splits,
    TrainingArguments,
)
from accumcheck.hotfixes import NAMES as HOTFIXES
from accumcheck.record import Severity, Split

__all__ = [
    "STACK_PACKAGES",
    "TRL_SCRIPTS",
    "CheckConfig",
    "DType",
    "DataConfig",
    "DatasetSource",
    "LauncherConfig",
    "LlamaFactoryConfig",
    "ModelConfig",
    "ScriptConfig",
    "SyntheticData",
    "ToleranceConfig",
    "TrlConfig",
    "compute_dtype",
]

DType = Literal["float64", "float32", "bfloat16", "float16"]
_DTYPES = OneOf(
    get_args(DType),
    {
        **{f"torch.{dtype}": dtype for dtype in get_args(DType)},
        "fp64": "float64",
        "double": "float64",
        "fp32": "float32",
        "float": "float32",
        "bf16": "bfloat16",
        "fp16": "float16",
        "half": "float16",
    },
)
_REVISION = "a branch, a tag or a commit id"
_COLUMN = "the name of a column"

# Of each group at most one key may be given; of the first exactly one.
MODEL_SOURCES = (("model", "name_or_path"), ("model", "config"))
DATA_SOURCES = (("data", "synthetic"), ("data", "jsonl"), ("data", "dataset"))
DATA_COLUMNS = (("data", "text_column"), ("data", "messages_column"))


@dataclass(frozen=True, slots=True)
class ModelConfig(Section):
    """Which model is trained. Exactly one of ``name_or_path`` and ``config`` is set."""

    name_or_path: Annotated[
        str | None,
        Key(
            "Hub id, or local directory beginning with ./, ../, / or ~ (relative to the config file). Or give config.",
            "a hub id, or a local directory that begins with ./, ../, / or ~",
            located="directory",
        ),
    ] = None
    config: Annotated[
        InlineConfig | None,
        Key(
            "Inline configuration of transformers, with its model_type; weights are drawn from seed.",
            "a mapping, for example {model_type: llama, hidden_size: 32}",
        ),
    ] = None
    architecture: Annotated[
        str | None,
        Key(
            "Class of transformers with a head; default: the one that the configuration names, or causal LM.",
            "the name of a transformers class, for example LlamaForCausalLM",
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        ),
    ] = None
    shrink: Annotated[bool, Key("Same architecture with tiny sizes and random weights.")] = False
    weights: Annotated[
        Literal["random", "pretrained"],
        Key(
            "Where weights come from; default: pretrained where name_or_path is given without shrink, else random.",
            derived=True,
        ),
    ] = "random"
    dtype: Annotated[DType, _DTYPES, Key("Floating point type of weights and arithmetic.")] = "float32"
    attn_implementation: Annotated[
        str | None,
        Key(
            "Passed to transformers, for example eager or sdpa; default: transformers' choice.",
            "an attention implementation, for example eager or sdpa",
        ),
    ] = None
    revision: Annotated[str | None, Key("Branch, tag or commit of a hub id; default: main.", _REVISION)] = None
    trust_remote_code: Annotated[bool, Key("Allow code from the model's repository to run.")] = False


def compute_dtype(dtype: str, training_arguments: Mapping[str, Any]) -> str:
    """What a model of ``dtype`` computes in: with mixed precision in fewer bits, and with rounding to match."""
    if dtype in ("float64", "float32") and training_arguments.get("bf16"):
        return "bfloat16"
    if dtype in ("float64", "float32") and training_arguments.get("fp16"):
        return "float16"
    return dtype


@dataclass(frozen=True, slots=True)
class SyntheticData(Section):
    """Data made here. Lengths are in tokens and include the masked prompt, not an image's own tokens."""

    min_length: Annotated[Tokens, Key("Shortest sample, in tokens with its prompt, without an image's own tokens.")] = 8
    max_length: Annotated[Tokens, Key("Longest sample, in tokens, at least min_length.")] = 64
    prompt_fraction: Annotated[
        FractionPair,
        Key(
            "Least and greatest part of a sample that is masked prompt.",
            "a pair of fractions of at least 0 and below 1, the smaller first, for example [0.0, 0.5]",
        ),
    ] = (0.0, 0.5)
    images_per_sample: Annotated[Images, Key("Images in each sample of a vision-language model.")] = 1
    lengths: Annotated[Literal["varied", "equal"], Key("Whether samples differ in length; equal ones hide faults.")] = (
        "varied"
    )

    def contradictions(self) -> list[Contradiction]:
        """The lengths are in order."""
        if self.min_length <= self.max_length:
            return []
        message = f"min_length {self.min_length} is above max_length {self.max_length}; write min_length <= max_length"
        return [(("min_length", "max_length"), message)]


@dataclass(frozen=True, slots=True)
class DatasetSource(Section):
    """A data set of the ``datasets`` library: a hub id, or a local folder."""

    name_or_path: Annotated[
        str,
        Key(
            "Data set of the datasets library: hub id, or local directory beginning with ./, ../, / or ~.",
            "a hub id or a local directory",
            example="name_or_path: trl-lib/Capybara",
            located="directory",
        ),
    ]
    split: Annotated[str, Key("Split of the data set.", "the name of a split, for example train")] = "train"
    name: Annotated[str | None, Key("Configuration (subset) of the data set.", "the name of a configuration")] = None
    revision: Annotated[str | None, Key("Branch, tag or commit of a hub id; default: main.", _REVISION)] = None


@dataclass(frozen=True, slots=True)
class DataConfig(Section):
    """Where samples come from. Exactly one of ``synthetic``, ``jsonl`` and ``dataset`` is set.

    ``epochs`` and ``samples`` are set together: so many passes over so many samples, instead of a number of steps.
    """

    synthetic: Annotated[
        SyntheticData | None, Key("Samples made here to fit the architecture; the default source.")
    ] = field(default_factory=SyntheticData)
    jsonl: Annotated[
        str | None,
        Key(
            "JSON Lines file, one sample per line (relative to the config file).",
            "the path of a JSON Lines file",
            located="file",
        ),
    ] = None
    dataset: Annotated[DatasetSource | None, Key("Data set of the datasets library.")] = None
    text_column: Annotated[
        str | None, Key("Column with text, of jsonl and dataset; default: found by name.", _COLUMN)
    ] = None
    messages_column: Annotated[str | None, Key("Column with chat messages, of jsonl and dataset.", _COLUMN)] = None
    max_length: Annotated[Tokens, Key("Where rows of jsonl and dataset are cut, in tokens.")] = 1024
    epochs: Annotated[
        Epochs | None,
        Key("Passes over the data set, instead of steps; shows what the last step of an epoch is made of."),
    ] = None
    samples: Annotated[
        Samples | None,
        Key("Samples of the data set, with epochs; default for synthetic data: about 1.75 global batches."),
    ] = None


@dataclass(frozen=True, slots=True)
class ToleranceConfig(Section):
    """Relative differences that are still called equal; None is ``auto``, from the measured noise floor."""

    loss: Annotated[
        Relative | None,
        Key(
            "Relative difference of losses still called equal; auto: from the measured noise floor.",
            "a relative difference",
            auto=True,
        ),
    ] = None
    grad_norm: Annotated[
        Relative | None,
        Key(
            "Relative difference of gradient norms still called equal; auto: from the measured noise floor.",
            "a relative difference",
            auto=True,
        ),
    ] = None
    gradient: Annotated[
        Relative | None,
        Key(
            "Norm of the gradients' difference relative to the gradient's, still called equal; auto: from the measured "
            "noise floor.",
            "a relative difference",
            auto=True,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class LauncherConfig(Section):
    """Where and how processes are started. ``timeout`` is in seconds, per split."""

    device: Annotated[
        Literal["auto", "cuda", "cpu"],
        OneOf(("auto", "cuda", "cpu"), {"gpu": "cuda"}),
        Key("Where processes compute; auto: on GPUs where there are any."),
    ] = "auto"
    oversubscribe: Annotated[bool, Key("Allow more processes than devices.")] = False
    timeout: Annotated[Seconds, Key("Seconds that one split may take.", "a number of seconds")] = 600.0
    nnodes: Annotated[Machines, Key("Machines that take part.")] = 1
    node_rank: Annotated[Machine, Key("Number of this machine, from 0, below nnodes.")] = 0
    rdzv_endpoint: Annotated[
        str | None,
        Key(
            "Where machines meet, host:port of the first; required for nnodes above 1.",
            "host:port, for example node0:29400",
            pattern=r"^[^\s/]+:[0-9]{1,5}$",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
@with_own_keys
class CheckConfig(Section):
    """One check, resolved: what ``accumcheck validate`` prints and the workers receive.

    With a stack that is a program, the program makes the model and the data, and ``model`` says nothing.
    With ``data.epochs``, ``steps`` follows from the samples: the last step of an epoch takes what is left.
    ``splits`` is None for ``auto``: which splits are sensible depends on the devices, known only at the launch.
    """

    model: Annotated[ModelConfig, Key("Which model is trained: exactly one of name_or_path and config.")]
    global_batch_size: Annotated[
        Batch,
        Key("Samples of one optimizer step, B = n * b * k in every split.", example="global_batch_size: 128"),
    ]
    splits: Annotated[
        Splits | None,
        Key(
            "Splits n x b x k to compare, short (4x16x2) or as mappings; auto: chosen for the devices.",
            SPLITS_EXPECTED,
            example="splits: [1x8x1, 1x2x4]",
            auto=True,
        ),
    ]
    data: Annotated[DataConfig, Key("Where samples come from: at most one of synthetic, jsonl and dataset.")] = field(
        default_factory=DataConfig
    )
    steps: Annotated[
        Steps, Key("Optimizer steps, each an independent test from the same weights; data.epochs sets it.")
    ] = 3
    trajectory_steps: Annotated[MoreSteps, Key("Further steps with the real optimizer, judged by drift only.")] = 0
    stack: Annotated[str, OneOf(tuple(stack.name for stack in STACKS)), Key("Training software under test.")] = (
        "trainer"
    )
    if TYPE_CHECKING:  # at run time, the keys of every stack (`with_own_keys`)
        script: ScriptConfig | None = None
        callable: str | None = None
        callable_arguments: dict[str, Any] = field(default_factory=dict)
        trl: TrlConfig | None = None
        llamafactory: LlamaFactoryConfig | None = None
    training_arguments: Annotated[
        TrainingArguments,
        Key(
            "Any fields of transformers' TrainingArguments.",
            "a mapping of TrainingArguments' fields, for example {average_tokens_across_devices: true}",
        ),
    ] = field(default_factory=dict)
    tolerances: Annotated[ToleranceConfig, Key("Relative differences that are still called equal.")] = field(
        default_factory=ToleranceConfig
    )
    severity: Annotated[
        Severities,
        Key(
            "Severity by weighting rule; default: unshifted-token-mean warns, other rules than token-mean fail.",
            "a mapping of weighting rules to ignore, warn or fail",
        ),
    ] = field(default_factory=dict[str, Severity])
    launcher: Annotated[LauncherConfig, Key("Where and how processes are started.")] = field(
        default_factory=LauncherConfig
    )
    hotfix: Annotated[
        Annotated[str, OneOf(HOTFIXES)] | None, Key("A hot-fix that the Trainer is given, see accumcheck hotfix.")
    ] = None
    seed: Annotated[Seed, Key("Seed of weights and synthetic data.")] = 0

    @property
    def compute_dtype(self) -> str:
        """What the model computes in; see `compute_dtype`."""
        return compute_dtype(self.model.dtype, self.training_arguments)

    @property
    def runs_program(self) -> bool:
        """Whether the model and the data come from a program of the user's."""
        return self.stack in BY_NAME and BY_NAME[self.stack].program

    @property
    def known_stack(self) -> str:
        """The stack, by its own name where a script is one that accumcheck knows: ``trl.scripts.sft`` is TRL's."""
        module = self.script.module if self.script is not None else None
        return (module and stack_of_module(module)) or self.stack

    @property
    def sample_count(self) -> int:
        """The samples of the data set, all distinct."""
        return self.data.samples if self.data.samples is not None else self.steps * self.global_batch_size

    @property
    def samples_trained(self) -> int:
        """The samples of all steps together; one that comes in every epoch counts each time."""
        return self.sample_count * (self.data.epochs or 1)

    def to_dict(self) -> dict[str, Any]:
        """The configuration in canonical names, made of JSON types; splits in their short form."""
        plain = asdict(self)
        plain["splits"] = "auto" if self.splits is None else [str(split) for split in self.splits]
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> CheckConfig:
        """The inverse of `to_dict`; the input is trusted (it comes from `to_dict`, perhaps through JSON)."""
        splits = None if plain["splits"] == "auto" else tuple(Split.parse(split) for split in plain["splits"])
        check: CheckConfig = _restored(cls, {**plain, "splits": splits})
        return check


def _restored(hint: Any, plain: Any) -> Any:
    """The value of a declared type, from what `dataclasses.asdict` and JSON made of it."""
    kind, _, _ = plain_type(hint)
    if plain is None:
        return None
    if is_dataclass(kind) and isinstance(plain, dict):
        hints = get_type_hints(kind)
        return kind(**{name: _restored(hints[name], value) for name, value in plain.items()})  # type: ignore[operator]
    return tuple(plain) if get_origin(kind) is tuple else plain

"""The resolved configuration: plain frozen dataclasses, every default in one place.

`accumcheck.config.load` makes them from YAML; `to_dict` and `from_dict` carry them to the workers as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from accumcheck.record import Severity, Split

TRL_SCRIPTS = {
    "trl-sft": ("trl.scripts.sft", "trl.commands.scripts.sft"),
    "trl-dpo": ("trl.scripts.dpo", "trl.commands.scripts.dpo"),
    "trl-reward": ("trl.scripts.reward", "trl.commands.scripts.reward_modeling"),
}
"""Where TRL has its scripts: today, and in 0.12. Between 0.13 and 0.23 it has none for rewards."""

PROGRAMS = {
    **dict.fromkeys(TRL_SCRIPTS, "trl"),
    "llamafactory": "llamafactory",
    "script": "script",
    "callable": "callable",
}
"""Stacks that are a program, which makes the model and the data itself, by the key that names it."""

STACK_PACKAGES = {
    "trainer": "transformers",
    "accelerate": "accelerate",
    **dict.fromkeys(TRL_SCRIPTS, "trl"),
    "llamafactory": "llamafactory",
}
"""The package whose release is the stack's."""

DTYPES = ("float64", "float32", "bfloat16", "float16")
DType = Literal["float64", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which model is trained. Exactly one of ``name_or_path`` and ``config`` is set."""

    name_or_path: str | None = None
    config: dict[str, Any] | None = None
    architecture: str | None = None
    shrink: bool = False
    weights: Literal["random", "pretrained"] = "random"
    dtype: DType = "float32"
    attn_implementation: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False


def compute_dtype(dtype: str, training_arguments: Mapping[str, Any]) -> str:
    """What a model of ``dtype`` computes in: with mixed precision in fewer bits, and with rounding to match."""
    if dtype in ("float64", "float32") and training_arguments.get("bf16"):
        return "bfloat16"
    if dtype in ("float64", "float32") and training_arguments.get("fp16"):
        return "float16"
    return dtype


@dataclass(frozen=True, slots=True)
class SyntheticData:
    """Data made here. Lengths are in tokens and include the masked prompt, not an image's own tokens."""

    min_length: int = 8
    max_length: int = 64
    prompt_fraction: tuple[float, float] = (0.0, 0.5)
    images_per_sample: int = 1
    lengths: Literal["varied", "equal"] = "varied"


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """A data set of the ``datasets`` library: a hub id, or a local folder."""

    name_or_path: str
    split: str = "train"
    name: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Where samples come from. Exactly one of ``synthetic``, ``jsonl`` and ``dataset`` is set.

    ``epochs`` and ``samples`` are set together: so many passes over so many samples, instead of a number of steps.
    """

    synthetic: SyntheticData | None = field(default_factory=SyntheticData)
    jsonl: str | None = None
    dataset: DatasetSource | None = None
    text_column: str | None = None
    messages_column: str | None = None
    max_length: int = 1024
    epochs: int | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class ToleranceConfig:
    """Relative differences that are still called equal; None is ``auto``, from the measured noise floor."""

    loss: float | None = None
    grad_norm: float | None = None
    gradient: float | None = None


@dataclass(frozen=True, slots=True)
class LauncherConfig:
    """Where and how processes are started. ``timeout`` is in seconds, per split."""

    device: Literal["auto", "cuda", "cpu"] = "auto"
    oversubscribe: bool = False
    timeout: float = 600.0
    nnodes: int = 1
    node_rank: int = 0
    rdzv_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class ScriptConfig:
    """A training program: exactly one of ``path`` and ``module``, as ``python`` and ``python -m`` take it."""

    path: str | None = None
    module: str | None = None
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrlConfig:
    """TRL's training scripts: the command line of the one that the stack is, see `TRL_SCRIPTS`."""

    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LlamaFactoryConfig:
    """LLaMA-Factory: ``train`` is what ``llamafactory-cli train`` is given."""

    train: str


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """One check, resolved: what ``accumcheck validate`` prints and the workers receive.

    With one of `PROGRAMS`, the program makes the model and the data, and ``model`` says nothing.
    With ``data.epochs``, ``steps`` follows from the samples: the last step of an epoch takes what is left.

    ``callable_arguments``: what the ``callable`` is called with, by name.

    ``hotfix``: what the Trainer is given before it trains, see `accumcheck.hotfixes`.

    ``splits`` is None for ``auto``: which splits are sensible depends on the devices, known only at the launch.
    """

    model: ModelConfig
    global_batch_size: int
    splits: tuple[Split, ...] | None
    data: DataConfig = field(default_factory=DataConfig)
    steps: int = 3
    trajectory_steps: int = 0
    stack: str = "trainer"
    script: ScriptConfig | None = None
    callable: str | None = None
    callable_arguments: dict[str, Any] = field(default_factory=dict)
    trl: TrlConfig | None = None
    llamafactory: LlamaFactoryConfig | None = None
    training_arguments: dict[str, Any] = field(default_factory=dict)
    tolerances: ToleranceConfig = field(default_factory=ToleranceConfig)
    severity: dict[str, Severity] = field(default_factory=dict)
    launcher: LauncherConfig = field(default_factory=LauncherConfig)
    hotfix: str | None = None
    seed: int = 0

    @property
    def compute_dtype(self) -> str:
        """What the model computes in; see `compute_dtype`."""
        return compute_dtype(self.model.dtype, self.training_arguments)

    @property
    def runs_program(self) -> bool:
        """Whether the model and the data come from a program of the user's."""
        return self.stack in PROGRAMS

    @property
    def known_stack(self) -> str:
        """The stack, by its own name where a script is one that accumcheck knows: ``trl.scripts.sft`` is TRL's."""
        module = (self.script.module if self.script is not None else None) or ""
        for stack, modules in TRL_SCRIPTS.items():
            if module in modules:
                return stack
        # of several stacks of one package, the first
        packages = {package: stack for stack, package in reversed(STACK_PACKAGES.items())}
        return packages.get(module.partition(".")[0], self.stack)

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
        data = dict(plain["data"])
        if data["synthetic"] is not None:
            synthetic = dict(data["synthetic"])
            synthetic["prompt_fraction"] = tuple(synthetic["prompt_fraction"])
            data["synthetic"] = SyntheticData(**synthetic)
        if data["dataset"] is not None:
            data["dataset"] = DatasetSource(**data["dataset"])
        splits = plain["splits"]
        script, trl, llamafactory = (plain[name] for name in ("script", "trl", "llamafactory"))
        return cls(
            **{
                **plain,
                "model": ModelConfig(**plain["model"]),
                "data": DataConfig(**data),
                "script": script and ScriptConfig(**{**script, "arguments": tuple(script["arguments"])}),
                "trl": trl and TrlConfig(tuple(trl["arguments"])),
                "llamafactory": llamafactory and LlamaFactoryConfig(**llamafactory),
                "splits": None if splits == "auto" else tuple(Split.parse(split) for split in splits),
                "tolerances": ToleranceConfig(**plain["tolerances"]),
                "launcher": LauncherConfig(**plain["launcher"]),
            }
        )

"""The configuration as a whole: its top-level keys, and how it is passed to the workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from accumcheck.config.expect import ExpectedFailure, ExpectedFailures
from accumcheck.config.limits import Batch, MoreSteps, Seed, Steps
from accumcheck.config.own_keys import with_own_keys
from accumcheck.config.sections import (
    DataConfig,
    DatasetSource,
    DType,
    LauncherConfig,
    ModelConfig,
    SyntheticData,
    ToleranceConfig,
)
from accumcheck.config.values import Severities, Splits, TrainingArguments
from accumcheck.declare.keys import Auto, OneOf, Required, Section, plain_type
from accumcheck.hotfixes import NAMES as HOTFIXES
from accumcheck.record import Split
from accumcheck.stacks.protocol import ProgramSpec
from accumcheck.stacks.registry import STACKS, find_stack, stack_of_module

if TYPE_CHECKING:
    from accumcheck.stacks.script import ScriptConfig

__all__ = [
    "CheckConfig",
    "DType",
    "DataConfig",
    "DatasetSource",
    "ExpectedFailure",
    "LauncherConfig",
    "ModelConfig",
    "SyntheticData",
    "ToleranceConfig",
    "compute_dtype",
]

# Of each group at most one key may be given; of the first exactly one.
MODEL_SOURCES = (("model", "name_or_path"), ("model", "config"))
DATA_SOURCES = (("data", "synthetic"), ("data", "jsonl"), ("data", "dataset"))
DATA_COLUMNS = (("data", "text_column"), ("data", "messages_column"))


_Own = TypeVar("_Own", bound=Section)


def compute_dtype(dtype: str, training_arguments: Mapping[str, Any]) -> str:
    """The dtype that a model of ``dtype`` computes in: with mixed precision one of fewer bits."""
    if dtype in ("float64", "float32") and training_arguments.get("bf16"):
        return "bfloat16"
    if dtype in ("float64", "float32") and training_arguments.get("fp16"):
        return "float16"
    return dtype


@dataclass(frozen=True, slots=True)
@with_own_keys
class CheckConfig(Section):
    """One check, resolved: what ``accumcheck validate`` prints and the workers receive.

    With a stack that is a program, the program makes the model and the data, and ``model`` is empty.
    With ``data.epochs``, ``steps`` follows from the samples: the last step of an epoch takes the remaining ones.
    ``splits`` is None for ``auto``: which splits are sensible depends on the devices, known only at the launch.
    """

    model: ModelConfig
    """Model to train: exactly one of name_or_path and config; neither with a stack that is a program."""
    global_batch_size: Annotated[Batch, Required("global_batch_size: 128")]
    """Samples of one optimizer step, B = n * b * k in every split."""
    splits: Annotated[Splits | None, Auto(null=False), Required("splits: [1x8x1, 1x2x4]")]
    """Splits n x b x k to compare, short (4x16x2) or as mappings; auto: chosen for the devices."""
    data: DataConfig = field(default_factory=DataConfig)
    """Where samples come from: at most one of synthetic, jsonl and dataset."""
    steps: Steps = 3
    """Optimizer steps, each an independent test from the same weights; data.epochs sets it."""
    trajectory_steps: MoreSteps = 0
    """More steps with the real optimizer, judged by drift only."""
    stack: Annotated[str, OneOf(tuple(stack.name for stack in STACKS))] = "trainer"
    """Training software under test."""
    if TYPE_CHECKING:  # at run time, the keys of every stack (`with_own_keys`)
        script: ScriptConfig | None = None
        callable: str | None = None
        callable_arguments: dict[str, Any] = field(default_factory=dict)
    training_arguments: TrainingArguments = field(default_factory=dict)
    """Any fields of transformers' TrainingArguments."""
    tolerances: ToleranceConfig = field(default_factory=ToleranceConfig)
    """Largest relative differences that count as equal."""
    severity: Severities = field(default_factory=dict)
    """Severity by weighting rule; default: token-mean passes, unshifted-token-mean warns, all others fail."""
    update: Annotated[str, OneOf(("auto", "off"))] = "auto"
    """Whether updates are compared as well: learning rates, clipping, changes of the weights. auto: the user's own
    steps are made and undone; off: plain steps, without a copy of the weights or the optimizer's state."""
    expect: ExpectedFailures = ()
    """Known failures, each with its reason: still run and shown, they do not fail the run; one that is gone is
    reported."""
    launcher: LauncherConfig = field(default_factory=LauncherConfig)
    """Where and how processes are started."""
    hotfix: Annotated[str, OneOf(HOTFIXES)] | None = None
    """Hot-fix applied to the Trainer, see accumcheck hotfix."""
    seed: Seed = 0
    """Seed of weights and synthetic data."""

    @property
    def compute_dtype(self) -> str:
        """The dtype that the model computes in; see `compute_dtype`."""
        return compute_dtype(self.model.dtype, self.training_arguments)

    @property
    def runs_program(self) -> bool:
        """Whether the model and the data come from the user's program."""
        return isinstance(find_stack(self.stack), ProgramSpec)

    @property
    def makes_model_and_data(self) -> bool:
        """Whether accumcheck makes both, so that nothing is loaded: no weights, data, code, or kernel of the hub's."""
        return (
            not self.runs_program
            and self.model.config is not None
            and not self.model.trust_remote_code
            and "/" not in (self.model.attn_implementation or "")
            and self.data.synthetic is not None
        )

    def own(self, section: type[_Own]) -> _Own:
        """The section of this type that the stack declares and the user has filled in."""
        values = (getattr(self, key.name) for key in find_stack(self.stack).own)
        return next(value for value in values if isinstance(value, section))

    @property
    def known_stack(self) -> str:
        """The stack; for a script that accumcheck knows, its stack's name: ``trl.scripts.sft`` is TRL's."""
        module = self.script.module if self.script is not None else None
        return (module and stack_of_module(module)) or self.stack

    @property
    def sample_count(self) -> int:
        """Number of distinct samples in the data set."""
        return self.data.samples if self.data.samples is not None else self.steps * self.global_batch_size

    @property
    def samples_trained(self) -> int:
        """Number of samples in all steps together; one that comes in every epoch counts each time."""
        return self.sample_count * (self.data.epochs or 1)

    def to_dict(self) -> dict[str, Any]:
        """The configuration in JSON types under canonical names; splits in their short form."""
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
    """A value of the declared type, restored from `dataclasses.asdict` and JSON."""
    kind, _, _ = plain_type(hint)
    if plain is None:
        return None
    if is_dataclass(kind) and isinstance(plain, dict):
        hints = get_type_hints(kind, include_extras=True)
        return kind(**{name: _restored(hints[name], value) for name, value in plain.items()})  # type: ignore[operator]
    return tuple(_restored(get_args(kind)[0], one) for one in plain) if get_origin(kind) is tuple else plain

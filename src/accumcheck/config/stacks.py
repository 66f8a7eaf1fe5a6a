"""The stacks, as far as the configuration knows them: one row each, and the section that says what a program trains.

The keys of `CheckConfig` that belong to a stack come from these rows: their checks, schema, documentation and messages.
A new stack is a row and, where it has settings of its own, a `Section`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from accumcheck.config.keys import Contradiction, Expected, Required, Section, Text
from accumcheck.config.values import Words

_MODULE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"


@dataclass(frozen=True, slots=True)
class ScriptConfig(Section):
    """A training program: exactly one of ``path`` and ``module``, as ``python`` and ``python -m`` take it."""

    path: Annotated[str, Text("the path of a Python file", located="file")] | None = None
    """Training script, as python takes it."""
    module: Annotated[str, Text("a module, for example trl.scripts.sft", _MODULE)] | None = None
    """Training program, as python -m takes it."""
    arguments: Annotated[Words, Expected("a list of words, for example [--model, ./my-model]", "a word")] = ()
    """Its command line; batch size, accumulation and steps are set by accumcheck."""

    def contradictions(self) -> list[Contradiction]:
        """It is one program."""
        if (self.path is None) == (self.module is None):
            return [((), "expected exactly one of path and module, for example {path: train.py}")]
        return []


@dataclass(frozen=True, slots=True)
class TrlConfig(Section):
    """TRL's training scripts: the command line of the one that the stack is, see `TRL_SCRIPTS`."""

    arguments: Annotated[
        Words,
        Expected("a list of words, for example [--config, sft.yaml]", "a word"),
        Required("arguments: [--config, sft.yaml]"),
    ]
    """Command line of the stack's script, trl.scripts.sft for example; batch size, accumulation and steps are set by
    accumcheck."""


@dataclass(frozen=True, slots=True)
class LlamaFactoryConfig(Section):
    """LLaMA-Factory: ``train`` is what ``llamafactory-cli train`` is given."""

    train: Annotated[
        str,
        Text("the path of a .yaml or .json file", r"\.(yaml|yml|json)$", located="file"),
        Required("train: train.yaml"),
    ]
    """Training file of llamafactory-cli train (relative to the config file); batch size, accumulation and steps are set
    by accumcheck."""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key of `CheckConfig` that belongs to a stack, or to several.

    Attributes:
        name: as the user writes it.
        hint: its type: a section, or another.
        meaning: one line.
        example: what to write; empty where it may be left out.
        default: makes the value where it is left out; None is the value otherwise.
    """

    name: str
    hint: Any
    meaning: str
    example: str = ""
    default: Callable[[], Any] | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack.

    Attributes:
        name: as ``stack`` has it.
        package: the package whose release is the stack's, if there is one.
        own: the keys that are this stack's; it needs the first.
        program: whether it is a program, which makes the model and the data itself.
        modules: the modules that ``script: {module: ...}`` names where it runs this stack; today's first.
        training_arguments: the only ones that have an effect; None for any.
        trainer: whether it has a Trainer, which knows epochs and can be given a hot-fix.
    """

    name: str
    package: str | None = None
    own: tuple[OwnKey, ...] = ()
    program: bool = False
    modules: tuple[str, ...] = ()
    training_arguments: tuple[str, ...] | None = None
    trainer: bool = True


_FUNCTION = Text(
    "module:function, for example my_package.train:build_trainer, or file.py:function",
    r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*|.*[^/]\.py):[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$",
    located="function",
)
_BY_NAME = Expected("a mapping of parameters' names to values, for example {size: 2}")

_SCRIPT = OwnKey(
    "script",
    ScriptConfig | None,
    "With stack: script, the program: exactly one of path and module.",
    "script: {path: train.py}",
)
_CALLABLE = OwnKey(
    "callable",
    Annotated[str, _FUNCTION] | None,
    "With stack: callable, what returns a transformers Trainer: module:function, or file.py:function (relative to the "
    "config file).",
    "callable: my_package:build_trainer",
)
_CALLABLE_ARGUMENTS = OwnKey(
    "callable_arguments",
    Annotated[dict[str, Any], _BY_NAME],
    "With stack: callable, what the function is called with, by name.",
    default=dict,
)
_TRL = OwnKey(
    "trl",
    TrlConfig | None,
    "With stack: trl-sft, trl-dpo or trl-reward, what to train.",
    "trl: {arguments: [--config, sft.yaml]}",
)
_LLAMAFACTORY = OwnKey(
    "llamafactory",
    LlamaFactoryConfig | None,
    "With stack: llamafactory, what to train.",
    "llamafactory: {train: train.yaml}",
)

STACKS = (
    Stack("trainer", "transformers"),
    Stack(
        "accelerate",
        "accelerate",
        training_arguments=("bf16", "fp16", "learning_rate", "max_grad_norm", "weight_decay"),
        trainer=False,
    ),
    # where TRL has its scripts: today, and in 0.12. Between 0.13 and 0.23 it has none for rewards
    Stack("trl-sft", "trl", (_TRL,), True, ("trl.scripts.sft", "trl.commands.scripts.sft")),
    Stack("trl-dpo", "trl", (_TRL,), True, ("trl.scripts.dpo", "trl.commands.scripts.dpo")),
    Stack("trl-reward", "trl", (_TRL,), True, ("trl.scripts.reward", "trl.commands.scripts.reward_modeling")),
    Stack("llamafactory", "llamafactory", (_LLAMAFACTORY,), True),
    Stack("script", own=(_SCRIPT,), program=True),
    Stack("callable", own=(_CALLABLE, _CALLABLE_ARGUMENTS), program=True),
)
BY_NAME = {stack.name: stack for stack in STACKS}

TRL_SCRIPTS = {stack.name: stack.modules for stack in STACKS if stack.package == "trl"}
"""The modules of TRL's stacks."""
STACK_PACKAGES = {stack.name: stack.package for stack in STACKS if stack.package is not None}
"""The package whose release is the stack's."""


def own_keys() -> dict[str, tuple[OwnKey, list[str]]]:
    """Every key that belongs to stacks, and the names of those, in the order of `STACKS`."""
    found: dict[str, tuple[OwnKey, list[str]]] = {}
    for stack in STACKS:
        for own in stack.own:
            found.setdefault(own.name, (own, []))[1].append(stack.name)
    return found


def stack_of_module(module: str) -> str | None:
    """The stack that a module runs, by the module itself or else by its package; of several the first."""
    for stack in STACKS:
        if module in stack.modules:
            return stack.name
    package = module.partition(".")[0]
    return next((stack.name for stack in STACKS if stack.package == package), None)


_Class = TypeVar("_Class", bound=type)


def with_own_keys(section: _Class) -> _Class:
    """Declare the keys of `own_keys` in a class, after its field ``stack``, before `dataclass` makes fields of it."""
    declared: Mapping[str, Any] = dict(section.__annotations__)
    ordered: dict[str, Any] = {}
    for name, hint in declared.items():
        ordered[name] = hint
        if name == "stack":
            for own, _ in own_keys().values():
                ordered[own.name] = own.hint
                setattr(section, own.name, field(default_factory=own.default) if own.default else None)
    section.__annotations__ = ordered
    return section

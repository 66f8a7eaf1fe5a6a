"""Which flags of a program take the numbers of a split. Decided by their names and by the program's divisions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accumcheck.source.files import SourceFile
from accumcheck.source.flags.flag import Flag, name_of
from accumcheck.source.names import identifiers_in

BATCH, ACCUMULATION, GLOBAL_BATCH, STEPS = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "global_batch_size",
    "steps",
)
"""The numbers, named as their placeholders."""
PROCESSES = "num_processes"

_OTHER_BATCHES = {"eval", "evaluation", "val", "valid", "validation", "test", "dev", "predict", "generation", "gen"}
_ALL = {"global", "total", "effective", "desired", "full"}
_ONE = {"micro", "device", "gpu", "per", "local", "mini", "process", "rank"}
_OTHER_STEPS = {"warmup", "decay", "lr", "scheduler", "val", "test", "sample", "sampling", "diffusion", "inference"}
_OTHER_STEPS |= {"log", "logging", "save", "saving", "eval", "evaluation", "print", "checkpoint", "checkpointing"}
_OTHER_STEPS |= {"per", "every", "freq", "interval"}
_OF_PROCESSES = re.compile(r"world|n(um)?_?proc|n(um)?_?gpus?|gpus_per|n(um)?_?devices|replicas")


@dataclass(frozen=True, slots=True)
class Role:
    """A flag that takes a number of the split.

    Attributes:
        number: the number that it takes, for example `BATCH`.
        flag: the flag.
        times: the numbers by which the program itself divides the value: `PROCESSES`, `ACCUMULATION`.
        place: where the program divides, for example ``train.py:12``; empty if it does not.
        others: other flags whose names also fit.
    """

    number: str
    flag: Flag
    times: tuple[str, ...] = ()
    place: str = ""
    others: tuple[Flag, ...] = ()

    @property
    def placeholder(self) -> str:
        """Its placeholder on the command line, for example ``{gradient_accumulation_steps*num_processes}``."""
        return "{" + "*".join((self.number, *self.times)) + "}"


def roles_in(flags: Sequence[Flag], files: Sequence[SourceFile]) -> tuple[Role, ...]:
    """The flags for the numbers of a split, at most one per number."""
    found = []
    for number, rank in ((BATCH, _batch), (ACCUMULATION, _accumulation), (GLOBAL_BATCH, _global), (STEPS, _steps)):
        fitting = sorted((at for at in flags if at.names and at.takes_value and rank(at)), key=lambda at: -rank(at))
        if fitting:
            best = [one for one in fitting[1:] if rank(one) == rank(fitting[0])]
            found.append(Role(number, fitting[0], others=tuple(best)))
    keys = {role.number: role.flag.key for role in found}
    return tuple(_divided(role, keys, files) for role in found)


def _words(flag: Flag) -> set[str]:
    return set(flag.key.split("_"))


def _is_batch(flag: Flag) -> bool:
    words, key = _words(flag), flag.key
    if words & _OTHER_BATCHES or words & {"batches", "tokens", "sampler"}:
        return False
    return key in ("bs", "mbs", "batch") or key.endswith("batchsize") or {"batch", "size"} <= words


def _batch(flag: Flag) -> int:
    words = _words(flag)
    if not _is_batch(flag) or words & _ALL:
        return 0
    return 1 + 4 * bool(words & _ONE or flag.key == "mbs") + 2 * ("train" in words)


def _global(flag: Flag) -> int:
    return int(_is_batch(flag) and bool(_words(flag) & _ALL))


def _accumulation(flag: Flag) -> int:
    words, key = _words(flag), flag.key
    if not (any(word.startswith("accum") for word in words) or key in ("gas", "ga_steps")):
        return 0
    return 1 + bool(words & {"grad", "gradient", "grads", "batches", "steps", "iter", "iters"})


def _steps(flag: Flag) -> int:
    words = _words(flag)
    if words & _OTHER_STEPS or _accumulation(flag) or not words & {"steps", "step", "iters", "iter", "iterations"}:
        return 0
    is_total = bool(words & {"train", "total", "num"})
    return (flag.key in ("steps", "iters", "iterations")) + 3 * ("max" in words) + 2 * is_total


def _divided(role: Role, keys: dict[str, str], files: Sequence[SourceFile]) -> Role:
    if role.number not in (BATCH, ACCUMULATION):
        return role
    times: dict[str, None] = {}
    place = ""
    for file in files:
        for node, divisor in _divisions(file.tree, role.flag.key) if file.tree is not None else ():
            names = [name.lower() for name in identifiers_in(divisor)]
            found = [PROCESSES] if any(_OF_PROCESSES.search(name) for name in names) else []
            if role.number == BATCH and keys.get(ACCUMULATION) in names:
                found.append(ACCUMULATION)
            if found:
                times |= dict.fromkeys(found)
                place = place or f"{file.path.name}:{node.lineno}"
    return Role(role.number, role.flag, tuple(times), place, role.others)


def _divisions(tree: ast.AST, key: str) -> Iterator[tuple[ast.stmt | ast.expr, ast.expr]]:
    """The places where a value is divided, and the divisors: ``k //= n``, ``args.k // n``."""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.AugAssign, ast.BinOp)) or not isinstance(node.op, (ast.FloorDiv, ast.Div)):
            continue
        divided, by = (node.target, node.value) if isinstance(node, ast.AugAssign) else (node.left, node.right)
        if name_of(divided).lower() == key:
            yield node, by

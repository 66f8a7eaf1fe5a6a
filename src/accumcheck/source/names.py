"""The names that a program uses."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

_TRAINERS = ("transformers", "trl", "sentence_transformers", "llamafactory")
"""Packages whose trainers take their numbers from ``TrainingArguments``."""
_PARSERS = ("HfArgumentParser", "TrlParser")
_OF_PROCESSES = {
    "init_process_group",
    "Accelerator",
    "PartialState",
    "DistributedDataParallel",
    "DistributedSampler",
    "FullyShardedDataParallel",
    "fully_shard",
    "init_device_mesh",
    "deepspeed",
    "Fabric",
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
}
"""Names and texts in a program that uses several processes."""


def makes_training_arguments(trees: Iterable[ast.AST]) -> bool:
    """Whether a program names a class or a parser of training arguments, or a trainer that uses them."""
    return any(_is_of_arguments(name) for tree in trees for name in _names_in(tree))


def has_trainer(trees: Iterable[ast.AST]) -> bool:
    """Whether a program names a class of training arguments or a trainer that uses them; a parser is not enough."""
    names = (name for tree in trees for name in _names_in(tree))
    return any(name.rpartition(":")[2] not in _PARSERS and _is_of_arguments(name) for name in names)


def uses_processes(trees: Iterable[ast.AST]) -> bool:
    """Whether a program seems to use the other processes that torchrun starts."""
    return any(
        name.rpartition(":")[2] in _OF_PROCESSES
        for tree in trees
        for name in (*_names_in(tree), *_texts_in(tree), *imported_packages(tree))
    )


def identifiers_in(node: ast.AST) -> Iterator[str]:
    """The names and attributes in an expression."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr


def _names_in(tree: ast.AST) -> Iterator[str]:
    yield from identifiers_in(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            root = (node.module or "").partition(".")[0]
            yield from (f"{root}:{alias.name}" if root in _TRAINERS else alias.name for alias in node.names)


def _texts_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def imported_packages(tree: ast.AST) -> Iterator[str]:
    """The top-level packages that are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def _is_of_arguments(name: str) -> bool:
    package, _, own = name.rpartition(":")
    if own.endswith("TrainingArguments") or own in _PARSERS:
        return True
    return package in _TRAINERS and (own.endswith("Trainer") or (package == "trl" and own.endswith("Config")))

"""Other names of keys, as accelerate, axolotl, DeepSpeed, LLaMA-Factory, torchrun and TRL write them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from accumcheck.config.faults import Faults, KeyPath, show_path
from accumcheck.config.tree import Item, Keys, find, given, put, remove
from accumcheck.config.values import SET_BY_EPOCHS, SET_BY_SPLIT, SET_BY_STEPS
from accumcheck.record.split import SPLIT_ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterable

ALIASES: dict[Keys, Keys] = {
    ("base_model",): ("model", "name_or_path"),  # axolotl
    ("model_name_or_path",): ("model", "name_or_path"),  # LLaMA-Factory, TRL
    ("model", "base_model"): ("model", "name_or_path"),
    ("model", "model_name_or_path"): ("model", "name_or_path"),
    ("model", "pretrained_model_name_or_path"): ("model", "name_or_path"),  # transformers
    ("torch_dtype",): ("model", "dtype"),  # transformers, axolotl
    ("dtype",): ("model", "dtype"),  # TRL
    ("model", "torch_dtype"): ("model", "dtype"),
    ("attn_implementation",): ("model", "attn_implementation"),  # axolotl, TRL
    ("trust_remote_code",): ("model", "trust_remote_code"),  # axolotl, LLaMA-Factory, TRL
    ("model_revision",): ("model", "revision"),  # LLaMA-Factory, TRL
    ("revision_of_model",): ("model", "revision"),  # axolotl
    ("train_batch_size",): ("global_batch_size",),  # DeepSpeed
    ("num_machines",): ("launcher", "nnodes"),  # accelerate
    ("machine_rank",): ("launcher", "node_rank"),  # accelerate
    ("launcher", "num_machines"): ("launcher", "nnodes"),
    ("launcher", "machine_rank"): ("launcher", "node_rank"),
}
"""A key's other name -> its canonical path."""

LENGTH_ALIASES: tuple[Keys, ...] = (("sequence_len",), ("cutoff_len",))
"""axolotl's and LLaMA-Factory's names for the maximum length: ``data.synthetic.max_length``, or with ``data.jsonl`` or
``data.dataset`` ``data.max_length``."""


_SHARED_ARGUMENTS = (
    "learning_rate",
    "max_grad_norm",
    "optim",
    "weight_decay",
    "gradient_checkpointing",
    "deepspeed",
    "fsdp",
)
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("num_processes", "per_device_train_batch_size", "gradient_accumulation_steps"), SET_BY_SPLIT),
    **dict.fromkeys(SPLIT_ALIASES, SET_BY_SPLIT),
    "max_steps": SET_BY_STEPS,
    "num_train_epochs": SET_BY_EPOCHS,
    **dict.fromkeys(
        ("bf16", "fp16"),
        "not a top-level key; write model: {dtype: ...} for the weights, or training_arguments for mixed precision",
    ),
    **dict.fromkeys(_SHARED_ARGUMENTS, "not a top-level key; write it under training_arguments"),
}
"""A top-level key of other tools -> where to write it here."""


def canonical_path(keys: Keys) -> Keys:
    """The canonical path of a key that may be written with an alias: ``("torch_dtype",)`` -> ``("model", "dtype")``."""
    for length in range(len(keys), 0, -1):
        if keys[:length] in ALIASES:
            return ALIASES[keys[:length]] + keys[length:]
    return keys


def rename_aliases(tree: Item, faults: Faults) -> None:
    """Move values under aliases to their canonical keys; an alias next to its canonical key is an error."""
    for alias, target in ALIASES.items():
        item = remove(tree, alias)
        if item is not None:
            _move(tree, alias, target, item, faults)
    splits = find(tree, ("splits",))
    if splits is not None and isinstance(splits.value, list):
        for i, split in enumerate(splits.value):
            _rename_in_split(split, ("splits", i), faults)


def _rename_in_split(split: Item, path: KeyPath, faults: Faults) -> None:
    if split.mapping is None:
        return
    for name, item in list(split.mapping.items()):
        canonical = SPLIT_ALIASES.get(name)
        if canonical is None:
            continue
        del split.mapping[name]
        present = split.mapping.get(canonical)
        if present is not None:
            twice = f"the same key as {present.alias or show_path((*path, canonical))}, which is also given; keep one"
            faults.add(item.place, show_path((*path, name)), twice)
        else:
            split.mapping[canonical] = replace(item, alias=show_path((*path, name)))


def place_lengths(tree: Item, faults: Faults) -> None:
    """Move `LENGTH_ALIASES` to the key that fits the data's source, after file and command line were merged."""
    of_files = given(tree, ("data", "jsonl")) or given(tree, ("data", "dataset"))
    target: Keys = ("data", "max_length") if of_files else ("data", "synthetic", "max_length")
    found = [(alias, item) for alias in LENGTH_ALIASES if (item := remove(tree, alias)) is not None]
    for alias, item in sorted(found, key=lambda pair: pair[1].place.on_command_line):
        present = find(tree, target)
        if present is None or present.place.on_command_line == item.place.on_command_line:
            _move(tree, alias, target, item, faults)
        elif item.place.on_command_line:
            put(tree, target, replace(item, alias=show_path(alias)))


def _move(tree: Item, alias: Keys, target: Keys, item: Item, faults: Faults) -> None:
    present = find(tree, target)
    if present is not None:
        faults.add(item.place, show_path(alias), both_given(target, present))
        return
    put(tree, target, replace(item, alias=show_path(alias)))


def both_given(target: Keys, present: Item) -> str:
    """The message if a key is given under two names."""
    name = f" as {present.alias}" if present.alias else ""
    return f"another name of {show_path(target)}, which is also given{name} ({present.place}); keep one"


def other_names(target: Keys) -> Iterable[Keys]:
    """The aliases of a canonical path."""
    return (alias for alias, canonical in ALIASES.items() if canonical == target)

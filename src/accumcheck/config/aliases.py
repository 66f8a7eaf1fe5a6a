"""Other names of keys, as accelerate, axolotl, DeepSpeed, LLaMA-Factory, torchrun and TRL write them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from accumcheck.config.faults import Faults, show_path
from accumcheck.config.yaml_positions import Item

if TYPE_CHECKING:
    from collections.abc import Iterable

Keys = tuple[str, ...]

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
"""axolotl's and LLaMA-Factory's name of the greatest length: ``data.synthetic.max_length``, or with ``data.jsonl`` or
``data.dataset`` ``data.max_length``."""

SPLIT_ALIASES: dict[str, str] = {
    "n": "num_processes",
    "num_gpus": "num_processes",  # DeepSpeed
    "world_size": "num_processes",  # torch.distributed
    "nproc_per_node": "num_processes",  # torchrun
    "b": "per_device_train_batch_size",
    "micro_batch_size": "per_device_train_batch_size",  # axolotl
    "train_micro_batch_size_per_gpu": "per_device_train_batch_size",  # DeepSpeed
    "k": "gradient_accumulation_steps",
    "gradient_accumulation": "gradient_accumulation_steps",
}
"""Another name in a split's mapping -> the canonical one."""


def find(tree: Item, keys: Keys) -> Item | None:
    """The item at a path of mappings, or None."""
    here: Item | None = tree
    for key in keys:
        here = None if here is None or here.mapping is None else here.mapping.get(key)
    return here


def given(tree: Item, keys: Keys) -> bool:
    """Whether the key is there and not empty (null)."""
    item = find(tree, keys)
    return item is not None and (item.value is not None or item.broken)


def remove(tree: Item, keys: Keys) -> Item | None:
    """Take the item at a path of mappings out, and return it, or None."""
    parent = find(tree, keys[:-1])
    return None if parent is None or parent.mapping is None else parent.mapping.pop(keys[-1], None)


def put(tree: Item, keys: Keys, item: Item) -> Keys | None:
    """Set the item at a path of mappings, which are made where they are missing or empty.

    Returns:
        None, or the path of what stands in the way because it is no mapping.
    """
    parent = tree
    for depth, key in enumerate(keys[:-1], start=1):
        children = parent.mapping
        if children is None:
            return keys[: depth - 1]
        if key not in children or (children[key].value is None and not children[key].broken):
            children[key] = Item({}, item.place)
        parent = children[key]
    if parent.mapping is None:
        return keys[:-1]
    parent.mapping[keys[-1]] = item
    return None


def canonical_path(keys: Keys) -> Keys:
    """The canonical path of a key that may be written with an alias: ``("torch_dtype",)`` -> ``("model", "dtype")``."""
    for length in range(len(keys), 0, -1):
        if keys[:length] in ALIASES:
            return ALIASES[keys[:length]] + keys[length:]
    return keys


def rename_aliases(tree: Item, faults: Faults) -> None:
    """Move what a file says under aliases to the canonical keys; an alias next to its canonical key is noted."""
    for alias, target in ALIASES.items():
        item = remove(tree, alias)
        if item is not None:
            _move(tree, alias, target, item, faults)


def place_lengths(tree: Item, faults: Faults) -> None:
    """Move `LENGTH_ALIASES` to the key that fits the data's source, once file and command line are one tree."""
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
    """What to say where two names of one key are given."""
    name = f" as {present.alias}" if present.alias else ""
    return f"another name of {show_path(target)}, which is also given{name} ({present.place}); keep one"


def other_names(target: Keys) -> Iterable[Keys]:
    """The aliases of a canonical path."""
    return (alias for alias, canonical in ALIASES.items() if canonical == target)

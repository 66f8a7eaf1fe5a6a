"""From a YAML file and ``--set`` arguments to a checked `CheckConfig`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from accumcheck.config.aliases import place_lengths, rename_aliases
from accumcheck.config.consistency import check_consistency
from accumcheck.config.epochs import samples_of_epoch, steps_of
from accumcheck.config.faults import Faults, Place
from accumcheck.config.files import read_text
from accumcheck.config.model import CheckConfig
from accumcheck.config.other_files import by_its_keys, by_its_name
from accumcheck.config.overrides import apply_overrides
from accumcheck.config.paths import resolve_paths
from accumcheck.config.reading import adapter, read_tree
from accumcheck.config.tree import Item, given
from accumcheck.config.yaml_positions import read_document
from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_EXAMPLE = "for example model: {name_or_path: ./my-model}, global_batch_size: 8 and splits: [1x8x1, 1x2x4]"


def load_config(path: Path, overrides: Sequence[str] = ()) -> CheckConfig:
    """Read and check a configuration; the command line beats the file, and the file the defaults, for every key.

    Args:
        path: a YAML file. Relative paths in it are relative to its folder.
        overrides: ``key.path=value`` each, the value in YAML, as given with ``--set``. Paths in them are relative to
            the working directory.

    Returns:
        The configuration in canonical names, with local paths absolute and ``splits: auto`` unresolved (None).

    Raises:
        ConfigError: anything is wrong. Its text has one line for every error: file and line (or the ``--set``), the
            path of the key, what was found, what is allowed, and the closest allowed name.
    """
    if (what := by_its_name(path)) and path.is_file():
        raise ConfigError(f"{path}: {what}")
    text = read_text(path, "give the path of a YAML file")
    try:
        return read_config(text, Place(str(path)), path.resolve().parent, overrides)
    except ConfigError:
        if what := by_its_keys(text, path):
            raise ConfigError(f"{path}: {what}") from None
        raise


def read_config(text: str, whole: Place, folder: Path, overrides: Sequence[str] = ()) -> CheckConfig:
    """Read and check a configuration given as text; see `load_config`.

    Args:
        text: YAML.
        whole: where the text comes from, for messages.
        folder: what relative paths in the text are relative to.
        overrides: as in `load_config`.

    Raises:
        ConfigError: anything is wrong.
    """
    faults = Faults()
    tree = read_document(text, whole, faults)
    if tree is None:
        if not len(faults):
            faults.add(whole, "", f"the file is empty; write the keys of a check, {_EXAMPLE}")
        faults.raise_any()
    assert tree is not None
    if tree.mapping is None:
        what = "a list" if isinstance(tree.value, list) else "one value"
        if not tree.broken:
            faults.add(tree.place, "", f"found {what}; expected a mapping of keys, {_EXAMPLE}")
        faults.raise_any()
    tree = Item(tree.value, whole)
    rename_aliases(tree, faults)
    apply_overrides(tree, overrides, faults)
    rename_aliases(tree, faults)  # those inside a value such as --set 'model={base_model: gpt2}'
    place_lengths(tree, faults)
    reading = read_tree(tree, faults)
    resolve_paths(tree, reading.plain, folder, faults)
    check_consistency(tree, reading, faults)
    faults.raise_any()
    return _complete(adapter().validate_python({"model": {}, **reading.plain}), tree)


def _complete(check: CheckConfig, tree: Item) -> CheckConfig:
    """Fill in the defaults that depend on other keys."""
    model, data = check.model, check.data
    if not given(tree, ("model", "weights")) and model.name_or_path is not None and not model.shrink:
        model = replace(model, weights="pretrained")
    if data.jsonl is not None or data.dataset is not None:
        data = replace(data, synthetic=None)
    check = replace(check, model=model, data=data)
    if data.epochs is None:
        return check
    samples = data.samples or samples_of_epoch(check.global_batch_size, check.splits)
    return replace(
        check,
        data=replace(data, samples=samples),
        steps=steps_of(data.epochs, samples, check.global_batch_size),
    )

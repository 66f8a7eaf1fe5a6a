"""From a YAML file and ``--set`` arguments to a checked `CheckConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.config.aliases import place_lengths, rename_aliases
from accumcheck.config.consistency import check_consistency
from accumcheck.config.epochs import samples_of_epoch, steps_of
from accumcheck.config.faults import Faults, Place
from accumcheck.config.fields import ROOT
from accumcheck.config.model import (
    CheckConfig,
    DataConfig,
    DatasetSource,
    LauncherConfig,
    LlamaFactoryConfig,
    ModelConfig,
    ScriptConfig,
    SyntheticData,
    ToleranceConfig,
    TrlConfig,
)
from accumcheck.config.overrides import apply_overrides
from accumcheck.config.paths import resolve_paths
from accumcheck.config.yaml_positions import Item, read_document

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
    faults = Faults()
    whole = Place(str(path))
    return read_config(_text(path, whole, faults), whole, path.resolve().parent, overrides)


def read_config(text: str, whole: Place, folder: Path, overrides: Sequence[str] = ()) -> CheckConfig:
    """Read and check a configuration that is at hand as text; see `load_config`.

    Args:
        text: YAML.
        whole: where the text comes from, for messages.
        folder: what relative paths in the text are relative to.
        overrides: as of `load_config`.

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
    values: dict[str, Any] = ROOT.read(tree, (), faults)
    resolve_paths(tree, values, folder, faults)
    check_consistency(tree, values, faults)
    faults.raise_any()
    return _build(values)


def _text(path: Path, whole: Place, faults: Faults) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        faults.raise_with(whole, "", "there is no such file; give the path of a YAML file")
    except IsADirectoryError:
        faults.raise_with(whole, "", "this is a directory; give the path of a YAML file")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        faults.raise_with(whole, "", f"cannot be read: {reason}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(whole.source, raw.count(b"\n", 0, error.start) + 1)
        faults.raise_with(place, "", f"not UTF-8 text (byte 0x{raw[error.start]:02x}); save the file as UTF-8")


def _build(values: dict[str, Any]) -> CheckConfig:
    """The dataclasses, from values that have passed every check."""
    model = dict(values.get("model", {}))
    pretrained = "name_or_path" in model and not model.get("shrink", False)
    model.setdefault("weights", "pretrained" if pretrained else "random")
    data = dict(values.get("data", {}))
    if "dataset" in data:
        data["dataset"] = DatasetSource(**data["dataset"])
    if "synthetic" in data:
        data["synthetic"] = SyntheticData(**data["synthetic"])
    elif "jsonl" in data or "dataset" in data:
        data["synthetic"] = None
    sections = {
        "model": ModelConfig(**model),
        "data": DataConfig(**data),
        "tolerances": ToleranceConfig(**values.get("tolerances", {})),
        "launcher": LauncherConfig(**values.get("launcher", {})),
    }
    for name, kind in (("script", ScriptConfig), ("trl", TrlConfig), ("llamafactory", LlamaFactoryConfig)):
        if name in values:
            sections[name] = kind(**values[name])
    if (epochs := data.get("epochs")) is not None:
        batch = values["global_batch_size"]
        samples = data.setdefault("samples", samples_of_epoch(batch, values["splits"]))
        sections["data"], values["steps"] = DataConfig(**data), steps_of(epochs, samples, batch)
    return CheckConfig(**{**values, **sections})

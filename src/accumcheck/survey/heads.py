"""The head classes of the installed transformers: every model class that computes a loss from labels."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from accumcheck.survey.asked import Asked, Head
from accumcheck.survey.losses import computes_loss
from accumcheck.survey.tasks import REGISTRIES, named_task, registry_task

_OTHER = re.compile(r"^(TF|Flax)[A-Z]|^[a-z_]|(Config|Processor|Tokenizer|TokenizerFast|Extractor|Cache|Output)$")
"""Public names that are not model classes in torch."""

_TEXT, _IMAGE, _SOUND = {"model_type": "bert"}, {"model_type": "vit"}, {"model_type": "wav2vec2"}
_DECODER = {"model_type": "bert", "is_decoder": True, "add_cross_attention": True}
"""The encoder and the decoder for classes that combine any two models."""


def find_heads(asked: Asked) -> list[Head]:
    """The requested head classes, sorted by name. Their modules are imported; all of them take half a minute.

    A head is a model class that its package exports, whose forward computes a loss from labels or from the ends of a
    span, and that is not the base model of its type. Classes of TensorFlow and JAX do not count. If a module cannot be
    imported, its heads are not found.
    """
    import transformers

    registered, bare = _registered(), _names("MODEL_MAPPING_NAMES")
    found = []
    for name, folder in sorted(_exported().items()):
        if name in bare or not asked.may_want(name, folder):
            continue
        with contextlib.suppress(Exception):
            cls = getattr(transformers, name)
            if is_head(cls):
                module = str(cls.__module__).removeprefix("transformers.")
                task = registered.get(name) or named_task(name)
                found.append(Head(name, module, _model_type(cls), task, fields_of(cls)))
    return [head for head in found if asked.wants(head)]


def is_head(cls: Any) -> bool:
    """Whether a class is a model class whose forward computes a loss from labels."""
    from transformers import PreTrainedModel

    forward: Any = getattr(cls, "forward", None)
    if not (isinstance(cls, type) and issubclass(cls, PreTrainedModel)):
        return False
    try:
        takes = inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return False
    labels = [name for name in takes if _is_label(name)]
    return bool(labels) and computes_loss(cls, labels)


def fields_of(cls: Any) -> dict[str, Any]:
    """The fields that the configuration of a class needs to make a model with all its parts.

    Parts that are missing by default are switched on. If an encoder and a decoder have no default, small ones are used.
    """
    config_class = getattr(cls, "config_class", None)
    if config_class is None:
        return {}
    parts = getattr(config_class, "sub_configs", None) or {}
    try:
        made = config_class()
    except Exception:  # a configuration may raise anything without its parts
        takes = frozenset(inspect.signature(cls.forward).parameters)
        encoder = _SOUND if "input_values" in takes else _IMAGE if "pixel_values" in takes else _TEXT
        return {"encoder": encoder, "decoder": _DECODER}
    # a part of any type has no default
    own = [name for name, kind in parts.items() if str(getattr(kind, "model_type", "") or "")]
    return {name: {} for name in own if getattr(made, name, None) is None}


def _is_label(name: str) -> bool:
    """Whether a parameter of this name holds labels to predict. ``input_labels`` are inputs: the points of a prompt."""
    return name in ("labels", "start_positions") or (
        name.endswith(("_label", "_labels")) and not name.startswith("input_")
    )


def _exported() -> dict[str, str]:
    """The folder of the model, for each public name that may be a model class in torch."""
    import transformers

    found = {}
    for name, module in _classes_of(transformers).items():
        parts = module.split(".")  # models.bert.modeling_bert; models.bert before 4.50 or so
        file = parts[2] if len(parts) > 2 else "modeling_"
        if parts[0] == "models" and len(parts) > 1 and file.startswith("modeling_") and not _OTHER.search(name):
            found[name] = parts[1]
    return found


def _classes_of(package: Any) -> Mapping[str, str]:
    """The module of each public name, relative to ``transformers``. Every release's lazy package has this table."""
    table: Mapping[str, str] = vars(package)["_class_to_module"]
    return table


def _model_type(cls: Any) -> str:
    config = getattr(cls, "config_class", None)
    return str(getattr(config, "model_type", "") or "")


def _registered() -> dict[str, str]:
    """The task of each class name, from the first registry that has the class."""
    found: dict[str, str] = {}
    for registry in REGISTRIES:
        for name in _names(f"MODEL_FOR_{registry}_MAPPING_NAMES"):
            found.setdefault(name, registry_task(registry))
    return found


def _names(registry: str) -> frozenset[str]:
    from transformers.models.auto import modeling_auto

    def each() -> Iterator[str]:
        for item in getattr(modeling_auto, registry, {}).values():
            yield from (item,) if isinstance(item, str) else item

    return frozenset(each())

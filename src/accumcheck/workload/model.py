"""The model under test: from a folder, a hub id or an inline config, made on its device and in its dtype."""

from __future__ import annotations

import copy
import functools
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
import transformers
from packaging.version import Version
from transformers import PretrainedConfig, PreTrainedModel

from accumcheck.errors import WorkloadError
from accumcheck.rows.collate import Collator
from accumcheck.workload.architecture import config_of_class, load_config, model_class
from accumcheck.workload.causes import named_cause
from accumcheck.workload.determinism import sub_configs, turn_off_config_dropout, turn_off_module_dropout
from accumcheck.workload.hub import source_options
from accumcheck.workload.image_tokens import fit_image_tokens
from accumcheck.workload.random_weights import draw_weights
from accumcheck.workload.shrink_ways import WAYS, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accumcheck.config.model import ModelConfig


def build_model(model: ModelConfig, *, seed: int, device: torch.device | str) -> PreTrainedModel:
    """Build the model that a check trains; of the ways to shrink one, the first that builds.

    See `models_to_try`, whose arguments these are.

    Raises:
        WorkloadError: the model cannot be had; one line that says which and why.
    """
    first: WorkloadError | None = None
    for make in models_to_try(model, seed=seed, device=device):
        try:
            return make()
        except WorkloadError as error:
            first = first or error
    assert first is not None
    raise first


def models_to_try(
    model: ModelConfig, *, seed: int, device: torch.device | str
) -> Iterator[Callable[[], PreTrainedModel]]:
    """What makes the model that a check trains: several where it is to be shrunk, the smallest first.

    Args:
        model: which model, in which dtype, with which weights.
        seed: draws the weights where ``weights`` is ``random``; the same seed gives the same weights in every process
            and in every transformers release.
        device: where the parameters are created; no copy on another device or in another dtype is made on the way.

    Yields:
        A function that gives the model in train mode with every dropout at 0 and without a key-value cache. All
        parameters have the requested dtype; buffers keep what the architecture gives them (rotary frequencies stay
        float32). It raises a `WorkloadError`, one line, where the model cannot be had in this way.

    Raises:
        WorkloadError: the model cannot be had in any way.
    """
    if model.weights == "pretrained" and (model.shrink or model.name_or_path is None):
        what = "a shrunk model" if model.shrink else "an inline config"
        raise WorkloadError(f"model.weights: pretrained: {what} has no pretrained weights; use weights: random")
    config = load_config(model)
    cls = model_class(config, model)
    config = config_of_class(config, cls)
    if not model.shrink:
        yield lambda: _finished(_build(cls, model, config, torch.device(device), seed), model)
        return
    for way in WAYS:

        def make(way: Way = way) -> PreTrainedModel:
            with named_cause(model, what="cannot be shrunk"):
                small = way.shrink(config)
            if way.largest is not None:
                _check_size(cls, model, small, way.largest)
            return _finished(_build(cls, model, small, torch.device(device), seed), model)

        yield make


def _finished(built: PreTrainedModel, model: ModelConfig) -> PreTrainedModel:
    turn_off_module_dropout(built)
    dtype: torch.dtype = getattr(torch, model.dtype)
    for parameter in built.parameters():
        if parameter.is_floating_point() and parameter.dtype != dtype:
            parameter.data = parameter.data.to(dtype)
    if not built.can_generate():
        _name_padding(built)
    built.train()
    return built


def _name_padding(built: PreTrainedModel) -> None:
    """Say which id pads, as every user of a classifier must who trains on batches: some look for it in the ids."""
    for part in (built.config, built.config.get_text_config()):
        if getattr(part, "pad_token_id", None) is None:
            part.pad_token_id = Collator.of(built).pad_token_id


def _check_size(cls: Any, model: ModelConfig, config: PretrainedConfig, largest: int) -> None:
    """Raise a `WorkloadError` where a model would have more parameters than this, which are not made."""
    with named_cause(model), torch.device("meta"):
        found = sum(parameter.numel() for parameter in _makes(cls, model)(copy.deepcopy(config)).parameters())
    if found > largest:
        raise WorkloadError(f"it cannot be shrunk: with its own widths it has {found:,} parameters")


def _build(cls: Any, model: ModelConfig, config: PretrainedConfig, device: torch.device, seed: int) -> PreTrainedModel:
    if model.name_or_path is None or model.shrink:
        fit_image_tokens(config, given={} if model.shrink else model.config or {})
    dtype = getattr(torch, model.dtype)
    _prepare(config, dtype)
    with named_cause(model):
        if model.weights == "pretrained":
            return _pretrained(cls, model, config, dtype, device)
        return _drawn(cls, model, config, dtype, device, seed)


def _prepare(config: PretrainedConfig, dtype: torch.dtype) -> None:
    """Set on the config and on all its sub-configs what must hold before the modules are made."""
    turn_off_config_dropout(config)
    for part in sub_configs(config):
        if getattr(part, "is_encoder_decoder", False):  # made of the labels, which need both; checkpoints name them
            if getattr(part, "pad_token_id", None) is None:
                part.pad_token_id = 0
            if getattr(part, "decoder_start_token_id", None) is None:
                part.decoder_start_token_id = part.pad_token_id
        # Every release reads the dtype of a sub-config when it makes that part, under one name or the other.
        setattr(part, _dtype_name(), dtype)
        if hasattr(part, "use_cache"):
            part.use_cache = False
        if getattr(part, "default_language", "") is None and getattr(part, "languages", None):
            part.default_language = part.languages[0]  # with an adapter for each language, one of them is spoken
        if hasattr(part, "use_mamba_kernels") and find_spec("mamba_ssm") is None:
            part.use_mamba_kernels = False  # releases before 5.0 refuse to run without them unless told


def _dtype_name() -> str:
    """The name of the dtype in configs, in `from_pretrained` and in `from_config`: ``torch_dtype`` before 4.56."""
    return "dtype" if Version(transformers.__version__) >= Version("4.56") else "torch_dtype"


def _drawn(
    cls: Any, model: ModelConfig, config: PretrainedConfig, dtype: torch.dtype, device: torch.device, seed: int
) -> PreTrainedModel:
    options: dict[str, Any] = {_dtype_name(): dtype}
    if model.attn_implementation is not None:
        options["attn_implementation"] = model.attn_implementation
    make = _makes(cls, model)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        with torch.device(device):
            built: PreTrainedModel = make(config, **options)
    draw_weights(built, seed)
    return built


def _makes(cls: Any, model: ModelConfig) -> Any:
    """What makes a model of a config."""
    if hasattr(cls, "_model_mapping"):
        return functools.partial(cls.from_config, trust_remote_code=model.trust_remote_code)
    return cls._from_config


def _pretrained(
    cls: Any, model: ModelConfig, config: PretrainedConfig, dtype: torch.dtype, device: torch.device
) -> PreTrainedModel:
    options: dict[str, Any] = {_dtype_name(): dtype}
    if model.attn_implementation is not None:
        options["attn_implementation"] = model.attn_implementation
    if device.type != "cpu":
        options["device_map"] = {"": device}
    built: PreTrainedModel = cls.from_pretrained(model.name_or_path, config=config, **source_options(model), **options)
    return built


__all__ = ["build_model", "models_to_try"]

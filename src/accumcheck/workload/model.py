"""Build the model under test from a folder, a hub id or an inline config, on its device and in its dtype."""

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
from accumcheck.workload.answers import answer
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
    """Build the model of a check. If it is shrunk, the first way that works is used.

    The arguments are those of `models_to_try`.

    Raises:
        WorkloadError: the model cannot be built. The text says which one and why, in one line.
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
    """Functions that make the model of a check. If it is to be shrunk there are several, the smallest model first.

    Args:
        model: the model, its dtype and its weights.
        seed: the seed of the weights if ``weights`` is ``random``. The same seed gives the same weights in every
            process and in every transformers release.
        device: where the parameters are created. No copy is made on another device or in another dtype.

    Yields:
        A function that returns the model in train mode, without dropout and without a key-value cache. All parameters
        have the requested dtype. Buffers keep the dtype of the architecture (rotary frequencies stay float32). The
        function raises a `WorkloadError` with one line if the model cannot be built in this way.

    Raises:
        WorkloadError: the model cannot be built in any way.
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
    tried: list[dict[str, Any]] = []
    for way in WAYS:
        try:
            with named_cause(model, what="cannot be shrunk"):
                small = way.shrink(config)
        except WorkloadError as error:
            yield functools.partial(_refuse, error)
            continue
        if small.to_dict() in tried:
            continue
        tried.append(small.to_dict())

        def make(way: Way = way, small: PretrainedConfig = small) -> PreTrainedModel:
            if way.largest is not None:
                _check_size(cls, model, small, way.largest)
            return _finished(_built_as_asked(cls, model, small, torch.device(device), seed), model)

        yield make


def _refuse(error: WorkloadError) -> PreTrainedModel:
    raise error


def _built_as_asked(
    cls: Any, model: ModelConfig, config: PretrainedConfig, device: torch.device, seed: int
) -> PreTrainedModel:
    """Build a shrunk model. If its class refuses the config and says what it needs, the config gets it."""
    while True:
        try:
            return _build(cls, model, config, device, seed)
        except WorkloadError as error:
            if error.__cause__ is None or not answer(config, error.__cause__):
                raise


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
    """Set the padding id. Some classifiers look for it in their inputs, so users with batches must set it too."""
    for part in (built.config, built.config.get_text_config()):
        if getattr(part, "pad_token_id", None) is None:
            part.pad_token_id = Collator.of(built).pad_token_id


def _check_size(cls: Any, model: ModelConfig, config: PretrainedConfig, largest: int) -> None:
    """Raise a `WorkloadError` if a model would have too many parameters. The parameters are not allocated."""
    with named_cause(model), torch.device("meta"):
        found = sum(parameter.numel() for parameter in _makes(cls, model)(copy.deepcopy(config)).parameters())
    if found > largest:
        raise WorkloadError(f"the model cannot be shrunk: with its own widths it has {found:,} parameters")


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
    """Set the values of the config and its sub-configs that the modules need when they are made."""
    turn_off_config_dropout(config)
    for part in sub_configs(config):
        if getattr(part, "is_encoder_decoder", False):  # decoder inputs are made from labels with both
            if getattr(part, "pad_token_id", None) is None:
                part.pad_token_id = 0
            if getattr(part, "decoder_start_token_id", None) is None:
                part.decoder_start_token_id = part.pad_token_id
        # Every release reads the dtype of a sub-config under one of the two names when it makes that part.
        setattr(part, _dtype_name(), dtype)
        if hasattr(part, "use_cache"):
            part.use_cache = False
        if getattr(part, "default_language", "") is None and getattr(part, "languages", None):
            part.default_language = part.languages[0]  # a model with one adapter per language needs a language
        if hasattr(part, "use_mamba_kernels") and find_spec("mamba_ssm") is None:
            part.use_mamba_kernels = False  # releases before 5.0 need this to run without the kernels


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
    """The function that makes a model from a config."""
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

"""The model under test: from a folder, a hub id or an inline config, made on its device and in its dtype."""

from __future__ import annotations

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
from accumcheck.workload.shrink import shrink

if TYPE_CHECKING:
    from accumcheck.config.model import ModelConfig


# Tried in turn: some architectures (Zamba shares weights between layers) build from a certain depth on only.
_DEPTHS = (2, 8)


def build_model(model: ModelConfig, *, seed: int, device: torch.device | str) -> PreTrainedModel:
    """Build the model that a check trains.

    Args:
        model: which model, in which dtype, with which weights.
        seed: draws the weights where ``weights`` is ``random``; the same seed gives the same weights in every process
            and in every transformers release.
        device: where the parameters are created; no copy on another device or in another dtype is made on the way.

    Returns:
        The model in train mode with every dropout at 0 and without a key-value cache. All parameters have the
        requested dtype; buffers keep what the architecture gives them (rotary frequencies stay float32).

    Raises:
        WorkloadError: the model cannot be had; one line that says which and why.
    """
    if model.weights == "pretrained" and (model.shrink or model.name_or_path is None):
        what = "a shrunk model" if model.shrink else "an inline config"
        raise WorkloadError(f"model.weights: pretrained: {what} has no pretrained weights; use weights: random")
    config = load_config(model)
    cls = model_class(config, model)
    config = config_of_class(config, cls)
    if model.shrink:
        built = _smallest(cls, model, config, torch.device(device), seed)
    else:
        built = _build(cls, model, config, torch.device(device), seed)
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


def _smallest(
    cls: Any, model: ModelConfig, config: PretrainedConfig, device: torch.device, seed: int
) -> PreTrainedModel:
    """The model at the smallest depth that builds; the first's error where none does."""
    first: WorkloadError | None = None
    for layers in _DEPTHS:
        try:
            with named_cause(model, what="cannot be shrunk"):
                small = shrink(config, layers=layers)
            return _build(cls, model, small, device, seed)
        except WorkloadError as error:
            first = first or error
    assert first is not None
    raise first


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
    if hasattr(cls, "_model_mapping"):
        make, options["trust_remote_code"] = cls.from_config, model.trust_remote_code
    else:
        make = cls._from_config
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        with torch.device(device):
            built: PreTrainedModel = make(config, **options)
    draw_weights(built, seed)
    return built


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


__all__ = ["build_model"]

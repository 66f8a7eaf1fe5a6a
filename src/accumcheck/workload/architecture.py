"""Find the transformers config and the model class of a check's model."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import transformers
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel
from transformers.models.auto import configuration_auto, modeling_auto

from accumcheck.errors import UnsupportedError, WorkloadError
from accumcheck.rows.vocabulary import embedded_ids
from accumcheck.workload.causes import did_you_mean, named_cause
from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.hub import source_options

if TYPE_CHECKING:
    from accumcheck.config.model import ModelConfig

_ENCODER_DECODER_HEADS = (
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
)
_OTHER_HEADS = (
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES",
    "MODEL_FOR_VISION_2_SEQ_MAPPING_NAMES",
    "MODEL_FOR_CTC_MAPPING_NAMES",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES",
)
"""The order in which a head is searched if neither the user nor the config names one."""


BYTES = 256


def load_config(model: ModelConfig) -> PretrainedConfig:
    """Read the config from a folder or the hub, or make it from the inline fields.

    Raises:
        WorkloadError: it cannot be read, its ``model_type`` is unknown, or a field is invalid.
    """
    if model.config is not None:
        return _inline_config(model)
    assert model.name_or_path is not None
    with named_cause(model):
        config: PretrainedConfig = AutoConfig.from_pretrained(model.name_or_path, **source_options(model))
    return config


def _inline_config(model: ModelConfig) -> PretrainedConfig:
    fields = dict(model.config or {})
    model_type = fields.pop("model_type", None)
    known = configuration_auto.CONFIG_MAPPING_NAMES
    if model_type is None:
        raise WorkloadError("model.config has no model_type; add one, for example model_type: llama")
    if model_type not in known:
        raise UnsupportedError(
            f"model.config.model_type: {model_type!r} is not known to transformers {transformers.__version__}"
            f"{did_you_mean(str(model_type), list(known))}"
        )
    with named_cause(model):
        config: PretrainedConfig = AutoConfig.for_model(model_type, **fields)
    return config


def model_class(config: PretrainedConfig, model: ModelConfig) -> Any:
    """The class to build: the user's choice, else the config's class, else the first head for the config's type.

    Returns:
        A `PreTrainedModel` subclass; an auto class if the code comes with the model (``auto_map``).

    Raises:
        UnsupportedError: there is no such class, or none for this type.
    """
    if model.architecture is not None:
        found = getattr(transformers, model.architecture, None)
        if found is None:
            names = [name for name in dir(transformers) if "For" in name or name.endswith("Model")]
            raise UnsupportedError(
                f"model.architecture: transformers {transformers.__version__} has no {model.architecture}"
                f"{did_you_mean(model.architecture, names)}"
            )
        return found
    own_code = getattr(config, "auto_map", None) or {}
    if model.trust_remote_code:
        for name in own_code:
            if name.startswith("AutoModel") and hasattr(transformers, name):
                return getattr(transformers, name)
    for name in getattr(config, "architectures", None) or []:
        if hasattr(transformers, name):
            return getattr(transformers, name)
    first, then = _ENCODER_DECODER_HEADS, _OTHER_HEADS
    for mapping in (*first, *then) if config.is_encoder_decoder else (*then, *first):
        name = getattr(modeling_auto, mapping, {}).get(config.model_type)
        if name is not None:
            return getattr(transformers, name if isinstance(name, str) else name[0])
    raise UnsupportedError(
        f"no model class with a loss is known for model type {config.model_type!r}; set model.architecture to one"
        + ("" if not own_code else ", or set model.trust_remote_code: true to use the model's own code")
    )


def config_of_class(config: PretrainedConfig, cls: Any) -> PretrainedConfig:
    """The part of a composite config that the class takes. A text-only head of a vision-language model takes a part."""
    wanted = getattr(cls, "config_class", None)
    if isinstance(wanted, type) and not isinstance(config, wanted):
        for part in sub_configs(config):
            if type(part) is wanted:
                return part
    return config


def text_vocabulary(model: PreTrainedModel) -> int:
    """The number of ids that text may use: the vocabulary that the model both embeds and predicts.

    If a model does not have exactly one table of token embeddings, it is the smallest vocabulary in its config. If the
    config has none, for example because the model hashes characters, it is the number of byte values.

    Raises:
        UnsupportedError: the model takes no token ids.
    """
    size = embedded_ids(model)
    if size is not None:
        return size
    takes = inspect.signature(model.forward).parameters
    if "input_ids" not in takes and "labels" not in takes:
        raise UnsupportedError(f"{type(model).__name__}: no samples can be made, because the model takes no token ids")
    sizes = [vars(part).get("vocab_size") for part in sub_configs(model.config)]
    return min((size for size in sizes if isinstance(size, int) and size > 0), default=BYTES)

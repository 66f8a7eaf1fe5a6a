"""Make a small model and rows with the transformers of an environment, and write them. Run there as a module.

Reads one JSON object from standard input: ``model`` (the section of the configuration), ``rows``, ``seed``, ``layers``,
``longest``. Writes one to standard output: a `accumcheck.reproduce.case.Subject`, or ``{"error": text}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

SMALLEST_ROW = 4
LITERAL = 160
"""The largest number of integers in one field of a row."""


def describe(asked: dict[str, Any]) -> dict[str, Any]:
    """The requested subject, as JSON types."""
    from dataclasses import replace

    from accumcheck.config.model import CheckConfig, ModelConfig, SyntheticData
    from accumcheck.rows.collate import Collator
    from accumcheck.rows.sample import IMAGE_FIELDS
    from accumcheck.workload.data import build_samples
    from accumcheck.workload.model import build_model

    section = ModelConfig(**asked["model"])
    section = replace(section, shrink=asked["shrink"], weights="random", dtype="float32")
    model = build_model(section, seed=asked["seed"], device="cpu")
    _smaller(model.config, asked)
    lengths = SyntheticData(min_length=SMALLEST_ROW, max_length=asked["longest"], prompt_fraction=(0.0, 0.0))
    check = CheckConfig(model=section, global_batch_size=asked["rows"], splits=None, steps=1, seed=asked["seed"])
    check = replace(check, data=replace(check.data, synthetic=lengths))
    samples = build_samples(check, model, asked["rows"])
    return {
        "model_type": model.config.model_type,
        "config": _without_defaults(model.config),
        "model_class": type(model).__name__,
        "counts": _counts(model, samples[0]),
        "rows": [{name: _field(value) for name, value in sample.items()} for sample in samples],
        "joined": [name for name in samples[0] if name.startswith(IMAGE_FIELDS)],
        "pad": Collator.of(model).pad_token_id,
    }


def _smaller(config: Any, asked: dict[str, Any]) -> None:
    """Reduce every part to the requested depth. The script makes the model itself."""
    from accumcheck.workload.determinism import sub_configs

    if not asked["layers"]:
        return
    for part in sub_configs(config):
        for name in ("num_hidden_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers", "num_layers"):
            if isinstance(vars(part).get(name), int):
                setattr(part, name, min(asked["layers"], vars(part)[name]))
        if isinstance(layers := vars(part).get("layer_types"), list):
            part.layer_types = layers[: asked["layers"]]


def _without_defaults(config: Any) -> dict[str, Any]:
    """The values that differ from the defaults of the class and matter to the model."""
    found = json.loads(config.to_json_string(use_diff=True))
    return {
        name: _inner(value) for name, value in _kept(found, _defaults(type(config))).items() if name != "model_type"
    }


def _defaults(kind: Callable[[], Any]) -> dict[str, Any]:
    """The default values of a kind of configuration; empty if it has none, as for pairs of an encoder and a decoder."""
    try:
        found: dict[str, Any] = json.loads(kind().to_json_string(use_diff=False))
    except Exception:
        return {}
    return found


def _kept(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What differs from the defaults and matters to the model."""
    left_out = ("transformers_version", "architectures", "torch_dtype", "dtype", "use_cache")
    return {
        name: value
        for name, value in values.items()
        if name not in left_out and not name.startswith("_") and (name not in defaults or defaults[name] != value)
    }


def _inner(value: Any) -> Any:
    """The sections of composite configs, without empty and default values."""
    if not isinstance(value, dict) or "model_type" not in value:
        return value
    from transformers import AutoConfig

    kind = value["model_type"]
    return {"model_type": kind, **_kept(value, _defaults(lambda: AutoConfig.for_model(kind)) | {"model_type": kind})}


def _counts(model: Any, row: dict[str, Any]) -> str:
    labels = row.get("labels")
    if labels is None or labels.ndim < 1 or labels.is_floating_point():
        return "rows"
    name = type(model).__name__
    shifted = "CausalLM" in name or "LMHead" in name
    shifted |= "ConditionalGeneration" in name and not model.config.is_encoder_decoder
    return "shifted" if shifted else "tokens"


def _field(value: Any) -> dict[str, Any]:
    """The numbers of a field; for floating point the shape, because the numbers are random.

    Raises:
        ValueError: there are too many integers to write them out.
    """
    if value.is_floating_point():
        return {"shape": list(value.shape)}
    if value.numel() > LITERAL:
        raise ValueError(f"a row has {value.numel()} integers in one field, too many for a short script")
    return {"values": value.tolist()}


def main() -> None:
    """See the module."""
    import contextlib
    import io

    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            found = describe(asked)
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

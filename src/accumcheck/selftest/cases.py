"""What selftest runs, and what must come out. The faults themselves are planted by `accumcheck.stacks.planted`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accumcheck.config.epochs import steps_of
from accumcheck.config.model import CheckConfig, DataConfig, DType, LauncherConfig, ModelConfig, SyntheticData
from accumcheck.record import Split

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
}
SPLITS = ("1x8x1", "1x2x4", "2x2x2")
"""Powers of k and n are told apart by (k, n) = (1, 1), (4, 1) and (2, 2)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One check and what it must give; ``loss_rule`` and ``gradient_rule`` None where no name is expected of them.

    ``finding``: the id of a finding that must be there; "" for a clean case, in which every split must pass.
    """

    name: str
    check: CheckConfig
    finding: str
    loss_rule: str | None = None
    gradient_rule: str | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing is planted."""
        return not self.finding


def _check(
    fault: str,
    *,
    config: dict[str, Any] | None = None,
    shrink: bool = False,
    dtype: DType = "float32",
    splits: Sequence[str] = SPLITS,
    steps: int = 1,
    samples: int | None = None,
) -> CheckConfig:
    """``samples``: train for an epoch of so many, instead of ``steps``."""
    epochs = None if samples is None else 1
    return CheckConfig(
        model=ModelConfig(config=config or LLAMA, shrink=shrink, dtype=dtype),
        data=DataConfig(synthetic=SyntheticData(min_length=6, max_length=24), epochs=epochs, samples=samples),
        global_batch_size=8,
        steps=steps if samples is None else steps_of(1, samples, 8),
        splits=tuple(Split.parse(split) for split in splits),
        stack=f"planted:{fault}",
        launcher=LauncherConfig(device="cpu", timeout=120),
    )


def _rule(name: str, fault: str, loss: str, gradient: str) -> Case:
    return Case(name, _check(fault), ",".join(dict.fromkeys((loss, gradient))), loss, gradient)


FAULTY = (
    _rule("loss and gradient times k", "times-k", "token-mean*k", "token-mean*k"),
    _rule("loss and gradient over k", "over-k", "token-mean/k", "token-mean/k"),
    _rule("loss and gradient times n", "times-n", "token-mean*n", "token-mean*n"),
    _rule("loss and gradient over n", "over-n", "token-mean/n", "token-mean/n"),
    _rule("gradient alone times k", "gradient-only", "token-mean", "token-mean*k"),
    _rule("log alone times k", "log-only", "token-mean*k", "token-mean"),
    _rule("mean of means", "mean-of-means", "microbatch-mean", "microbatch-mean"),
    _rule("sum of means", "sum-of-means", "microbatch-mean*k", "microbatch-mean*k"),
    _rule("mean over each device", "device-mean", "device-mean", "device-mean"),
    _rule("tokens counted before the shift", "unshifted-count", "unshifted-token-mean", "unshifted-token-mean"),
    _rule("one sample dropped", "dropped-sample", "dropped-samples", "dropped-samples"),
    Case("one sample fed twice", _check("duplicated-sample"), "samples-differ", None, "duplicated-samples"),
    Case("one rank not synchronised", _check("unsynchronised"), "unsynchronised", None, "unsynchronised"),
    Case("not a number on one rank", _check("nan-on-one-rank"), "unexplained", "unexplained", "unexplained"),
    Case(
        "an epoch's tail divided by k",
        _check("tail-divisor", samples=12),
        "tail-divisor",
        *("unexplained", "unexplained"),
    ),
    Case("the step before leaks in", _check("leak", steps=2), "leaked-samples", "token-mean", "unexplained"),
    Case("samples in another order", _check("other-order", steps=2), "samples-differ"),
)
"""Each must be caught, and named as it says here."""

CLEAN = (
    Case("float32", _check("none"), ""),
    Case("float64", _check("none", dtype="float64"), ""),
    Case("bfloat16", _check("none", dtype="bfloat16"), ""),
    Case("float16", _check("none", dtype="float16"), ""),
    Case("GPT-2", _check("none", config={"model_type": "gpt2"}, shrink=True), ""),
    Case("LLaVA", _check("none", config={"model_type": "llava"}, shrink=True), ""),
    Case("a whole epoch", _check("none", samples=12), ""),
    Case("one process", _check("none", splits=("1x8x1", "1x1x8")), ""),
)
"""Each must pass without a finding."""

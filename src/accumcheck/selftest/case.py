"""One case of the self-test: a check, its expected result, and the splits that must be found wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accumcheck.config.epochs import steps_of
from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
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
"""(k, n) = (1, 1), (4, 1) and (2, 2) distinguish powers of k and n."""
ACCUMULATED = ("1x2x4", "2x2x2")
"""The splits of `SPLITS` with k > 1."""
SPREAD = ("2x2x2",)
"""The split of `SPLITS` with n > 1."""
PROGRAM = "accumcheck.selftest.program"


@dataclass(frozen=True, slots=True)
class Case:
    """One check and its expected result; ``loss_rule`` and ``gradient_rule`` are None if no rule is expected.

    ``finding``: the id of a finding that must be reported; "" for a clean case, in which every split must pass.
    ``accused``: the splits that must be found wrong, and no others; ``says``: a regular expression that the finding's
    text must match: the parameter, process, step, rows or line that cause the fault.
    """

    name: str
    check: CheckConfig
    finding: str
    loss_rule: str | None = None
    gradient_rule: str | None = None
    accused: tuple[str, ...] = ()
    says: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is planted."""
        return not self.finding


def in_trainer(
    fault: str,
    *,
    config: dict[str, Any] | None = None,
    shrink: bool = False,
    dtype: DType = "float32",
    splits: Sequence[str] = SPLITS,
    steps: int = 1,
    samples: int | None = None,
    training_arguments: Mapping[str, Any] | None = None,
) -> CheckConfig:
    """A check of a Trainer with a planted fault of `accumcheck.stacks.planted`.

    ``samples``: train for one epoch of this many samples instead of ``steps``.
    """
    epochs = None if samples is None else 1
    return CheckConfig(
        model=ModelConfig(config=config or LLAMA, shrink=shrink, dtype=dtype),
        data=DataConfig(synthetic=SyntheticData(min_length=6, max_length=24), epochs=epochs, samples=samples),
        global_batch_size=8,
        steps=steps if samples is None else steps_of(1, samples, 8),
        splits=tuple(Split.parse(split) for split in splits),
        stack=f"planted:{fault}",
        training_arguments=dict(training_arguments or {}),
        launcher=LauncherConfig(device="cpu", timeout=120),
    )


def in_program(fault: str, *, splits: Sequence[str] = SPLITS, steps: int = 1) -> CheckConfig:
    """A check of a training loop with this planted fault of `accumcheck.selftest.program`."""
    numbers = ["{per_device_train_batch_size}", "{gradient_accumulation_steps}", "{steps}"]
    written = {
        "global_batch_size": 8,
        "steps": steps,
        "splits": list(splits),
        "stack": "script",
        "script": {"module": PROGRAM, "arguments": [fault, *numbers]},
        "launcher": {"device": "cpu", "timeout": 120},
    }
    return read_config(json.dumps(written), Place("selftest"), Path())


def rule(
    name: str,
    fault: str,
    loss: str,
    gradient: str,
    accused: tuple[str, ...] = ACCUMULATED,
    says: str = "",
    **check: Any,
) -> Case:
    """A planted fault of a Trainer that follows a weighting rule; ``check`` is passed to `in_trainer`."""
    found = ",".join(dict.fromkeys((loss, gradient)))
    return Case(name, in_trainer(fault, **check), found, loss, gradient, accused, says)

"""The value types specific to this program: splits, rules with severities, command-line words, and others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from accumcheck.config.limits import BATCH, PROCESSES, SPLITS, Batch, Fraction, Processes
from accumcheck.declare.keys import Checked, Expected, Flag, Required, Section, Text, expect, refuse
from accumcheck.record import Severity, Split
from accumcheck.record.rule import BASES, OTHERS, PATTERN, WINDOWS, Rule, is_rule

SET_BY_SPLIT = "each split sets it; write it in splits, for example splits: [4x16x2] (n x b x k)"
SET_BY_STEPS = "accumcheck sets it; write steps, for example steps: 3"
SET_BY_EPOCHS = "accumcheck sets it; write data: {epochs: 2}, or steps"

# --- splits -----------------------------------------------------------------------------------------------------------

_SPLITS_EXPECTED = f"auto or a list of 1 to {SPLITS} splits, for example [1x8x1, 2x2x2]"
_SPLIT_EXPECTED = f"n x b x k, for example 4x16x2, with n from 1 to {PROCESSES}, b and k from 1 to {BATCH}"
SHORT_SPLIT = r"^\s*0*[1-9][0-9]{0,6}\s*[xX]\s*0*[1-9][0-9]{0,6}\s*[xX]\s*0*[1-9][0-9]{0,6}\s*$"


@dataclass(frozen=True, slots=True)
class SplitKeys(Section):
    """A split written as a mapping."""

    num_processes: Annotated[Processes, Required("num_processes: 2")]
    """Processes n, one per GPU."""
    per_device_train_batch_size: Annotated[Batch, Required("per_device_train_batch_size: 4")]
    """Samples b that one process feeds the model at once (per-device batch)."""
    gradient_accumulation_steps: Annotated[Batch, Required("gradient_accumulation_steps: 8")]
    """Micro-batches k in one optimizer step."""

    def split(self) -> Split:
        """The split."""
        return Split(self.num_processes, self.per_device_train_batch_size, self.gradient_accumulation_steps)


def is_short_split(value: Any) -> bool:
    """Whether the value is a text such as ``4x16x2``."""
    return isinstance(value, str) and re.search(SHORT_SPLIT, value) is not None


def _read_split(value: Any) -> Any:
    """A short split as the mapping that `SplitKeys` reads."""
    if isinstance(value, dict):
        return value
    if is_short_split(value):
        n, b, k = (int(number) for number in re.split("[xX]", value))
        if n <= PROCESSES and b <= BATCH and k <= BATCH:
            return {"num_processes": n, "per_device_train_batch_size": b, "gradient_accumulation_steps": k}
    three = isinstance(value, list) and len(value) == 3 and all(type(number) is int and number > 0 for number in value)
    raise expect(_SPLIT_EXPECTED, f"; write {'x'.join(map(str, value))}" if three else "")


def _read_splits(value: Any) -> Any:
    if value is None or (isinstance(value, list) and 1 <= len(value) <= SPLITS):
        return value
    raise expect(_SPLITS_EXPECTED, f"; write [{value}]" if is_short_split(value) else "")


OneSplit = Annotated[
    Split,
    Checked(
        SplitKeys,
        before=_read_split,
        after=SplitKeys.split,
        json=lambda mapping: {"anyOf": [{"type": "string", "pattern": SHORT_SPLIT}, mapping]},
    ),
]
Splits = Annotated[
    tuple[OneSplit, ...],
    Checked(before=_read_splits, json=lambda own: {**own, "minItems": 1, "maxItems": SPLITS, "uniqueItems": True}),
    Expected(_SPLITS_EXPECTED),
]

# --- severities -------------------------------------------------------------------------------------------------------


def canonical_rule(rule: str) -> str:
    """The rule's canonical name, whatever the order of its factors; a text that is not a rule is returned unchanged."""
    return str(Rule.parse(rule)) if is_rule(rule) else rule


def _read_rule(rule: str) -> str:
    if not is_rule(rule):
        raise refuse(
            f"unknown weighting rule; allowed: {', '.join((*BASES, *WINDOWS))}, each with factors such as *k or *k*n, "
            f"and {', '.join(OTHERS)}",
            options=(*BASES, *WINDOWS, *OTHERS),
        )
    return canonical_rule(rule)


RuleName = Annotated[
    str,
    Checked(after=_read_rule, json=lambda _: {"type": "string", "pattern": PATTERN}),
    Expected("a weighting rule, for example microbatch-mean*k"),
]
"""A weighting rule by its one name."""

_SEVERITIES = {
    "type": "object",
    "patternProperties": {PATTERN: {"enum": list(get_args(Severity))}},
    "additionalProperties": False,
}
Severities = Annotated[
    dict[Annotated[str, Checked(after=_read_rule)], Severity],
    Checked(json=lambda _: _SEVERITIES),
    Expected("a mapping of weighting rules to ignore, warn or fail"),
]

# --- mappings that are passed through ---------------------------------------------------------------------------------

_REFUSED = {
    "per_device_train_batch_size": SET_BY_SPLIT,
    "gradient_accumulation_steps": SET_BY_SPLIT,
    "max_steps": SET_BY_STEPS,
    "num_train_epochs": SET_BY_EPOCHS,
    "output_dir": "accumcheck sets it to a temporary directory; remove it",
}


def _read_argument(name: str) -> str:
    if name in _REFUSED:
        raise refuse(_REFUSED[name])
    return name


TrainingArguments = Annotated[
    dict[Annotated[str, Checked(after=_read_argument)], Any],
    Checked(json=lambda _: {"type": "object", "propertyNames": {"not": {"enum": list(_REFUSED)}}}),
    Expected("a mapping of TrainingArguments' fields, for example {average_tokens_across_devices: true}"),
]
"""TrainingArguments' fields, except those that accumcheck sets."""

_INLINE = {"type": "object", "properties": {"model_type": {"type": "string"}}, "required": ["model_type"]}
InlineConfig = Annotated[
    dict[str, Any],
    Checked(json=lambda _: _INLINE),
    Expected("a mapping, for example {model_type: llama, hidden_size: 32}"),
]
"""A configuration of transformers, with its ``model_type``."""

# --- others -----------------------------------------------------------------------------------------------------------


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the larger comes first")
    return pair


FractionPair = Annotated[
    tuple[Fraction, Fraction],
    Checked(after=_ordered),
    Expected("a pair of fractions of at least 0 and below 1, the smaller first, for example [0.0, 0.5]"),
]
"""Two fractions, the smaller first."""

Truth = Annotated[bool, Flag()]
Revision = Annotated[str, Text("a branch, a tag or a commit id")]
Column = Annotated[str, Text("the name of a column")]

"""The interface of a task: how its models are recognised, and how its samples are made."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers.models.auto import modeling_auto

from accumcheck.workload.draws import Maker

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


@dataclass(frozen=True)
class Head:
    """The properties of a model that show its task.

    Attributes:
        classes: the names of its class and of the base classes.
        takes: the names of its forward's parameters.
        generates: whether it continues text and computes a loss for this.
        encodes: whether it is an encoder-decoder.
    """

    classes: tuple[str, ...]
    takes: frozenset[str]
    generates: bool
    encodes: bool

    @classmethod
    def of(cls, model: PreTrainedModel) -> Head:
        """The head of a model. The model is not run."""
        takes = frozenset(inspect.signature(model.forward).parameters)
        return cls(
            classes=tuple(base.__name__ for base in type(model).__mro__),
            takes=takes,
            generates=bool(model.can_generate()) and "labels" in takes,
            encodes=bool(model.config.is_encoder_decoder) or "decoder_input_ids" in takes,
        )

    def is_one(self, registry: str, ending: str, *inputs: str) -> bool:
        """Whether the class is a head of this kind and takes one of these inputs.

        Args:
            registry: the name of a registry of transformers, for example ``MASKED_LM``.
            ending: the ending of such class names, for example ``ForMaskedLM``.
            inputs: names of parameters of forward.
        """
        known = names_in(registry)
        named = any(name in known or name.endswith(ending) for name in self.classes)
        return named and not self.takes.isdisjoint(inputs)

    @property
    def is_trained_to_generate(self) -> bool:
        """Whether it is trained to generate. Encoder-decoders restore masked text by generating it."""
        return self.generates and (self.encodes or self.classes[0] in names_in("CAUSAL_LM"))


def is_label(name: str) -> bool:
    """Whether a parameter of this name holds labels to predict. ``input_labels`` are inputs: the points of a prompt."""
    return name == "labels" or (name.endswith(("_label", "_labels")) and not name.startswith("input_"))


def names_in(registry: str) -> frozenset[str]:
    """The class names in one of transformers' registries of heads, for example ``MASKED_LM``."""
    names = getattr(modeling_auto, f"MODEL_FOR_{registry}_MAPPING_NAMES", {}).values()
    return frozenset(name for item in names for name in ([item] if isinstance(item, str) else item))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task.

    Attributes:
        name: the name that users see.
        fits: whether a model with this head is trained for it.
        maker: returns a function that makes its synthetic samples. It may run the model. It raises a `WorkloadError` if
            no samples can be made.
        reads_text: whether it can use the user's own text (``data.jsonl``, ``data.dataset``).
    """

    name: str
    fits: Callable[[Head], bool]
    maker: Callable[[PreTrainedModel, SyntheticData], Maker]
    reads_text: bool = False

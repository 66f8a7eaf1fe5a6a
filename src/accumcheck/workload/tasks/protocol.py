"""What a task is: how a model that is trained for it is recognised, and how its samples are made."""

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
    """What a model shows of its task.

    Attributes:
        classes: the names of its class and of those it is derived from.
        takes: the names of its forward's parameters.
        generates: whether it continues text, and computes a loss for that.
        encodes: whether it is an encoder-decoder.
    """

    classes: tuple[str, ...]
    takes: frozenset[str]
    generates: bool
    encodes: bool

    @classmethod
    def of(cls, model: PreTrainedModel) -> Head:
        """Read it off a model, which is not run."""
        takes = frozenset(inspect.signature(model.forward).parameters)
        return cls(
            classes=tuple(base.__name__ for base in type(model).__mro__),
            takes=takes,
            generates=bool(model.can_generate()) and "labels" in takes,
            encodes=bool(model.config.is_encoder_decoder),
        )

    def is_one(self, registry: str, ending: str, *inputs: str) -> bool:
        """Whether the class is such a head, and takes any of these inputs.

        Args:
            registry: of transformers' heads, for example ``MASKED_LM``.
            ending: how such classes are named, for example ``ForMaskedLM``.
            inputs: names of forward's parameters.
        """
        known = names_in(registry)
        named = any(name in known or name.endswith(ending) for name in self.classes)
        return named and not self.takes.isdisjoint(inputs)

    @property
    def is_trained_to_generate(self) -> bool:
        """Encoder-decoders fill in masked text by generating it, and some causal models are registered for both."""
        return self.generates and (self.encodes or self.classes[0] in names_in("CAUSAL_LM"))


def names_in(registry: str) -> frozenset[str]:
    """The class names in one of transformers' registries of heads, for example ``MASKED_LM``."""
    names = getattr(modeling_auto, f"MODEL_FOR_{registry}_MAPPING_NAMES", {}).values()
    return frozenset(name for item in names for name in ([item] if isinstance(item, str) else item))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task.

    Attributes:
        name: as it is shown to users.
        fits: whether a model with this head is trained for it.
        maker: makes what makes its synthetic samples; it may run the model, and raises a `WorkloadError` where none
            can be made.
        reads_text: whether the user's own text (``data.jsonl``, ``data.dataset``) serves it.
    """

    name: str
    fits: Callable[[Head], bool]
    maker: Callable[[PreTrainedModel, SyntheticData], Maker]
    reads_text: bool = False

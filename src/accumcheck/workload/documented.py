"""The inputs of a forward as its own documentation gives them: ``name (`torch.LongTensor` of shape `(...)`)``.

The documentation of every model in transformers has this form.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accumcheck.workload.determinism import sub_configs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PretrainedConfig, PreTrainedModel

_LINE = re.compile(r"^[ \t]*(\w+) \([`']+(?:[tT]orch\.)?(\w+)[`']* of shape [`']?\(?([^`'\n]*?)\)?[`'],?", re.MULTILINE)
_TEXT = re.compile(r"^((text_)?(input_)?seq(uence)?_len(gth)?|num_boxes)$")
_OTHER = 2
"""The size of a dimension whose name says nothing: the number of entities, of questions, of regions of an image."""


@dataclass(frozen=True, slots=True)
class Documented:
    """One input: its name, whether it holds whole numbers, and the names of its dimensions, the batch first."""

    name: str
    is_whole: bool
    dimensions: tuple[str, ...]

    def shape(self, config: PretrainedConfig, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of one row.

        Args:
            config: has the size of a dimension with the name of one of its fields.
            sizes: the sizes of ``length``, and of other dimensions by name.
        """
        return tuple(_size(name, config, sizes) for name in self.dimensions[1:])


def documented_inputs(model: PreTrainedModel) -> dict[str, Documented]:
    """The inputs whose shape is documented, by name, in the order of forward."""
    text = inspect.getdoc(type(model).forward) or ""
    found: dict[str, Documented] = {}
    for name, kind, dimensions in _LINE.findall(text):
        names = tuple(part.strip() for part in dimensions.strip("() ").split(",") if part.strip())
        found.setdefault(name, Documented(name, kind in ("LongTensor", "IntTensor", "BoolTensor"), names))
    return {name: found[name] for name in inspect.signature(model.forward).parameters if name in found}


def _size(name: str, config: PretrainedConfig, sizes: Mapping[str, int]) -> int:
    name = name.removeprefix("config.").removeprefix("self.")
    if name.isdigit():
        return int(name)
    if name in sizes:
        return sizes[name]
    if _TEXT.search(name):
        return sizes["length"]
    if "total" in name:
        return sizes["length"] + _OTHER
    for part in sub_configs(config):
        known = getattr(part, name, None)
        if isinstance(known, int) and not isinstance(known, bool) and known > 0:
            return known
    return _OTHER

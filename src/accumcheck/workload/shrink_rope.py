"""Rotary positions of a config that is shrunk: their widths, sections and tables, in proportion to the head size."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from accumcheck.workload.shrink_fill import first_number

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def shrink_rope(part: PretrainedConfig, before: dict[str, Any], *, width: int, head_dim: int) -> None:
    """Reduce rotary widths, sections and factor tables in proportion to the head size.

    Args:
        part: the shrunk config.
        before: its fields at full size.
        width: the hidden size of a config that names none.
        head_dim: the head size of a shrunk config that names none.
    """
    old_heads = before.get("num_attention_heads") or before.get("n_head") or 1
    width = before.get("hidden_size") or before.get("n_embd") or width
    if not isinstance(old_heads, int) or not isinstance(width, int):  # one for each stage: no rotary positions
        return
    old = before.get("head_dim") or width // old_heads
    new = first_number(part, "head_dim") or head_dim
    if isinstance(before.get("rotary_dim"), int):
        part.rotary_dim = max(2, before["rotary_dim"] * new // old // 2 * 2)
    ropes = [getattr(part, name, None) for name in ("rope_parameters", "rope_scaling")]  # one dict from 5.0 on
    tables = [table for rope in ropes if isinstance(rope, dict) for table in (rope, *rope.values())]
    for table in {id(table): table for table in tables if isinstance(table, dict)}.values():
        _shrink_rope_table(table, old, new)


def _shrink_rope_table(table: dict[str, Any], old: int, new: int) -> None:
    sections = table.get("mrope_section")
    if sections:
        table["mrope_section"] = _split(sections, max(len(sections), sum(sections) * new // old))
    for name in ("long_factor", "short_factor"):
        if isinstance(table.get(name), list):
            table[name] = table[name][: max(1, len(table[name]) * new // old)]


def section_rope(part: PretrainedConfig, *, head_dim: int) -> None:
    """Set the rotary sections of a text model like Qwen-VL's, whose code has a default for the full size."""
    name = "rope_parameters" if isinstance(getattr(part, "rope_parameters", None), dict) else "rope_scaling"
    rope = getattr(part, name, None) or {"rope_type": "default", "type": "default"}
    if "mrope_section" not in rope and all(not isinstance(value, dict) for value in rope.values()):
        rotary = int((first_number(part, "head_dim") or head_dim) * (rope.get("partial_rotary_factor") or 1))
        with contextlib.suppress(Exception):  # some configs only take sections for each kind of layer
            setattr(part, name, {**rope, "mrope_section": _split([3, 3, 2], rotary // 2)})


def _split(parts: list[int], total: int) -> list[int]:
    """Split ``total`` in proportion to ``parts``. Each part is at least 1; the part unlike the others gets the rest."""
    shares = [max(1, part * total // sum(parts)) for part in parts]
    rest = next((place for place, part in enumerate(parts) if parts.count(part) == 1), 0)
    shares[rest] += total - sum(shares)
    return shares

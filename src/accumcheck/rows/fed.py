"""The rows of what a program feeds its model: told apart, known again, and kept for the reference.

A row is a sample. With packing that is a packed row, whichever texts share it; in a padding-free batch it is a text; of
preference pairs it is a pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from accumcheck.errors import UnsupportedError
from accumcheck.rows.collate import Collator
from accumcheck.rows.fingerprint import fingerprint
from accumcheck.rows.images import images_of_rows
from accumcheck.rows.padding_free import POSITIONS, begin, samples_in
from accumcheck.rows.pairs import CHOSEN, REJECTED, as_rows, half, is_pair, pairs_in
from accumcheck.rows.sample import IGNORED, IMAGE_FIELDS, Sample
from accumcheck.runfolder.fed_rows import write_rows

ROW, PACKED, FLATTENED, PAIR = "row", "packed row", "text of a padding-free row", "pair"
"""What is taken for a sample."""
MASK = "attention_mask"

PADDED_LEFT = "prompt_"
"""Begins the names of what TRL pads on the left, since a completion of another field follows."""
PRECOMPUTED = ("ref_", "reference_")
"""Begin the names of what a stack has computed from the row: the same in two splits up to rounding only."""


class RowCollator(Collator):
    """A `Collator` that makes of rows what a stack would have made of them.

    Positions of several kinds are ``[kinds, rows, length]``, prompts of a field of their own are padded on the left,
    and pairs are all their chosen rows before all their rejected ones.
    """

    def __call__(self, rows: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Make one micro-batch of ``rows``."""
        if rows and is_pair(rows[0]):
            return {**self(as_rows(rows)), **super().__call__([half(row, "") for row in rows])}
        left = [name for name in (rows[0] if rows else {}) if name.startswith(PADDED_LEFT) and rows[0][name].ndim]
        if left:
            turned = [{**row, **{name: row[name].flip(0) for name in left}} for row in rows]
            batch = super().__call__(turned)
            return {**batch, **{name: batch[name].flip(1) for name in left}}
        kinds = [row[POSITIONS] for row in rows if POSITIONS in row and row[POSITIONS].ndim > row["input_ids"].ndim]
        if not kinds:
            return super().__call__(rows)
        batch = super().__call__([{name: value for name, value in row.items() if name != POSITIONS} for row in rows])
        longest = max(value.shape[-1] for value in kinds)
        padded = [torch.nn.functional.pad(value, (0, longest - value.shape[-1])) for value in kinds]
        return {**batch, POSITIONS: torch.stack(padded, dim=1)}


class Rows:
    """Gives each row a number that depends on its content alone, the same in every process and split.

    ``size``: the rows of a micro-batch; ``config``: the model's, once it is known; ``sample``: what is taken for one,
    to be set to `PAIR` where rows come in pairs, see `accumcheck.rows.pairs`; ``forms``: of each row that was fed
    alone, by its number, what it was fed as, padding included.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[int, Sample] = {}
        self.config: Any = None
        self.sample = ROW
        self.forms: dict[int, Sample] = {}

    def find(self, batch: Mapping[str, Any]) -> tuple[int, ...]:
        """The numbers of a batch's rows, which are kept.

        Raises:
            UnsupportedError: a field of the batch cannot be dealt out to its rows, or it cannot be told what is a row.
        """
        starts = begin(batch) or []
        apart = self._size > 1 and len(starts) > 1
        if len(starts) > 1:
            self.sample = FLATTENED if apart else PACKED
        found = []
        pairs = self.sample == PAIR
        for row in samples_in(batch, starts, self._size) if apart else rows_in(batch, self.config, pairs=pairs):
            number = number_of(row)
            self._kept.setdefault(number, row)
            found.append(number)
        if len(found) == 1 and not starts:
            (form,) = rows_in(batch, self.config, pairs=pairs, padded=True)
            self.forms.setdefault(found[0], form)
        return tuple(found)

    def write(self, folder: Path, rank: int) -> None:
        """Write the rows so far into a split's folder."""
        write_rows(folder, rank, self._kept)


def number_of(row: Sample) -> int:
    """60 bits that tell a row from others: of its inputs, its images among them, and of its labels."""
    if is_pair(row):
        text = ":".join(str(number_of(part)) for part in (half(row, CHOSEN), half(row, REJECTED)))
        text += _contents(half(row, ""))
    elif "input_ids" in row or not any("input_ids" in name for name in row):
        labels = row.get("labels")
        exact = "" if labels is None or labels.is_floating_point() else labels.long().numpy().tobytes().hex()
        images = fingerprint({name: value for name, value in row.items() if name.startswith(IMAGE_FIELDS)})
        text = f"{fingerprint(row)}:{images}:{exact}"
    else:  # several texts, none of which is the row's identity alone
        text = fingerprint(row) + _contents(row)
    return int(hashlib.blake2b(text.encode(), digest_size=8).hexdigest()[:15], 16)


def _contents(row: Sample) -> str:
    """All numbers of a row but those of images, and those that were computed from it."""
    names = [name for name in sorted(row) if not name.startswith((*IMAGE_FIELDS, *PRECOMPUTED))]
    return "".join(f":{name}={row[name].tolist()}" for name in names)


def rows_in(batch: Mapping[str, Any], config: Any = None, *, pairs: bool = False, padded: bool = False) -> list[Sample]:
    """The rows of a batch, on the CPU, without the padding that its ``attention_mask`` shows.

    Args:
        batch: what the model was fed.
        config: the model's, which knows the placeholders of images.
        pairs: whether two rows of ``input_ids`` are one sample.
        padded: leave the padding.

    Raises:
        UnsupportedError: a field of the batch cannot be dealt out to its rows.
    """
    tensors = {
        name: value.detach().cpu() for name, value in batch.items() if isinstance(value, torch.Tensor) and value.ndim
    }
    if not tensors:
        raise UnsupportedError("the model was fed no tensor with a batch dimension")
    if pairs and "input_ids" in tensors:
        return pairs_in(tensors, POSITIONS, lambda rows: rows_in(rows, config, padded=padded))
    first = next((tensors[name] for name in ("input_ids", "labels") if name in tensors), next(iter(tensors.values())))
    size = len(first)
    images = images_of_rows(tensors, size, config)
    texts = {name: value for name, value in tensors.items() if not name.startswith(IMAGE_FIELDS)}
    # positions of several kinds, as Qwen2-VL's, are [kinds, rows, length]
    kinds = texts.pop(POSITIONS) if texts.get(POSITIONS, first).ndim > first.ndim else None
    for name, value in (*texts.items(), *([] if kinds is None else [(POSITIONS, kinds)])):
        if value.shape[value is kinds] != size:
            raise UnsupportedError(
                f"the model was fed {name} of shape {tuple(value.shape)} for {size} rows; which part belongs to which "
                "row cannot be told, so there is no reference for a row by itself"
            )
    kept = {} if padded else _kept(texts)
    rows = []
    for index in range(size):
        row = {name: value[index] for name, value in texts.items()}
        row = {name: value[kept[name][index]] if name in kept else value for name, value in row.items()}
        if kinds is not None:
            shown = kept.get("input_ids")
            row[POSITIONS] = kinds[:, index] if shown is None else kinds[:, index, shown[index]]
        rows.append({name: value.clone() for name, value in {**row, **images[index]}.items()})
    return rows


def _kept(texts: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Which positions of each field are not padding, shape ``[rows, length]``; fields that show none are left out.

    The mask is that of all fields of its shape. Where a row is several texts, each mask is that of the fields whose
    names begin and end as its own does: ``prompt_attention_mask`` of ``prompt_input_ids``, ``attention_mask_chosen`` of
    ``input_ids_chosen``. Without any, copies of a row's last id that are not predicted are padding.
    """
    found: dict[str, torch.Tensor] = {}
    for mask in {MASK} & texts.keys() or (set() if "input_ids" in texts else texts.keys()):
        before, is_mask, after = mask.partition(MASK)
        for name, value in texts.items():
            fits = is_mask and name.startswith(before) and name.endswith(after) and texts[mask].ndim == 2
            if fits and value.shape[:2] == texts[mask].shape:
                found[name] = texts[mask].bool()
    ids, labels = texts.get("input_ids"), texts.get("labels")
    if MASK in texts or ids is None or labels is None or ids.ndim != 2 or labels.shape != ids.shape:
        return found
    filled = (labels == IGNORED) & (ids == ids[:, -1:])
    unfilled = ~filled.flip(-1).cumprod(dim=-1).flip(-1).bool()
    return {**{name: unfilled for name, value in texts.items() if value.shape[:2] == unfilled.shape}, **found}

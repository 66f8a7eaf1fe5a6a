"""The rows that a program feeds its model: separated, identified, and kept for the reference.

A row is a sample. With packing that is a packed row, whichever texts share it; in a padding-free batch it is a text;
with preference pairs it is a pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from accumcheck.errors import UnsupportedError
from accumcheck.record.fed import FedRow
from accumcheck.rows.fields import Dealer, refused, size_of
from accumcheck.rows.identity import fields_of, key_of
from accumcheck.rows.images import images_of_rows
from accumcheck.rows.padding import MASK, cut_images, unpadded
from accumcheck.rows.padding_free import POSITIONS, begin, is_description, samples_in
from accumcheck.rows.pairs import pairs_in
from accumcheck.rows.sample import IMAGE_FIELDS, Sample, Whole
from accumcheck.runfolder.fed_rows import write_padding, write_rows

T = TypeVar("T")

ROW, PACKED, FLATTENED, PAIR = "row", "packed row", "text of a padding-free row", "pair"
"""What counts as a sample."""


class Rows:
    """Gives each row a number that depends only on its content, the same in every process and split.

    ``size``: the rows of a micro-batch; ``config``: the model's, once it is known; ``sample``: what counts as one,
    set to `PAIR` if rows come in pairs, see `accumcheck.rows.pairs`; ``forms``: for each row that was fed alone, by
    its number, the row as it was fed, including padding.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[int, Sample] = {}
        self._fields: dict[int, FedRow] = {}
        self._dealer = Dealer()
        self._in_columns = False
        self._padding: set[int] = set()
        self.config: Any = None
        self.sample = ROW
        self.forms: dict[int, Sample] = {}

    def find(self, batch: Mapping[str, Any]) -> tuple[int, ...]:
        """The numbers of a batch's rows; the rows are kept.

        Raises:
            UnsupportedError: a field of the batch cannot be divided into rows, or it is not known what a row is.
        """
        starts = begin(batch) or []
        apart = self._size > 1 and len(starts) > 1
        if len(starts) > 1:
            self.sample = FLATTENED if apart else PACKED
        elif starts:  # the start of a single text carries no information
            batch = {name: value for name, value in batch.items() if not is_description(name)}
        found = []
        self._padding |= _padding_in(batch)
        pairs = self.sample == PAIR
        told = samples_in(batch, starts, self._size) if apart else self._rows_in(batch, pairs=pairs)
        for row in told:
            fields = fields_of(row)
            number = key_of(fields)
            self._kept.setdefault(number, row)
            self._fields.setdefault(number, fields)
            found.append(number)
        if len(found) == 1 and not apart:
            (form,) = self._rows_in(batch, pairs=pairs, padded=True)
            self.forms.setdefault(found[0], form)
        return tuple(found)

    def join(self, fed: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """The numbers of rows that several forwards of one micro-batch were fed: row j combines the j-th row of each.

        Rows are not combined if forwards have different numbers of rows, or if the forwards only together make up the
        micro-batch: a loop may feed its rows one by one.
        """
        self._in_columns |= all(len(rows) == self._size for rows in fed)
        in_pieces = sum(map(len, fed)) == self._size and not self._in_columns
        if in_pieces or len({len(rows) for rows in fed}) != 1:
            return tuple(number for rows in fed for number in rows)
        return tuple(self._joined(parts) for parts in zip(*fed, strict=True))

    def _joined(self, parts: Sequence[int]) -> int:
        """One row that combines several kept rows; a field name that is used already gets a number."""
        fields = _together([self._fields[part] for part in parts])
        number = key_of(fields)
        self._fields.setdefault(number, fields)
        self._kept.setdefault(number, _together([self._kept[part] for part in parts]))
        if all(part in self.forms for part in parts):
            self.forms.setdefault(number, _together([self.forms[part] for part in parts]))
        return number

    @property
    def fields(self) -> Mapping[int, FedRow]:
        """What identifies the rows so far, by their numbers."""
        return self._fields

    def _rows_in(self, batch: Mapping[str, Any], *, pairs: bool, padded: bool = False) -> list[Sample]:
        return rows_in(batch, self.config, pairs=pairs, padded=padded, dealer=self._dealer)

    def write(self, folder: Path, rank: int) -> None:
        """Write the rows so far into a split's folder."""
        write_rows(folder, rank, self._kept, self._fields)
        write_padding(folder, rank, self._padding)


def _padding_in(batch: Mapping[str, Any]) -> set[int]:
    """The ids that the mask of a batch hides."""
    ids, mask = batch.get("input_ids"), batch.get(MASK)
    if not isinstance(ids, torch.Tensor) or not isinstance(mask, torch.Tensor) or ids.shape != mask.shape:
        return set()
    return set() if ids.is_floating_point() else set(ids[mask == 0].tolist())


def _together(parts: Sequence[Mapping[str, T]]) -> dict[str, T]:
    """All fields of several rows; a field of the second is called ``NAME_2`` if the first has it as well."""
    found: dict[str, T] = {}
    for place, part in enumerate(parts, start=1):
        found |= {f"{name}_{place}" if name in parts[0] and place > 1 else name: value for name, value in part.items()}
    return found


def rows_in(
    batch: Mapping[str, Any],
    config: Any = None,
    *,
    pairs: bool = False,
    padded: bool = False,
    dealer: Dealer | None = None,
) -> list[Sample]:
    """The rows of a batch, on the CPU, without the padding marked by its masks.

    Args:
        batch: what the model was fed.
        config: the model's, which has the placeholders of images, and whether labels are a decoder's.
        pairs: whether two rows of ``input_ids`` are one sample.
        padded: keep the padding.
        dealer: remembers constants from batch to batch; None for a single batch.

    Raises:
        UnsupportedError: a field of the batch cannot be divided into rows.
    """
    dealer = dealer or Dealer()
    size = size_of(batch)
    if not size:
        raise UnsupportedError("the model's input has no batch dimension: it contains no tensor and no list")
    tensors = {
        name: value.detach().cpu() for name, value in batch.items() if isinstance(value, torch.Tensor) and value.ndim
    }
    if pairs and "input_ids" in tensors:
        made = pairs_in(tensors, POSITIONS, lambda rows: rows_in(rows, config, padded=padded))
        size, images = len(made), made
        by_row: dict[str, list[torch.Tensor]] = {}
        dealt: dict[str, list[Any]] = {}
    else:
        images = [cut_images(row) if not padded else row for row in images_of_rows(tensors, size, config)]
        by_row, dealt = _by_row(tensors, size, config, dealer, padded=padded)
    for name, value in batch.items():
        if name not in tensors:
            dealt[name] = dealer.deal(name, value, size)
    places = {name: place for place, name in enumerate(batch)}
    found = []
    for index in range(size):
        row = {name: rows[index].clone() for name, rows in by_row.items()}
        row |= {name: rows[index] for name, rows in dealt.items()}
        row |= images[index]
        ordered = sorted(row, key=lambda name: places.get(name, len(places)))
        found.append({name: _own(row[name]) for name in ordered})
    return found


def _by_row(
    tensors: Mapping[str, torch.Tensor], size: int, config: Any, dealer: Dealer, *, padded: bool
) -> tuple[dict[str, list[torch.Tensor]], dict[str, list[Any]]]:
    """Tensors other than images: those with rows as first dimension, and those that are whole."""
    texts, whole = {}, {}
    ids = tensors.get("input_ids")
    for name, value in tensors.items():
        if name.startswith(IMAGE_FIELDS):
            continue
        if is_description(name):
            whole[name] = [Whole(value)] * size
        elif len(value) == size or (len(value) == 1 and name != POSITIONS):
            texts[name] = value.expand(size, *value.shape[1:])
        elif name == POSITIONS and ids is not None:
            if value.ndim == ids.ndim and len(value) == 1:
                texts[name] = value.expand(size, *value.shape[1:])
            elif value.ndim != ids.ndim + 1 or value.shape[1] != size:
                raise refused(name, value, size)
        else:
            whole[name] = dealer.deal(name, value, size)
    kinds = tensors.get(POSITIONS)  # of several kinds, as Qwen2-VL's, they are [kinds, rows, length]
    if kinds is None or ids is None or kinds.ndim != ids.ndim + 1:
        kinds = None
    elif kinds.shape[1] != size:
        raise refused(POSITIONS, kinds, size)
    else:
        texts[POSITIONS] = kinds.movedim(0, -1)
    if padded:
        found = {name: list(value) for name, value in texts.items()}
    else:
        found = unpadded(texts, encoder_decoder=bool(getattr(config, "is_encoder_decoder", False)))
    if kinds is not None:
        found[POSITIONS] = [value.movedim(-1, 0) for value in found[POSITIONS]]
    return found, whole


def _own(value: Any) -> Any:
    """The value as a separate tensor; a view would be written together with the whole batch."""
    return value.clone() if isinstance(value, torch.Tensor) else value

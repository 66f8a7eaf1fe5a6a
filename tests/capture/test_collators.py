"""Random numbers of collators: a row's are its own, in whatever micro-batch it comes; others are refused."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from accumcheck.capture.collators import RowwiseCollator, give_rows_their_own_numbers, seed_of
from accumcheck.capture.patches import Patches, Seam
from accumcheck.errors import UnsupportedError

ROWS = [{"input_ids": list(range(start, start + length))} for start, length in ((1, 5), (9, 3), (2, 8), (4, 5))]


def padded(examples: list[dict[str, Any]]) -> torch.Tensor:
    longest = max(len(one["input_ids"]) for one in examples)
    return torch.tensor([one["input_ids"] + [0] * (longest - len(one["input_ids"])) for one in examples])


def masked(examples: list[dict[str, Any]]) -> torch.Tensor:
    """As a collator for masked language models does it: which are hidden, and which of these are replaced."""
    ids = padded(examples)
    hidden = torch.bernoulli(torch.full(ids.shape, 0.5)).bool()
    words = torch.randint(100, ids.shape, dtype=torch.long)
    return torch.where(hidden & (ids != 0), 100 + words, ids)


def rows_of(batch: torch.Tensor) -> list[list[int]]:
    return [[one for one in row.tolist() if one] for row in batch]


def test_a_row_is_masked_alike_in_every_micro_batch() -> None:
    collate = RowwiseCollator(masked)
    together = rows_of(collate(ROWS))
    torch.manual_seed(7)
    alone = [row for one in ROWS for row in rows_of(collate([one]))]
    backwards = rows_of(collate(ROWS[::-1]))[::-1]
    assert together == alone == backwards
    assert together != rows_of(padded(ROWS))  # and it is masked
    assert rows_of(masked(ROWS)) != rows_of(masked(ROWS))  # which by itself is random


def test_rows_of_one_batch_have_different_numbers_and_so_have_two_calls() -> None:
    def draws(examples: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand(len(examples), 4), torch.rand(len(examples), 4)

    first, second = RowwiseCollator(draws)(ROWS[:2])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("draw", "mean", "deviation", "dtype"),
    [
        (lambda shape: torch.rand(shape), 0.5, 12**-0.5, torch.float32),
        (lambda shape: torch.randn(shape, dtype=torch.float64), 0.0, 1.0, torch.float64),
        (lambda shape: torch.normal(2.0, 3.0, shape), 2.0, 3.0, torch.float32),
        (lambda shape: torch.empty(shape).uniform_(2, 4), 3.0, 2 * 12**-0.5, torch.float32),
        (lambda shape: torch.empty(shape).exponential_(2.0), 0.5, 0.5, torch.float32),
        (lambda shape: torch.randint(1, 4, shape), 2.0, (2 / 3) ** 0.5, torch.int64),
        (lambda shape: torch.empty(shape, dtype=torch.int32).random_(5), 2.0, 2**0.5, torch.int32),
        (lambda shape: torch.empty(shape).bernoulli_(0.2), 0.2, 0.4, torch.float32),
        (lambda shape: torch.bernoulli(torch.full(shape, 0.2)), 0.2, 0.4, torch.float32),
        (lambda shape: torch.rand_like(torch.empty(shape)), 0.5, 12**-0.5, torch.float32),
    ],
)
def test_numbers_have_their_distribution_and_dtype(draw: Any, mean: float, deviation: float, dtype: Any) -> None:
    collate = RowwiseCollator(lambda examples: draw((len(examples), 3000)))
    found = collate(ROWS)
    assert (found.shape, found.dtype) == ((4, 3000), dtype)
    # 12,000 numbers: the mean is off by a hundredth of the deviation, on average
    assert float(found.double().mean()) == pytest.approx(mean, abs=0.05 * deviation)
    assert float(found.double().std()) == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize(
    ("draw", "how"),
    [
        (lambda: torch.rand(()), "by torch's rand, with no entry for each row"),
        (lambda: torch.randperm(4), "by torch's randperm"),
        (lambda: np.random.rand(), "from numpy.random"),
        (lambda: random.random(), "from Python's random"),
    ],
)
def test_numbers_that_belong_to_no_row_are_refused(draw: Any, how: str) -> None:
    class Spans:
        def __call__(self, examples: list[Any]) -> torch.Tensor:
            draw()
            return padded(examples)

    with pytest.raises(UnsupportedError, match=f"collator .*Spans draws random numbers for a .* as a whole \\({how}"):
        RowwiseCollator(Spans())(ROWS)


def test_collators_that_draw_nothing_are_left_as_they_are() -> None:
    named: list[str] = []
    before = torch.get_rng_state()
    assert torch.equal(RowwiseCollator(padded, named.append)(ROWS), padded(ROWS))
    assert torch.equal(torch.get_rng_state(), before)
    assert not named


def test_what_a_collator_has_is_still_there_and_it_goes_to_other_processes() -> None:
    class Pads:
        pad = 3

    assert RowwiseCollator(Pads()).pad == 3  # type: ignore[arg-type]
    assert torch.equal(pickle.loads(pickle.dumps(RowwiseCollator(padded)))(ROWS), padded(ROWS))


def test_seeds_follow_the_content() -> None:
    one = {"a": np.arange(3), "b": torch.ones(2), "c": ["x", None, 1.5]}
    other = {"c": ["x", None, 1.5], "b": torch.ones(2), "a": np.arange(3)}
    assert seed_of(one) == seed_of(other)
    assert len({seed_of(one), *(seed_of({**one, **change}) for change in ({"a": 1}, {"b": 1}, {"c": 1}))}) == 4


def test_every_loader_made_from_then_on_is_answered_and_none_after() -> None:
    named: list[str] = []
    with Patches([Seam.DATA_LOADER]) as patches:
        give_rows_their_own_numbers(patches, named.append)
        rows: Any = ROWS
        loader = DataLoader[Any](rows, batch_size=2, collate_fn=masked)
        again = DataLoader[Any](rows, batch_size=4, collate_fn=loader.collate_fn)
        by_two = [row for batch in loader for row in rows_of(batch)]
        assert [rows_of(batch) for batch in again] == [by_two]
        assert named == ["masked"]
        assert not isinstance(DataLoader(ROWS).collate_fn, RowwiseCollator)  # type: ignore[arg-type]
    assert DataLoader(ROWS, collate_fn=masked).collate_fn is masked  # type: ignore[arg-type]

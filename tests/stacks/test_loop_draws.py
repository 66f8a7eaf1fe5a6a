"""Random numbers that a loop draws for its rows: a row's are its own, in whatever micro-batch it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from accumcheck.capture.collators import give_rows_their_own_numbers
from accumcheck.capture.patches import Patches, Seam
from accumcheck.stacks.programs.loop_draws import LoopDraws

DATA = [{"pixels": torch.arange(4.0) + 10 * row, "caption": torch.tensor(row)} for row in range(8)]


@pytest.fixture
def draws() -> Iterator[LoopDraws]:
    with Patches([Seam.BATCHES, Seam.DATA_LOADER]) as patches:
        found = LoopDraws(patches)
        give_rows_their_own_numbers(patches, made_loader=found.watch)
        yield found


def noise_of(loader: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """As diffusion models are trained: noise for every pixel, a time step for every image."""
    found = [
        (torch.randn_like(batch["pixels"]), torch.randint(0, 1000, (len(batch["caption"]),), device="cpu"))
        for batch in loader
    ]
    return torch.cat([noise for noise, _ in found]), torch.cat([steps for _, steps in found])


def test_a_row_is_given_its_own_numbers_in_every_micro_batch(draws: LoopDraws) -> None:
    torch.manual_seed(0)
    by_two = noise_of(DataLoader(DATA, batch_size=2))  # type: ignore[arg-type]
    torch.manual_seed(1)
    by_eight = noise_of(DataLoader(DATA, batch_size=8))  # type: ignore[arg-type]
    assert all(map(torch.equal, by_two, by_eight))
    assert len(torch.unique(by_two[0], dim=0)) == 8
    assert len(set(by_two[1].tolist())) > 4


class Ahead(DataLoader[Any]):
    """Fetches a batch before it hands out the one before, as accelerate's loaders do."""

    def __iter__(self) -> Any:
        batches = super().__iter__()
        held = next(batches)
        for batch in batches:
            yield held
            held = batch
        yield held


def test_loaders_that_fetch_ahead_hand_out_what_the_loop_holds(draws: LoopDraws) -> None:
    for size in (2, 4):
        plain = noise_of(DataLoader(DATA, batch_size=size))  # type: ignore[arg-type]
        assert all(map(torch.equal, noise_of(Ahead(DATA, batch_size=size)), plain))  # type: ignore[arg-type]


def test_loaders_that_accelerate_prepares_do_too(draws: LoopDraws) -> None:
    plain = noise_of(DataLoader(DATA, batch_size=2))  # type: ignore[arg-type]
    prepared = Accelerator(cpu=True).prepare(DataLoader(DATA, batch_size=2))  # type: ignore[arg-type]
    assert all(map(torch.equal, noise_of(prepared), plain))


def test_a_batch_that_a_trainer_holds_counts(draws: LoopDraws) -> None:
    first, second = torch.utils.data.default_collate(DATA[:2]), torch.utils.data.default_collate(DATA[2:4])
    draws.hold(first)
    one = torch.rand(2, 3)
    draws.hold(second)
    other = torch.rand(2, 3)
    draws.hold(first)
    assert torch.equal(torch.rand(2, 3), one)
    assert not torch.equal(other, one)


def test_draws_with_a_generator_or_without_an_entry_a_row_are_the_programs(draws: LoopDraws) -> None:
    draws.hold(torch.utils.data.default_collate(DATA[:2]))
    state = torch.Generator().manual_seed(3)
    expected = torch.rand(2, generator=torch.Generator().manual_seed(3))
    assert torch.equal(torch.rand(2, generator=state), expected)
    torch.manual_seed(5)
    scalar = torch.rand(())
    torch.manual_seed(5)
    assert torch.equal(torch.rand(()), scalar)
    torch.manual_seed(6)
    assert not torch.equal(torch.rand(()), scalar)


def test_nothing_is_answered_between_batches_or_after() -> None:
    original = torch.rand
    with Patches([Seam.BATCHES]) as patches:
        draws = LoopDraws(patches)
        draws.hold(None)
        torch.manual_seed(0)
        first = torch.rand(2)
        torch.manual_seed(1)
        assert not torch.equal(torch.rand(2), first)
    assert torch.rand is original

"""Weights that are kept in a file come back to the bit, as those that are kept in memory do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from accumcheck.stacks.updates import kept
from accumcheck.stacks.updates.kept import KeptWeights, TemporaryWeights

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64]


@pytest.fixture
def file() -> Iterator[TemporaryWeights]:
    made = TemporaryWeights()
    yield made
    made.close()


def parameters(dtype: torch.dtype) -> list[torch.nn.Parameter]:
    """Of several shapes, one of them not contiguous."""
    shapes = [(3, 5), (), (0,), (2, 2, 2)]
    made = [torch.nn.Parameter(torch.randn(shape).to(dtype)) for shape in shapes]
    return [*made, torch.nn.Parameter(torch.randn(4, 6).to(dtype).t())]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("limit", [0, 2**26])
def test_every_weight_is_put_back(
    dtype: torch.dtype, limit: int, file: TemporaryWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "IN_MEMORY", limit)
    torch.manual_seed(0)
    held = parameters(dtype)
    expected = [one.detach().clone() for one in held]
    before = KeptWeights(file)
    before.keep(held)
    with torch.no_grad():
        for one in held:
            one.add_(1)
    before.keep(held)  # an inner step: what was kept first counts
    assert list(before) == [id(one) for one in held]
    assert len(before) == len(held)
    for one, value in zip(held, expected, strict=True):
        assert torch.equal(before[id(one)], value)
        assert one.numel() == 0 or not torch.equal(one, value)  # asking for it changes nothing
    before.put_back()
    assert all(torch.equal(one, value) for one, value in zip(held, expected, strict=True))


def test_only_large_models_have_a_file_and_each_step_overwrites_it(
    file: TemporaryWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = TemporaryWeights.write

    def noting(file: TemporaryWeights, tensor: torch.Tensor, offset: int) -> int:
        written.append(offset)
        return write(file, tensor, offset)

    monkeypatch.setattr(TemporaryWeights, "write", noting)
    two = [torch.nn.Parameter(torch.ones(4)), torch.nn.Parameter(torch.ones(2))]
    KeptWeights(file).keep(two)
    assert written == []
    monkeypatch.setattr(kept, "IN_MEMORY", 23)  # six entries of four bytes are more
    for value in (1.0, 2.0):
        step = KeptWeights(file)
        step.keep(two)
        assert float(step[id(two[0])][3]) == value
        with torch.no_grad():
            two[0].fill_(2.0)
    assert written == [0, 16, 0, 16]

"""Which entries of a gradient are kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from accumcheck.capture.coordinates import (
    GradientReader,
    named_parameters_of,
    projected,
    random_bits,
    share_out,
    signed_sums,
    signed_sums_in_order,
)


def model_with_gradients(dtype: torch.dtype = torch.float32) -> torch.nn.Sequential:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1, bias=False)).to(dtype)
    for number, parameter in enumerate(model.parameters(), start=1):
        parameter.grad = torch.full_like(parameter, float(number))
    return model


def test_small_parameters_keep_all_and_large_ones_share_the_rest() -> None:
    assert share_out([2, 100, 10, 100], 50) == [2, 19, 10, 19]
    assert share_out([5, 5], 100) == [5, 5]
    assert share_out([7, 7, 7], 2) == [1, 1, 1]  # every parameter keeps something


def test_a_small_model_keeps_every_entry() -> None:
    model = model_with_gradients()
    reader = GradientReader.of(model, seed=0)
    assert reader.coordinates.names == ("0.weight", "0.bias", "1.weight")
    assert reader.coordinates.starts == (0, 6, 8)
    assert reader.coordinates.complete
    entries, norm = reader.read(model)
    assert entries.tolist() == [1.0] * 6 + [2.0] * 2 + [3.0] * 2
    assert norm == pytest.approx((6 * 1 + 2 * 4 + 2 * 9) ** 0.5)


def test_a_subset_is_the_same_for_the_same_seed_and_the_norm_is_still_whole() -> None:
    model = model_with_gradients()
    weight = model[0].weight
    weight.grad = torch.arange(6.0).reshape(2, 3)
    readers = [GradientReader.of(model, seed=3, limit=7) for _ in range(2)]
    (first, norm), (second, _) = (reader.read(model) for reader in readers)
    assert not readers[0].coordinates.complete
    assert readers[0].coordinates.sizes == (3, 2, 2)
    assert np.array_equal(first, second)
    assert set(first[:3]) <= {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}
    assert norm == pytest.approx((sum(i * i for i in range(6)) + 2 * 4 + 2 * 9) ** 0.5)


def test_what_no_gradient_reached_counts_as_zero() -> None:
    model = model_with_gradients()
    model[0].bias.grad = None
    entries, _ = GradientReader.of(model, seed=0).read(model)
    assert entries[6:8].tolist() == [0.0, 0.0]


def test_frozen_parameters_are_left_out() -> None:
    model = model_with_gradients()
    model[0].weight.requires_grad_(False)
    assert GradientReader.of(model, seed=0).coordinates.names == ("0.bias", "1.weight")


def test_bfloat16_is_kept_exactly_and_float64_in_full() -> None:
    entries, _ = GradientReader.of((half := model_with_gradients(torch.bfloat16)), seed=0).read(half)
    assert entries.dtype == np.float32
    entries, _ = GradientReader.of((wide := model_with_gradients(torch.float64)), seed=0).read(wide)
    assert entries.dtype == np.float64


def test_another_model_is_refused() -> None:
    reader = GradientReader.of(model_with_gradients(), seed=0)
    with pytest.raises(LookupError, match=r"no parameter '0\.weight'"):
        reader.read(torch.nn.Linear(1, 1))


def test_projections_measure_the_whole_of_a_tensor() -> None:
    """The mean square of a difference's projections is its norm's square, wherever in the tensor it is."""
    gradient = torch.linspace(-1, 1, 5000, dtype=torch.float64)
    other = gradient.clone()
    other[4321] += 3.0
    apart = np.subtract(projected(other, 7), projected(gradient, 7))
    assert np.abs(apart).tolist() == pytest.approx([3.0] * 4)
    assert projected(gradient, 7) == projected(gradient, 7)
    assert projected(gradient, 8) != projected(gradient, 7)


def split_mix(state: int) -> int:
    """SplitMix64's output for a state, in Python's integers."""
    mixed = state * 0x9E3779B97F4A7C15 % 2**64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
    return mixed ^ mixed >> 31


def test_random_bits_are_split_mixs_and_those_of_a_part_are_its_own() -> None:
    words = b"".join(split_mix(number + (7 << 36)).to_bytes(8, "little") for number in range(2, 9))
    expected = [byte & 15 for byte in words] + [byte >> 4 for byte in words]
    assert random_bits(100, 7, 32, torch.device("cpu")).tolist() == expected[:100]
    counts = torch.bincount(random_bits(2**20, 7, 0, torch.device("cpu")), minlength=16)
    assert (counts - 2**16).abs().max() < 6 * 2**8  # standard deviation: just under 2^8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_signed_sums_are_the_same_in_both_ways(dtype: torch.dtype) -> None:
    part = torch.randn(1000, generator=torch.Generator().manual_seed(0)).to(dtype)
    bits = random_bits(1000, 3, 0, torch.device("cpu"))
    by_hand = [
        sum(x if b >> at & 1 else -x for x, b in zip(part.tolist(), bits.tolist(), strict=True)) for at in range(4)
    ]
    assert signed_sums(part, bits).tolist() == pytest.approx(by_hand)
    assert signed_sums_in_order(part, bits).tolist() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("limit", [4, 1000])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_plain_model_is_read_alike_both_ways(limit: int, dtype: torch.dtype) -> None:
    model = model_with_gradients(dtype)
    next(model.parameters()).grad = None  # counts as zero
    reader = GradientReader.of(model, seed=0, limit=limit)
    whole, _ = reader.read(model)
    plain = reader.read_plain(named_parameters_of(model))
    assert plain.dtype == whole.dtype
    assert plain.tolist() == whole.tolist()
    assert plain.any()

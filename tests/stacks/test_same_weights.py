"""Weights are known again exactly, whoever begins second is compared with the first, and they must stay."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.same_weights import check_same_start, check_weights_held, reference_model_of, sums_of


def model(seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Linear(3, 2).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_least_change_of_one_entry_is_seen(dtype: torch.dtype) -> None:
    made: Any = model(dtype=dtype)
    before = sums_of(made)
    assert sums_of(model(dtype=dtype)) == before
    with torch.no_grad():
        made.weight[1, 1] = torch.nextafter(made.weight[1, 1], torch.tensor(9.0, dtype=dtype))
    assert [name for name, total in sums_of(made).items() if total != before[name]] == ["weight"]


def test_the_sum_is_that_of_the_bit_patterns() -> None:
    made = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        made.weight.copy_(torch.tensor([[1.0, 2.0]]))
    assert sums_of(made) == {"weight": 0x3F800000 + 0x40000000}  # IEEE 754
    with torch.no_grad():
        made.weight.copy_(torch.tensor([[-0.0, 0.0]]))
    assert sums_of(made) == {"weight": 0}


def test_whoever_begins_with_others_is_told_who_was_first(tmp_path: Path) -> None:
    check_same_start(tmp_path, "process 0 of split 1x4x1", sums_of(model(0)))
    check_same_start(tmp_path, "process 0 of split 2x2x1", sums_of(model(0)))
    with pytest.raises(WorkloadError) as raised:
        check_same_start(tmp_path, "the reference", sums_of(model(1)))
    assert str(raised.value).startswith(
        "the reference starts from different weights than process 0 of split 1x4x1 "
        "(2 of 2 parameters differ, for example weight)"
    )
    assert "set_seed(0)" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.json"]


def test_weights_that_moved_are_named() -> None:
    made: Any = model()
    begun = sums_of(made)
    check_weights_held(begun, sums_of(made))
    with torch.no_grad():
        made.bias += 1
    with pytest.raises(WorkloadError, match=r"changed 1 of 2 parameters \(for example bias\)"):
        check_weights_held(begun, sums_of(made))


def test_the_reference_model_of_a_trainer_must_be_the_same_too(tmp_path: Path) -> None:
    trained, frozen = model(0), reference_model_of(SimpleNamespace(ref_model=model(1)))
    check_same_start(tmp_path, "process 0 of split 1x4x1", sums_of(trained, frozen))
    check_same_start(tmp_path, "process 0 of split 2x2x1", sums_of(trained, model(1)))
    with pytest.raises(WorkloadError, match=r"2 of 4 parameters differ, for example ref_model\.weight"):
        check_same_start(tmp_path, "the reference", sums_of(trained, model(2)))
    with pytest.raises(WorkloadError, match=r"changed 2 of 4 parameters \(for example ref_model\.weight"):
        check_weights_held(sums_of(trained, frozen), sums_of(trained, model(2)))
    assert reference_model_of(SimpleNamespace(ref_model=None)) is None
    assert reference_model_of(None) is None

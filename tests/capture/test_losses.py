"""The factor on every loss, found on real backward passes."""

from __future__ import annotations

import pytest
import torch

from accumcheck.capture.losses import LossWatch, Passage, loss_in

WEIGHT = torch.nn.Parameter(torch.tensor(3.0))


def watched(count: object = None) -> tuple[LossWatch, torch.Tensor]:
    """A forward that was passed ``count`` and returned a loss of 6."""
    watch, loss = LossWatch(), WEIGHT * 2
    watch.fed({"input_ids": None, "num_items_in_batch": count})
    watch.returned({"loss": loss})
    return watch, loss


@pytest.mark.parametrize("factor", [1.0, 0.25, 2.0, -3.0])
def test_the_factor_is_what_the_loss_was_multiplied_by_before_it_was_differentiated(factor: float) -> None:
    watch, loss = watched()
    (loss * factor).backward()
    assert watch.take() == [Passage(6.0, factor, None)]


def test_a_loss_that_is_scaled_in_place_is_known_as_it_was_returned() -> None:
    watch, loss = watched()
    loss *= 4
    loss.backward()
    assert watch.take() == [Passage(6.0, 4.0, None)]


def test_the_factors_of_two_uses_add_up() -> None:
    watch, loss = watched()
    (loss / 4 + loss / 2).backward()
    assert watch.take()[0].factor == 0.75


def test_a_loss_that_is_not_differentiated_has_no_factor() -> None:
    watch, _ = watched()
    (WEIGHT * 5).backward()
    assert watch.take() == [Passage(6.0, None, None)]


@pytest.mark.parametrize(
    ("count", "seen"), [(285, 285.0), (torch.tensor(285), 285.0), (torch.tensor([7]), 7.0), (True, None), ("no", None)]
)
def test_the_count_that_was_passed_is_kept_if_it_is_a_number(count: object, seen: float | None) -> None:
    watch, loss = watched(count)
    loss.backward()
    assert watch.take()[0].token_count == seen


def test_every_forward_has_a_passage_also_one_without_a_loss() -> None:
    watch, first = watched(8)
    watch.fed({})
    watch.returned({"logits": WEIGHT.expand(3)})
    first.backward()
    assert watch.take() == [
        Passage(6.0, 1.0, 8.0),
        Passage(None, None, None),
    ]
    assert watch.take() == []


def test_the_loss_is_found_wherever_models_put_it() -> None:
    class Output:
        loss = WEIGHT

    assert loss_in({"loss": WEIGHT}) is WEIGHT
    assert loss_in(Output()) is WEIGHT
    assert loss_in((WEIGHT, torch.zeros(4))) is WEIGHT
    assert loss_in(WEIGHT) is WEIGHT
    assert loss_in({"logits": torch.zeros(4)}) is None
    assert loss_in(torch.zeros(4)) is None
    assert loss_in({"loss": None}) is None

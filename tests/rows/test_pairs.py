"""Preference pairs: a sample is a chosen and a rejected text, whichever of the two forms of batches it comes in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from accumcheck.errors import WorkloadError
from accumcheck.reference.losses import Losses
from accumcheck.reference.reduction import reduced
from accumcheck.rows.fed import PAIR, Rows, rows_in
from accumcheck.rows.identity import number_of
from accumcheck.rows.pairs import holds_pairs, pairs_of
from accumcheck.rows.row_collator import RowCollator
from accumcheck.rows.sample import KEPT_KINDS
from accumcheck.runfolder.fed_rows import read_rows
from accumcheck.work.fed_reference import check_loss_has_no_memory
from accumcheck.workload.assemble import Workload

PAD = 0
Batch = dict[str, torch.Tensor]


def stacked(chosen: list[list[int]], rejected: list[list[int]], prompt: int = 1) -> Batch:
    """As TRL's DPO makes them from 0.29 on: all the chosen rows, then all the rejected ones, padded on the right."""
    rows = chosen + rejected
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([row + [PAD] * (longest - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        "completion_mask": torch.tensor(
            [[0] * prompt + [1] * (len(row) - prompt) + [0] * (longest - len(row)) for row in rows]
        ),
    }


# the example in the documentation of TRL 0.24's DataCollatorForPreference
SIDE_BY_SIDE = {
    "prompt_input_ids": torch.tensor([[1, 2, 3], [PAD, 7, 8]]),
    "prompt_attention_mask": torch.tensor([[1, 1, 1], [0, 1, 1]]),
    "chosen_input_ids": torch.tensor([[4, 5], [9, 10]]),
    "chosen_attention_mask": torch.tensor([[1, 1], [1, 1]]),
    "rejected_input_ids": torch.tensor([[6, PAD, PAD], [11, 12, 13]]),
    "rejected_attention_mask": torch.tensor([[1, 0, 0], [1, 1, 1]]),
}
# as the RewardTrainer of TRL 0.15 has them
REWARD = {
    "input_ids_chosen": torch.tensor([[1, 2, 3], [4, 5, PAD]]),
    "attention_mask_chosen": torch.tensor([[1, 1, 1], [1, 1, 0]]),
    "input_ids_rejected": torch.tensor([[6, PAD], [7, 8]]),
    "attention_mask_rejected": torch.tensor([[1, 0], [1, 1]]),
    "margin": torch.tensor([0.5, 0.25]),
}


def same(made: Batch, expected: Batch) -> bool:
    return made.keys() == expected.keys() and all(torch.equal(made[name], expected[name]) for name in expected)


def test_two_rows_are_one_sample_and_known_again_beside_others() -> None:
    both = stacked([[1, 5, 6], [1, 7]], [[1, 8], [1, 9, 9, 9, 9]])
    first, second = rows_in(both, pairs=True)
    assert first["chosen/input_ids"].tolist() == [1, 5, 6]
    assert first["rejected/input_ids"].tolist() == [1, 8]
    assert second["rejected/completion_mask"].tolist() == [0, 1, 1, 1, 1]
    (alone,) = rows_in(stacked([[1, 5, 6]], [[1, 8]]), pairs=True)
    assert number_of(alone) == number_of(first) != number_of(second)
    # who does not know them for pairs has four samples
    assert len(rows_in(both)) == 4


def test_the_same_texts_with_other_parts_make_another_pair() -> None:
    numbers = [
        Rows.find(pairs(), stacked([[1, 5, 6]], [[1, 8]]))[0],
        Rows.find(pairs(), stacked([[1, 8]], [[1, 5, 6]]))[0],
        Rows.find(pairs(), stacked([[1, 5]], [[6, 1, 8]]))[0],
        Rows.find(pairs(), stacked([[1, 5, 6]], [[1, 7]]))[0],
        Rows.find(pairs(), {**stacked([[1, 5, 6]], [[1, 8]]), "margin": torch.tensor([0.5])})[0],
    ]
    assert len(set(numbers)) == 5


def test_what_a_stack_has_computed_of_a_pair_makes_no_other_of_it() -> None:
    # log-probabilities of the reference model, which come out of another batch with another rounding
    batch = stacked([[1, 5, 6]], [[1, 8]])
    once = {**batch, "ref_chosen_logps": torch.tensor([-7.0]), "ref_rejected_logps": torch.tensor([-5.0])}
    again = {**batch, "ref_chosen_logps": torch.tensor([-7.0000005]), "ref_rejected_logps": torch.tensor([-5.0])}
    assert pairs().find(once) == pairs().find(again)


def test_pairs_are_put_together_again_as_they_came() -> None:
    both = stacked([[1, 5, 6], [1, 7]], [[1, 8], [1, 9, 9, 9, 9]])
    both["ref_chosen_logps"] = torch.tensor([-1.0, -2.0])
    both["labels"] = torch.where(both["completion_mask"] == 1, both["input_ids"], -100)
    found = rows_in(both, pairs=True)
    again = RowCollator(PAD)(found)
    assert same(again, both)
    assert pairs_of(again) == 2
    alone = RowCollator(PAD)(found[:1])
    assert alone["input_ids"].tolist() == [[1, 5, 6], [1, 8, PAD]]
    assert alone["labels"].tolist() == [[-100, 5, 6], [-100, 8, -100]]
    assert alone["ref_chosen_logps"].tolist() == [-1.0]


def test_pairs_are_read_again_from_what_a_split_has_left(tmp_path: Path) -> None:
    rows = pairs()
    numbers = rows.find(stacked([[1, 5, 6], [1, 7]], [[1, 8], [1, 9, 9]]))
    (tmp_path / "1x2x1").mkdir()
    rows.write(tmp_path / "1x2x1", 0)
    assert read_rows(tmp_path, KEPT_KINDS)[numbers[1]]["rejected/input_ids"].tolist() == [1, 9, 9]


@pytest.mark.parametrize(("batch", "identity"), [(SIDE_BY_SIDE, "rejected_input_ids"), (REWARD, "input_ids_rejected")])
def test_pairs_of_several_fields_lose_their_padding_and_get_it_again(batch: Batch, identity: str) -> None:
    first, second = rows_in(batch)
    assert first[identity].tolist() == [6]
    assert same(RowCollator(PAD)([first, second]), batch)
    assert all(len(value) == 1 for value in RowCollator(PAD)([first]).values())
    # of another micro-batch, with other padding, the same: every field, not the first alone, tells it from others
    (alone,) = rows_in(RowCollator(PAD)([first]))
    assert number_of(alone) == number_of(first) != number_of({**first, identity: second[identity]})


def test_a_prompt_of_its_own_field_is_padded_on_the_left() -> None:
    rows = rows_in(SIDE_BY_SIDE)
    assert rows[1]["prompt_input_ids"].tolist() == [7, 8]
    assert RowCollator(PAD)(rows)["prompt_input_ids"].tolist() == [[1, 2, 3], [PAD, 7, 8]]
    # anything else on the right
    assert RowCollator(PAD)(rows)["rejected_input_ids"].tolist() == [[6, PAD, PAD], [11, 12, 13]]


def test_images_of_a_pair_go_with_both_of_its_rows() -> None:
    # LLaVA: TRL and LLaMA-Factory repeat a pair's images for its rejected row
    batch = {**stacked([[9, 5], [9, 6]], [[9, 7], [9, 8]]), "pixel_values": torch.tensor([1.0, 2.0, 1.0, 2.0])}
    batch["pixel_values"] = batch["pixel_values"].reshape(4, 1, 1, 1)
    first, second = rows_in(batch, SimpleNamespace(image_token_index=9), pairs=True)
    assert [first[f"{which}/pixel_values"].item() for which in ("chosen", "rejected")] == [1.0, 1.0]
    assert RowCollator(PAD)([first, second])["pixel_values"].flatten().tolist() == [1.0, 2.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("batch", "named"),
    [
        ({"input_ids": torch.ones(3, 2, dtype=torch.long)}, r"input_ids of shape \(3, 2\) for 3 rows"),
        ({**stacked([[1, 2]], [[1, 3]]), "weights": torch.ones(3)}, r"weights of shape \(3,\) for 2 rows"),
    ],
)
def test_what_cannot_be_dealt_out_to_pairs_is_refused(batch: Batch, named: str) -> None:
    with pytest.raises(WorkloadError, match=named):
        pairs().find(batch)


def made(name: str, *bases: type, **fields: Any) -> Any:
    return type(name, bases, fields)()


def test_a_trainer_of_pairs_is_known_by_its_kind_or_its_collator() -> None:
    dpo = type("DPOTrainer", (), {})
    assert holds_pairs(made("DPOTrainer"))
    assert holds_pairs(made("MyTrainer", dpo))
    assert holds_pairs(made("Trainer", data_collator=made("DataCollatorForPreference")))
    assert not holds_pairs(made("SFTTrainer", data_collator=made("DataCollatorForLanguageModeling")))
    assert not holds_pairs(None)


def test_a_sum_over_pairs_counts_pairs_not_rows() -> None:
    def loss_of(batch: Any) -> tuple[torch.Tensor, int]:
        return batch["input_ids"].double().sum(), 7

    batch = stacked([[1, 5], [1, 7]], [[1, 8], [1, 9]])  # adds up to 33
    loss, count = reduced(loss_of, "sum", 4, pairs_of)(batch)
    assert (loss.item(), count) == (66.0, 2)  # of 2 of 4 pairs; of 4 rows it would be 33.0 and 4
    assert reduced(loss_of, "sum", 4)(batch)[1] == 4


def test_a_trainer_that_remembers_pairs_is_refused() -> None:
    samples = rows_in(stacked([[1, 5], [1, 7]], [[1, 8], [1, 9]]), pairs=True)
    workload: Any = Workload(None, samples, RowCollator(PAD))  # type: ignore[arg-type]

    def plain(batch: Any) -> tuple[torch.Tensor, int]:
        return batch["input_ids"].double().mean(), 1

    check_loss_has_no_memory(Losses(plain, plain), workload, made("DPOTrainer"))
    seen = torch.zeros(())

    def running(batch: Any) -> tuple[torch.Tensor, int]:
        loss = plain(batch)[0] - 0.5 * seen
        seen.copy_(loss)
        return loss, 1

    with pytest.raises(WorkloadError, match=r"DPOTrainer computed a loss of 3\.75 for a pair, and of"):
        check_loss_has_no_memory(Losses(running, running), workload, made("DPOTrainer"))


def pairs() -> Rows:
    rows = Rows(2)
    rows.sample = PAIR
    return rows

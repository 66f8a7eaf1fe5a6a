"""The rows of a program's witness beside those of its splits: the same ones, but for padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Coordinates, MicroBatch
from accumcheck.rows.fed import Rows
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import REFERENCE
from accumcheck.runfolder.steps import SeenStep
from accumcheck.stacks.programs.witness import Witness
from accumcheck.work.fed_reference import _prepared
from accumcheck.work.testimony import told_by_witness, witnessed_otherwise

CHECK = CheckConfig(model=ModelConfig(config={"model_type": "llama"}), global_batch_size=2, steps=1, splits=None)
PLACES = Coordinates(("weight",), (2,), (0,), 2)


def test_a_row_that_a_micro_batch_pads_is_the_row_alone(tmp_path: Path) -> None:
    of_split, alone = Rows(2), Rows(1)
    fed = of_split.find({"tokens": torch.tensor([[5, 6, 0], [7, 8, 9]])})  # the first is padded, and no mask says so
    short, long = (alone.find({"tokens": torch.tensor([row])})[0] for row in ([5, 6], [7, 8, 9]))
    (tmp_path / "1x2x1").mkdir()
    of_split.write(tmp_path / "1x2x1", 0)
    seen = SeenStep(1.0, (MicroBatch(0, (short,)), MicroBatch(0, (long,))))
    added = np.array([[1.0, 0.0], [0.0, 2.0]], dtype=np.float32)
    witness = Witness(torch.nn.Linear(1, 1), None, PLACES, (seen,), alone.forms, alone.fields, (added,), "")
    job = Job(REFERENCE, 1, tmp_path / REFERENCE, CHECK, "cpu", "gloo", membership=(fed,))
    alike = witnessed_otherwise(job, witness)
    assert alike == [{short: fed[0]}]  # the other has the same contents in both
    testimony = told_by_witness(witness, alike, {(fed[0], 0): 0, (fed[1], 0): 1}, 2, PLACES, lambda: None)
    assert testimony is not None
    assert testimony.directions.tolist() == added.tolist()
    assert testimony.known.all()


def test_a_parameter_that_the_witness_does_not_train_has_no_direction() -> None:
    alone = Rows(1)
    (row,) = alone.find({"tokens": torch.tensor([[5, 6]])})
    added = np.array([[3.0, 4.0]], dtype=np.float32)
    seen = SeenStep(1.0, (MicroBatch(0, (row,)),))
    witness = Witness(torch.nn.Linear(1, 1), None, PLACES, (seen,), alone.forms, alone.fields, (added,), "")
    common = Coordinates(("bias", "weight"), (1, 2), (0, 1), 3)
    testimony = told_by_witness(witness, [{}], {(row, 0): 0}, 1, common, lambda: None)
    assert testimony is not None
    assert testimony.directions.tolist() == [[0.0, 3.0, 4.0]]


class Labelling:
    """Makes labels on the way, as a Trainer of one's own may."""

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {**inputs, "labels": inputs["input_ids"]}


def test_inputs_are_prepared_as_the_trainer_does_it() -> None:
    inputs = {"input_ids": torch.tensor([[1, 2]])}
    assert set(_prepared(Labelling(), inputs)) == {"input_ids", "labels"}
    assert _prepared(object(), inputs) is inputs

"""What the control applied, read while the control may still be writing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Split
from accumcheck.record.observed import TrainedRecord
from accumcheck.reference.control import applied_by_control
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import REFERENCE
from accumcheck.runfolder.of_split import write_trained
from accumcheck.runfolder.steps import write_gradient

GRADIENT = np.array([1.0, 2.0, 3.0], dtype=np.float32)


def test_it_is_read_when_the_control_has_ended_and_not_before(tmp_path: Path) -> None:
    control = Split(1, 2, 1)
    folder = tmp_path / str(control)
    folder.mkdir()
    reader = GradientReader.of(torch.nn.Linear(2, 1), seed=0)
    check = CheckConfig(model=ModelConfig(), global_batch_size=2, steps=1, splits=(control,))
    job = Job(REFERENCE, 1, tmp_path / REFERENCE, check, "cpu", "gloo")
    assert applied_by_control(job, check, reader) is None

    write_gradient(folder, 0, 0, GRADIENT)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-4])  # half written
    assert applied_by_control(job, check, reader) is None

    file.write_bytes(whole)
    write_trained(folder, 0, TrainedRecord(reader.coordinates))
    found = applied_by_control(job, check, reader)
    assert found is not None
    assert found.tolist() == GRADIENT.tolist()

"""What the control applied, for questions that only the program itself can answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.capture.coordinates import GradientReader
from accumcheck.config.model import CheckConfig
from accumcheck.config.splits import control_of
from accumcheck.runfolder.aligned import at_coordinates
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_split import read_trained
from accumcheck.runfolder.steps import read_gradients


def applied_by_control(job: Job, check: CheckConfig, reader: GradientReader) -> npt.NDArray[np.floating[Any]] | None:
    """The gradient that the control applied in its first step, at the reader's coordinates; None if it has not ended.

    Args:
        job: the reference's.
        check: the resolved configuration.
        reader: of the model in this process.
    """
    control = control_of(check.splits) if check.splits else None
    if control is None:
        return None
    folder = job.run / str(control)
    trained = read_trained(folder)
    if trained is None:  # its files may be half written
        return None
    gradients = read_gradients(folder, 0, 1)
    if 0 not in gradients:
        return None
    return at_coordinates(gradients[0], trained.coordinates, reader.coordinates)

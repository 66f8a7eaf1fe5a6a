"""The program's own hooks on parameters, in the process of the reference."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from accumcheck.capture.coordinates import GradientReader
from accumcheck.config.model import CheckConfig
from accumcheck.config.splits import control_of
from accumcheck.reference.hooks import hooked_parameters, leave_out_hooks
from accumcheck.reference.samples import LossOf
from accumcheck.runfolder.aligned import at_coordinates
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_split import read_trained
from accumcheck.runfolder.steps import read_gradients
from accumcheck.workload.assemble import Workload


def without_strange_hooks(
    job: Job, check: CheckConfig, workload: Workload, loss_of: LossOf, first: Sequence[int]
) -> tuple[str, ...]:
    """Remove hooks whose effect is not seen in the control, and return the names of their parameters.

    Args:
        job: the reference's.
        check: the resolved configuration.
        workload: the program's model, and the rows.
        loss_of: computes a batch.
        first: the rows of the first step.
    """
    control = control_of(check.splits) if check.splits else None
    hooked = hooked_parameters(workload.model)
    if control is None or not hooked:
        return ()
    folder = job.run / str(control)
    trained, gradients = read_trained(folder), read_gradients(folder, 0, 1)
    if trained is None or 0 not in gradients:
        return ()
    reader = GradientReader.of(workload.model, seed=check.seed)
    applied = at_coordinates(gradients[0], trained.coordinates, reader.coordinates)
    losses = [functools.partial(loss_of, workload.collator([workload.samples[index]])) for index in first]
    try:
        return leave_out_hooks(workload.model, hooked, losses, reader, applied)
    except Exception:  # without a loss there is no reference, and hooks do not matter
        return ()

"""The program's own hooks on parameters, in the process of the reference."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from accumcheck.capture.coordinates import GradientReader
from accumcheck.config.model import CheckConfig
from accumcheck.reference.control import applied_by_control
from accumcheck.reference.hooks import hooked_parameters, leave_out_hooks
from accumcheck.reference.samples import LossOf
from accumcheck.runfolder.job import Job
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
    hooked = hooked_parameters(workload.model)
    if not hooked:
        return ()
    reader = GradientReader.of(workload.model, seed=check.seed)
    applied = applied_by_control(job, check, reader)
    if applied is None:
        return ()
    losses = [functools.partial(loss_of, workload.collator([workload.samples[index]])) for index in first]
    try:
        return leave_out_hooks(workload.model, hooked, losses, reader, applied)
    except Exception:  # without a loss there is no reference, and hooks do not matter
        return ()

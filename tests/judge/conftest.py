"""Every judgement that the tests of the judge reach would be believed, if its report were read back from a file.

Every split that fails, or is not decided, has a reason in it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from accumcheck.config.model import CheckConfig
from accumcheck.judge import judge as judging
from accumcheck.record import Environment, ReferenceObservation, Report, Split, SplitObservation
from accumcheck.saved.consistent import check_consistent
from accumcheck.saved.reports import report_from_json, report_to_json

_judge = judging.judge


@functools.wraps(_judge)
def judge_and_read_back(
    check: CheckConfig,
    observations: Sequence[SplitObservation],
    control: Split,
    reference: ReferenceObservation | None,
    **options: Any,
) -> judging.Judgement:
    """Judge, and check the report that comes of it as `accumcheck compare` would."""
    made = _judge(check, observations, control, reference, **options)
    report = Report(
        accumcheck_version="0",
        verdict=made.verdict,
        exit_code=made.exit_code,
        strict=options.get("strict", False),
        started_at="",
        duration_seconds=0.0,
        environment=Environment(),
        config=check.to_dict(),
        model=reference.model if reference is not None else None,
        program=next((one.program for one in observations if one.program is not None), None),
        reference=made.reference,
        tolerances=made.tolerances,
        control=str(control),
        splits=made.splits,
        loss_rule=made.loss_rule,
        gradient_rule=made.gradient_rule,
        alternatives=made.alternatives,
        findings=made.findings,
    )
    check_consistent(report_from_json(report_to_json(report)))
    for split in made.splits:
        assert split.verdict in ("pass", "warn") or split.reason.strip(), f"{split.split} has no reason"
    return made


judging.judge = judge_and_read_back  # before the tests import it

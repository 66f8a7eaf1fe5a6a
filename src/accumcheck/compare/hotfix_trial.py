"""Run a check without and with a hot-fix: does it fix this configuration, and what does it cost?"""

from __future__ import annotations

import sys
from dataclasses import replace

from accumcheck.check import run_checks
from accumcheck.config.model import CheckConfig
from accumcheck.hotfixes import find_hotfix
from accumcheck.record import Before, Report, SplitBefore
from accumcheck.runfolder.events import OnEvent


def run_with_hotfix(
    check: CheckConfig,
    *,
    on_event: OnEvent | None = None,
    allow_skipped: bool = False,
    strict: bool = False,
    python: str = sys.executable,
) -> Report:
    """Run the check without its hot-fix, for one step, and then with it.

    Args:
        check: the resolved configuration; its ``hotfix`` is set.
        on_event: see `accumcheck.check.run_check`, as for the other arguments.
        allow_skipped: splits that were skipped for lack of devices do not change the verdict.
        strict: a warning is a failure.
        python: the interpreter under test.

    Returns:
        The report of the run with the hot-fix, which alone decides. Its ``before`` sums up the run without it.

    Raises:
        LaunchError: nothing could be started.
        KeyboardInterrupt: passed on after every process has been ended.
    """
    assert check.hotfix is not None
    steps = check.steps if check.data.epochs is not None else 1
    plans = [replace(check, hotfix=None, steps=steps, trajectory_steps=0), check]
    old, new = run_checks(plans, on_event=on_event, allow_skipped=allow_skipped, strict=strict, python=python)
    return replace(new, before=before_of(old, check.hotfix))


def before_of(report: Report, hotfix: str) -> Before:
    """A summary of the report of the run without the hot-fix."""
    from accumcheck.compare.changes import worst  # with the judge's numpy, after the run

    return Before(
        hotfix=hotfix,
        price=find_hotfix(hotfix).price,
        verdict=report.verdict,
        exit_code=report.exit_code,
        loss_rule=report.loss_rule,
        gradient_rule=report.gradient_rule,
        splits=tuple(
            SplitBefore(str(split.split), split.verdict, split.loss_rule, split.gradient_rule, worst([split]))
            for split in report.splits
        ),
    )

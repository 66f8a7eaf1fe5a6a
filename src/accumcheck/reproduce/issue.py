"""The text of a bug report, with the headings that transformers, TRL and LLaMA-Factory ask for."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.record import Finding, Report
from accumcheck.reproduce.programs import SmallConfiguration
from accumcheck.reproduce.script import command
from accumcheck.reproduce.search import Reproduction
from accumcheck.stacks.registry import package_of

_REFERENCE = "The reference is the same global batch, one sample at a time, without accumulation or several processes."
_EXPECTED = (
    "A global batch gives the same loss and the same gradient, however it is split over processes, per-device batch "
    "size and accumulation steps: those of the mean over all its predicted tokens."
)


def issue(finding: Finding, report: Report, made: Reproduction) -> str:
    """The bug report in Markdown: fault, place, versions, numbers and script.

    Args:
        finding: the finding to report.
        report: the report of the run.
        made: the script that shows the finding.
    """
    split = made.case.split
    reproduction = [
        f"Per-device batch size {split.per_device_train_batch_size}, "
        f"{_count(split.gradient_accumulation_steps, 'accumulation step')}, "
        f"{_count(split.num_processes, 'process', 'processes')}, on a CPU: `{command(split.num_processes)}`",
        f"```python\n{made.text.rstrip()}\n```",
        "Output:",
        f"```\n{made.outcome.output}\n```",
    ]
    return _issue(_title(finding, made), finding, report, reproduction)


def issue_of_program(finding: Finding, report: Report, small: SmallConfiguration) -> str:
    """The bug report for a program: the smallest configuration and accumcheck's result, because no script can show it.

    Args:
        finding: the finding to report.
        report: the report of the run.
        small: the smallest configuration that shows the finding.
    """
    ran = "\n".join(f"- {one.split}: {one.verdict}" for one in small.report.splits)
    reproduction = [f"```yaml\n{small.text.rstrip()}\n```", "`accumcheck run FILE` gives:", ran, small.finding.summary]
    return _issue(f"Splits of one global batch differ: {finding.id}", finding, report, reproduction)


def _issue(title: str, finding: Finding, report: Report, reproduction: Sequence[str]) -> str:
    environment = report.environment
    packages = {
        "transformers": environment.transformers,
        "accelerate": environment.accelerate,
        "torch": environment.torch,
        "Python": environment.python,
        "platform": environment.platform,
    }
    if environment.stack_version and environment.stack_version not in packages.values():
        stack = str(report.config.get("stack", "trainer"))
        packages = {package_of(stack) or stack: environment.stack_version, **packages}
    where = f" The value is computed at `{finding.source}`." if finding.source else ""
    known = [f"- {one.get('title') or ''} {one.get('url') or ''}".strip() for one in finding.known]
    parts = [
        f"# {title}",
        f"{_splits(finding)}{finding.summary}. {_REFERENCE}{where}",
        finding.explanation,
        finding.consequence,
        "### System Info",
        "\n".join(f"- {name}: {version}" for name, version in packages.items() if version),
        "### Reproduction",
        *reproduction,
        "### Expected behavior",
        _EXPECTED,
        *(["### Related", "\n".join(known)] if known else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _splits(finding: Finding) -> str:
    """In which splits the numbers of the summary were seen, for readers who do not know accumcheck."""
    if not finding.splits:
        return ""
    return f"With {', '.join(map(str, finding.splits))} (processes x per-device batch size x accumulation steps): "


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def _title(finding: Finding, made: Reproduction) -> str:
    what = "Wrong loss and gradient" if finding.gradient_rule or not finding.loss_rule else "Wrong reported loss"
    split = made.case.split
    causes = ["gradient accumulation"] if split.gradient_accumulation_steps > 1 else []
    causes += ["several processes"] if split.num_processes > 1 else []
    return f"{what} of {made.case.subject.model_class} with {' and '.join(causes) or 'batches of several rows'}"

"""Choose the finding of a report to reproduce, and describe it."""

from __future__ import annotations

from accumcheck.errors import ConfigError
from accumcheck.record import Finding, Report, Split
from accumcheck.record.rule import TOKEN_MEAN, UNEXPLAINED, Rule, is_rule
from accumcheck.reproduce.case import Heading
from accumcheck.stacks.registry import package_of

_TRAINED_BY = {
    "trainer": "transformers' Trainer",
    "accelerate": "a loop with accelerate",
    "trl-sft": "TRL's SFTTrainer",
    "trl-dpo": "TRL's DPOTrainer",
    "trl-reward": "TRL's RewardTrainer",
    "sentence-transformers": "SentenceTransformerTrainer",
}


def chosen(report: Report, wanted: str | None) -> Finding:
    """The requested finding, or the first one that fails.

    Args:
        report: the report with the finding.
        wanted: the id of a finding; None: the first one that fails, else the first one that warns.

    Raises:
        ConfigError: there is no such finding.
    """
    ids = [one.id for one in report.findings]
    if wanted is not None:
        found = next((one for one in report.findings if one.id == wanted), None)
        if found is None:
            there = f"the report has: {', '.join(dict.fromkeys(ids))}" if ids else "the report has no finding"
            raise ConfigError(f"--finding {wanted}: no such finding; {there}")
        return found
    order = ("fail", "warn")
    bad = sorted((one for one in report.findings if one.severity in order), key=lambda one: order.index(one.severity))
    if not bad:
        raise ConfigError("the report has no finding that fails or warns, so there is nothing to reproduce")
    return bad[0]


def rules_of(finding: Finding) -> list[Rule]:
    """The wrong weighting rules of a finding, without duplicates."""
    named = [name for name in (finding.loss_rule, finding.gradient_rule) if name and is_rule(name)]
    return [rule for rule in dict.fromkeys(map(Rule.parse, named)) if rule != TOKEN_MEAN]


def splits_of(finding: Finding, report: Report) -> list[Split]:
    """The splits of a finding; all splits if it is about the run as a whole."""
    return [Split.parse(one) for one in finding.splits] or [one.split for one in report.splits]


def heading(finding: Finding, report: Report) -> Heading:
    """The text at the top of a script."""
    environment = report.environment
    stack = str(report.config.get("stack", ""))
    versions = {"transformers": environment.transformers, "accelerate": environment.accelerate}
    versions |= {"torch": environment.torch, "Python": environment.python}
    if environment.stack_version and environment.stack_version not in versions.values():
        versions = {package_of(stack) or stack: environment.stack_version, **versions}
    known = next((str(one.get("url") or one.get("title") or "") for one in finding.known), "")
    model = report.model.architecture if report.model is not None else "the model"
    what = f"{model}, trained by {_TRAINED_BY.get(stack, stack or 'the stack')}"
    what += f", follows the weighting {finding.id}" if any(rule != UNEXPLAINED for rule in rules_of(finding)) else ""
    return Heading(
        summary=f"{what}: {finding.summary}",
        versions=tuple(f"{name} {version}" for name, version in versions.items() if version),
        source=finding.source or "",
        known=known,
    )

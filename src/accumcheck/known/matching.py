"""Which published faults a finding matches: release, rule, architecture and every condition must match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from accumcheck.known.catalogue import KnownFault, known_faults
from accumcheck.record import Environment, Finding, ReferenceObservation, SplitObservation
from accumcheck.stacks.registry import package_of


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The facts about a run that known faults depend on.

    ``releases``: the installed release of each package; ``token_count``: what the model does with a token count;
    ``count_passed``: whether the stack passed one in every micro-batch (True) or in none (False); None: not known.
    """

    releases: Mapping[str, str]
    architecture: str
    training_arguments: Mapping[str, Any] = field(default_factory=dict)
    token_count: str | None = None
    count_passed: bool | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The rules that fit a run as a whole; the data cannot distinguish them. The named rule comes first."""

    loss: Sequence[str] = ()
    gradient: Sequence[str] = ()


def circumstances(
    stack: str,
    training_arguments: Mapping[str, Any],
    environment: Environment,
    splits: Sequence[SplitObservation],
    reference: ReferenceObservation,
) -> Circumstances:
    """The circumstances of one run; ``stack`` is the stack's name in the configuration."""
    releases = {"transformers": environment.transformers, "accelerate": environment.accelerate}
    if (package := package_of(stack)) is not None:
        releases.setdefault(package, environment.stack_version)
    engines = [split.trained.engine for split in splits if split.trained is not None]
    if engine := next(filter(None, engines), None):
        releases["deepspeed"] = engine.release
    batches = [batch for split in splits for step in split.steps for batch in step.micro_batches]
    # if neither a count nor a loss was seen, the micro-batch was not watched: nothing is known about its count
    watched = [batch for batch in batches if batch.token_count is not None or batch.loss is not None]
    passed = {batch.token_count is not None for batch in watched}
    return Circumstances(
        releases={package: release for package, release in releases.items() if release},
        architecture=reference.model.architecture,
        # a program makes its own arguments, which include those of the configuration
        training_arguments=next((split.training_arguments for split in splits if split.training_arguments), {})
        or training_arguments,
        token_count=reference.probe.token_count,
        count_passed=passed.pop() if len(passed) == 1 else None,
    )


def cite(
    findings: Sequence[Finding],
    run: Circumstances,
    fitted: Fitted,
    faults: Sequence[KnownFault] | None = None,
) -> tuple[Finding, ...]:
    """The findings with the published faults that match.

    The named rules are tried first, then the alternatives: if no row matches the named rules, or only rows for any
    architecture do and there is one for this architecture.

    Args:
        findings: the findings of a run; those without weighting rules are left as they are.
        run: the circumstances of the run.
        fitted: the rules that fit the run as a whole.
        faults: the catalogue; by default the one that accumcheck is shipped with.
    """
    rows = known_faults() if faults is None else faults
    return tuple(_cited(finding, _best(finding, run, fitted, rows)) for finding in findings)


def _best(finding: Finding, run: Circumstances, fitted: Fitted, rows: Sequence[KnownFault]) -> Sequence[KnownFault]:
    """The rows to cite: those for this architecture if there are some, and of these, those for the named rules."""
    strictly = [row for row in rows if is_match(row, finding, run, Fitted((), ()))]
    loosely = [row for row in rows if is_match(row, finding, run, fitted)]
    specific = ([row for row in found if not row.is_for_any_architecture] for found in (strictly, loosely))
    return next(filter(None, (*specific, strictly, loosely)), [])


def _cited(finding: Finding, fitting: Sequence[KnownFault]) -> Finding:
    if not fitting:
        return finding
    # the workaround of this known fault goes before the general advice
    return replace(finding, advice="", known=(*finding.known, *(row.cited() for row in fitting)))


def is_match(fault: KnownFault, finding: Finding, run: Circumstances, fitted: Fitted) -> bool:
    """Whether this finding matches that fault."""
    return (
        _is_affected(fault, run.releases)
        and _is_shown_by(fault, finding, fitted)
        and any(fnmatchcase(run.architecture, pattern) for pattern in fault.architectures)
        and _is_fulfilled(fault, run)
    )


def _is_affected(fault: KnownFault, releases: Mapping[str, str]) -> bool:
    return all(
        package in releases and spec.contains(releases[package], prereleases=True)
        for package, spec in fault.affected.items()
    )


def _is_shown_by(fault: KnownFault, finding: Finding, fitted: Fitted) -> bool:
    """Whether the finding has the id that the fault names, or follows the fault's rules."""
    if fault.finding is not None:
        return finding.id == fault.finding
    return _is_followed(finding.loss_rule, fitted.loss, fault.loss_rules) and _is_followed(
        finding.gradient_rule, fitted.gradient, fault.gradient_rules
    )


def _is_followed(rule: str | None, fitted: Sequence[str], wanted: frozenset[str]) -> bool:
    """Whether the rule is a wanted one, or cannot be distinguished from a wanted one by the data of this run."""
    return rule is not None and not wanted.isdisjoint(fitted if rule in fitted else {rule})


def _is_fulfilled(fault: KnownFault, run: Circumstances) -> bool:
    when = fault.when
    return (
        all(bool(run.training_arguments.get(name)) == wanted for name, wanted in when.training_arguments.items())
        and when.token_count in (None, run.token_count)
        and when.count_passed in (None, run.count_passed)
    )

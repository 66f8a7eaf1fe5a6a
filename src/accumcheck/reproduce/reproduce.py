"""Turn a saved report into a script that shows one of its findings. The script is run before it is returned."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from accumcheck.config.model import ModelConfig
from accumcheck.environments import Pin, Request, environments
from accumcheck.record import Finding, Report, Split
from accumcheck.reproduce.candidates import candidates
from accumcheck.reproduce.case import Case, NotReproducedError, Subject
from accumcheck.reproduce.finding import heading, rules_of, splits_of
from accumcheck.reproduce.issue import issue, issue_of_program
from accumcheck.reproduce.programs import shrunk_configuration
from accumcheck.reproduce.run import run_script, subject_of
from accumcheck.reproduce.scripts.registry import SET_BY_SCRIPT, STACKS, TEXT_STACKS
from accumcheck.reproduce.search import Reproduction, smallest
from accumcheck.reproduce.shown import Expected
from accumcheck.reproduce.texts import program_of, subject_of_texts
from accumcheck.stacks.registry import package_of

Say = Callable[[str], None]
LONGEST_ROW = 10
"""The number of tokens of the longest row at the start of the search."""
LONGEST_TEXT = 6
"""The number of words of the longest text."""


def reproduce(report: Report, finding: Finding, *, say: Say) -> Reproduction:
    """The smallest script that shows a finding, in the environment of the report.

    Args:
        report: the report of a run.
        finding: a finding of the report.
        say: called with one line on what is being done.

    Raises:
        NotReproducedError: no script shows the finding. The text says why.
        ConfigError: the environment of the report does not exist.
        LaunchError: the environment could not be built.
    """
    stack = str(report.config.get("stack", ""))
    if stack not in STACKS:
        raise NotReproducedError(
            f"there is no stand-alone script for stack {stack}; there is one for {', '.join(STACKS)}"
        )
    if hotfix := report.config.get("hotfix"):
        raise NotReproducedError(
            f"the run applied the hot-fix {hotfix}, which a script does not use; give the report of a run without it"
        )
    rules = rules_of(finding)
    if not rules:
        raise NotReproducedError(
            "a script can only show a wrong weighting of samples, but this finding names no weighting rule"
        )
    splits = list(candidates(rules, splits_of(finding, report)))
    if stack in TEXT_STACKS:
        return _of_texts(report, finding, splits, say=say)
    given = dict(report.config.get("training_arguments") or {})
    arguments = {name: value for name, value in given.items() if name not in SET_BY_SCRIPT}

    def case_of(split: Split, subject: Subject) -> Case:
        return Case(stack, split, subject, arguments if stack == "trainer" else {})

    with environment_of(report, say) as python:
        made = smallest(
            case_of,
            splits,
            _asked(report),
            heading(finding, report),
            describe=partial(subject_of, python),
            run=lambda text, processes: run_script(text, python, processes),
            say=say,
            expected=Expected.of(finding),
        )
        _say_where(python, say)
        return made


def _of_texts(report: Report, finding: Finding, splits: list[Split], *, say: Say) -> Reproduction:
    """The same for a stack that trains on texts. Its model is as small as possible from the start."""
    program = program_of(report)
    asked = {"layers": 1, "longest": LONGEST_TEXT}  # cannot be made smaller

    def case_of(split: Split, subject: Subject) -> Case:
        return Case(program.stack, split, subject, program.arguments, program.loss)

    with environment_of(report, say) as python:
        made = smallest(
            case_of,
            splits,
            asked,
            heading(finding, report),
            describe=lambda of: subject_of_texts(program, of["rows"], of["longest"]),
            run=lambda text, processes: run_script(text, python, processes),
            say=say,
            expected=Expected.of(finding),
        )
        _say_where(python, say)
        return made


def _say_where(python: str, say: Say) -> None:
    """Say which interpreter has the releases of the report, if it is not this one: here the fault may be gone."""
    if python != sys.executable:
        say(f"the script was run with the releases of the report: {python}")


def _asked(report: Report) -> dict[str, Any]:
    section = dict(report.config.get("model") or {})
    known = {name: value for name, value in section.items() if name in ModelConfig.__dataclass_fields__}
    model = asdict(ModelConfig(**known))
    return {"model": model, "shrink": True, "seed": 0, "layers": 0, "longest": LONGEST_ROW}


@contextmanager
def environment_of(report: Report, say: Say) -> Iterator[str]:
    """Lend an interpreter with the releases of a report: this interpreter if it has them, else a new environment.

    Args:
        report: the report whose environment is needed.
        say: called with one line on what is being done.

    Raises:
        ConfigError: there is no such release.
        LaunchError: the environment could not be built.
    """
    wanted = report.environment
    named = {"transformers": wanted.transformers, "accelerate": wanted.accelerate}
    if package := package_of(str(report.config.get("stack", ""))):
        named[package] = wanted.stack_version
    pins = [Pin(name, release) for name, release in named.items() if release]
    here = all(_installed(pin.name) == pin.version for pin in pins)
    with environments([None if here else Request(tuple(pins))], say=say) as (python,):
        yield sys.executable if here else python


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def reproduced(report: Report, finding: Finding, *, as_issue: bool, say: Say) -> str:
    """The reproduction of a finding: a script with its output below it, a bug report, or a configuration.

    Args:
        report: the report of a run.
        finding: a finding of the report.
        as_issue: whether to write a bug report.
        say: called with one line on what is being done.

    Raises:
        NotReproducedError: no script or small configuration shows the finding. The text says why.
        ConfigError: the environment of the report does not exist.
        LaunchError: the environment could not be built, or nothing could be started in it.
    """
    stack = str(report.config.get("stack", ""))
    if stack in STACKS:
        try:
            made = reproduce(report, finding, say=say)
            return issue(finding, report, made) if as_issue else with_output(made)
        except NotReproducedError as error:
            if stack not in TEXT_STACKS:
                raise
            say(f"{error}; searching for the smallest configuration instead")
    small = shrunk_configuration(report, finding, environment=environment_of, say=say)
    return issue_of_program(finding, report, small) if as_issue else small.text


def with_output(made: Reproduction) -> str:
    """A script with its output below it as comments."""
    lines = "".join(f"# {line}\n" for line in made.outcome.output.splitlines())
    return f"{made.text}\n# Output (exit code {made.outcome.code}):\n{lines}"

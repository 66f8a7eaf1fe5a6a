"""``accumcheck survey``: every head class of a transformers release."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.deliver import deliver
from accumcheck.cli.run import QUIET_HELP, TRANSFORMERS_HELP, WITH_HELP
from accumcheck.report.registry import FORMAT_HELP, OUTPUT_HELP

if TYPE_CHECKING:
    from accumcheck.record import Environment
    from accumcheck.record.survey import SurveyedClass

MATCH_HELP = "Only classes whose name or model type matches this pattern, for example 'llama*'. Repeatable."
TASK_HELP = "Only classes of this task, for example causal-lm. Repeatable."
PROCESSES_HELP = "Also check a split with this many processes: 2, 4 or 8."
RESUME_HELP = "Save each result to this file at once, and skip the classes that it already holds."
COMPARE_HELP = "Compare with this older survey. Only a class that got worse then fails."
CONFIGS_HELP = "For each class that does not pass, write a configuration for accumcheck run into this folder."
FOUND = "importing torch and transformers with every model"


def survey(
    match: Annotated[list[str] | None, typer.Option("--match", metavar="PATTERN", help=MATCH_HELP)] = None,
    task: Annotated[list[str] | None, typer.Option("--task", metavar="TASK", help=TASK_HELP)] = None,
    processes: Annotated[int, typer.Option("--processes", metavar="N", help=PROCESSES_HELP)] = 1,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="How many classes run at once.")] = 1,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Time limit for one class, in seconds.")
    ] = 120,
    memory: Annotated[
        float, typer.Option("--memory", metavar="GIB", min=0.1, help="Memory limit for each process, in GiB.")
    ] = 4,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="FILE", help=RESUME_HELP)] = None,
    compare: Annotated[Path | None, typer.Option("--compare", metavar="OLD.json", help=COMPARE_HELP)] = None,
    configs: Annotated[Path | None, typer.Option("--configs", metavar="FOLDER", help=CONFIGS_HELP)] = None,
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=FORMAT_HELP)] = "table",
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = None,
    transformers: Annotated[
        str | None, typer.Option("--transformers", metavar="VERSION", help=TRANSFORMERS_HELP)
    ] = None,
    with_: Annotated[list[str] | None, typer.Option("--with", metavar="WHAT", help=WITH_HELP)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=QUIET_HELP)] = False,
) -> None:
    """Check every head class of transformers, one at a time, at a tiny size.

    Exit codes: 0 every class passed; 1 a class fails (with --compare: got
    worse); 2 usage error; 3 a class could not be checked, or no class was;
    130 interrupted.
    """
    from accumcheck.environments import build_wheel, environments, latest, parse_request
    from accumcheck.errors import ConfigError
    from accumcheck.report import check_format, check_writable, show, write
    from accumcheck.report.documents.survey import SurveyDocument
    from accumcheck.report.parts.survey_lines import class_line, classes_counted, summary_lines
    from accumcheck.report.progress import Progress
    from accumcheck.report.streams import put
    from accumcheck.saved.surveys import read_survey
    from accumcheck.survey.asked import PROCESSES, Asked
    from accumcheck.survey.changes import compared
    from accumcheck.survey.kept import Kept
    from accumcheck.survey.run import Surveyor, exit_code_of, write_configs

    check_format(format_)
    if processes not in PROCESSES:
        raise ConfigError(f"--processes {processes}: use {', '.join(map(str, PROCESSES[:-1]))} or {PROCESSES[-1]}")
    check_writable(output or [])
    old = None if compare is None else read_survey(compare)
    asked = Asked(tuple(match or ()), tuple(task or ()), processes, jobs, timeout, memory)
    kept = None if resume is None else Kept(resume, transformers or "", asked)
    known = kept.read() if kept is not None else []
    request = parse_request(transformers, with_ or [], latest=latest, build=build_wheel)
    table = format_ == "table"

    def on_class(one: SurveyedClass) -> None:
        if kept is not None:
            kept.add(one)
        if table:
            put(f"{class_line(one)}\n", sys.stdout)
        elif not quiet:
            typer.echo(class_line(one), err=True)

    with Progress(quiet=quiet) as progress, environments([request], say=progress.message) as (python,):
        progress.message(FOUND)

        def on_found(environment: Environment, number: int) -> None:
            progress.message(f"transformers {environment.transformers}: {classes_counted(number)} to check")

        asked = replace(asked, skip=tuple(one.name for one in known))
        found = Surveyor(asked, on_found, on_class, python).run(known)
    if not found.classes and (match or task):
        given = " ".join([f"--match {one}" for one in match or ()] + [f"--task {one}" for one in task or ()])
        raise ConfigError(
            f"{given}: no head class of transformers {found.environment.transformers} fits; patterns are a shell's, "
            "for the whole name or model type: 'Bert*', '*ForCausalLM', 'llama'"
        )
    if old is not None and compare is not None:
        changes = compared(str(compare), old, found.classes)
        found = replace(found, compared=changes, exit_code=exit_code_of(found.classes, changes))
    if configs is not None:
        write_configs(configs, found.classes)
    document = SurveyDocument(found)

    def finish() -> None:
        if table:
            put("\n".join([*summary_lines(document.record), "", f"{document.conclusion()}\n"]), sys.stdout)
        else:
            show(document, format_, sys.stdout)

    deliver(document.exit_code, finish, output, lambda path: write(document, path))

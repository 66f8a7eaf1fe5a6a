"""``accumcheck init``: a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from accumcheck.stacks.protocol import LoopSpec, ProgramSpec

MODEL_HELP = "A model folder or a hub id; default: a tiny Llama with random weights."
OUTPUT_HELP = "The file to write."
SCRIPT_HELP = "A training script of yours: writes the check that runs it."
STACK_HELP = "The stack to check (the key stack); fill in what it trains afterwards. Default: trainer."
LLAMAFACTORY_HELP = "A training file of LLaMA-Factory (llamafactory-cli train FILE): writes the check of that training."


def init(
    model: Annotated[str | None, typer.Option("--model", metavar="NAME_OR_PATH", help=MODEL_HELP)] = None,
    script: Annotated[Path | None, typer.Option("--script", metavar="FILE", help=SCRIPT_HELP)] = None,
    stack: Annotated[str | None, typer.Option("--stack", metavar="NAME", help=STACK_HELP)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = Path("check.yaml"),
    from_llamafactory: Annotated[
        Path | None, typer.Option("--from-llamafactory", metavar="FILE", help=LLAMAFACTORY_HELP)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a configuration to start from, for the devices of this machine.

    Exit codes: 0 written; 2 the file exists already, or an option is wrong.
    """
    from accumcheck.config.devices import assume_devices
    from accumcheck.config.faults import Place
    from accumcheck.config.load import read_config
    from accumcheck.config.model import LauncherConfig
    from accumcheck.config.starter import starter, starter_of_program, starter_of_script
    from accumcheck.config.starter_llamafactory import starter_from_llamafactory
    from accumcheck.errors import ConfigError
    from accumcheck.stacks.protocol import ProgramSpec

    chosen = _stack(stack)
    given = {"--model": model, "--script": script, "--from-llamafactory": from_llamafactory}
    sources = [option for option, value in given.items() if value is not None]
    if isinstance(chosen, ProgramSpec) or (stack is not None and sources != ["--model"]):
        sources = ["--stack", *sources]
    if len(sources) > 1:
        raise ConfigError(f"{' and '.join(sources)}: each of them says what is trained; give only one")
    if output.exists() and not force:
        raise ConfigError(f"{output}: exists already and was not changed; give another -o FILE, or --force")
    folder = output.resolve().parent
    if not folder.is_dir():
        raise ConfigError(f"{output}: the folder {folder} does not exist; create it first")
    devices = assume_devices(LauncherConfig())
    if from_llamafactory is not None:
        text = starter_from_llamafactory(from_llamafactory, devices, folder)
    elif script is not None:
        text = starter_of_script(script, devices, folder)
    elif isinstance(chosen, ProgramSpec):
        text = starter_of_program(devices, chosen)
    else:
        text = starter(model, devices, folder, chosen)
    if not isinstance(chosen, ProgramSpec):  # with a program, the user has yet to name the files
        read_config(text, Place(str(output)), folder)  # so that a missing model folder is reported first
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from None
    fill = ", after you have named what it trains" if isinstance(chosen, ProgramSpec) else ""
    typer.echo(f"{output} written; next: accumcheck validate {output}{fill}, then accumcheck run {output}")


def _stack(name: str | None) -> LoopSpec | ProgramSpec:
    """The requested stack; the first of the registry if none was requested.

    Raises:
        ConfigError: the stack does not exist.
    """
    from accumcheck.config.faults import did_you_mean
    from accumcheck.errors import ConfigError
    from accumcheck.stacks.registry import STACKS

    names = [one.name for one in STACKS]
    if name is not None and name not in names:
        raise ConfigError(f"--stack {name}: expected one of {', '.join(names)}{did_you_mean(name, names)}")
    return STACKS[0] if name is None else STACKS[names.index(name)]

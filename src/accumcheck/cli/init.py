"""``accumcheck init``: writes a starter configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from accumcheck.stacks.protocol import LoopSpec, ProgramSpec

MODEL_HELP = "Check this model: a folder or a hub id. Default: a tiny Llama with random weights."
ARGUMENTS_HELP = "Arguments of your script (with --script). Batch size and accumulation steps become placeholders."
OUTPUT_HELP = "The file to write."
SCRIPT_HELP = "Check this training script. Its arguments follow after --."
STACK_HELP = "Check this stack (key stack). For a program: fill in afterwards what it trains. Default: trainer."
LLAMAFACTORY_HELP = "Check this training of LLaMA-Factory (the file that llamafactory-cli train takes)."
TRAINING_ARGUMENTS_HELP = "Check a Trainer with these TrainingArguments (JSON, from to_json_string)."
ACCELERATE_HELP = "Check a Trainer with the processes and sharding of this accelerate launch configuration."
DEEPSPEED_HELP = "Check a Trainer with this DeepSpeed configuration."


_WITH_MODEL = ("--from-training-arguments", "--from-accelerate", "--from-deepspeed")
"""Options whose files do not name the model, so --model can be combined with them."""


@dataclass(frozen=True, slots=True)
class _Requested:
    """The training that the command line names; ``files``: the given files, by option."""

    model: str | None
    script: Path | None
    arguments: tuple[str, ...]
    files: Mapping[str, Path | None]


def init(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGUMENTS...]", help=ARGUMENTS_HELP, show_default=False)
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME_OR_PATH", help=MODEL_HELP)] = None,
    script: Annotated[Path | None, typer.Option("--script", metavar="FILE", help=SCRIPT_HELP)] = None,
    stack: Annotated[str | None, typer.Option("--stack", metavar="NAME", help=STACK_HELP)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = Path("check.yaml"),
    from_llamafactory: Annotated[
        Path | None, typer.Option("--from-llamafactory", metavar="FILE", help=LLAMAFACTORY_HELP)
    ] = None,
    from_training_arguments: Annotated[
        Path | None, typer.Option("--from-training-arguments", metavar="FILE", help=TRAINING_ARGUMENTS_HELP)
    ] = None,
    from_accelerate: Annotated[
        Path | None, typer.Option("--from-accelerate", metavar="FILE", help=ACCELERATE_HELP)
    ] = None,
    from_deepspeed: Annotated[
        Path | None, typer.Option("--from-deepspeed", metavar="FILE", help=DEEPSPEED_HELP)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Write a first configuration, for the devices of this machine.

    At most one option says what to check: a model, a script, a stack, or a
    file of another tool.

    Exit codes: 0 written; 2 the file exists already, or an option is wrong.
    """
    from accumcheck.config.faults import Place
    from accumcheck.config.load import read_config
    from accumcheck.errors import ConfigError
    from accumcheck.stacks.protocol import ProgramSpec

    chosen = _stack(stack)
    requested = _Requested(
        model,
        script,
        tuple(arguments or ()),
        {
            "--from-llamafactory": from_llamafactory,
            "--from-training-arguments": from_training_arguments,
            "--from-accelerate": from_accelerate,
            "--from-deepspeed": from_deepspeed,
        },
    )
    _check_sources(requested, chosen if stack is not None else None)
    if output.exists() and not force:
        raise ConfigError(f"{output}: exists already and was not changed; give another -o FILE, or --force")
    folder = output.resolve().parent
    if not folder.is_dir():
        raise ConfigError(f"{output}: the folder {folder} does not exist; create it first")
    text = _text(requested, chosen, folder)
    if not isinstance(chosen, ProgramSpec):  # with a program, the user has yet to name the files
        read_config(text, Place(str(output)), folder)  # so that a missing model folder is reported first
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from None
    fill = ", after you have named what it trains" if isinstance(chosen, ProgramSpec) else ""
    typer.echo(f"{output} written; next: accumcheck validate {output}{fill}, then accumcheck run {output}")


def _check_sources(requested: _Requested, stack: LoopSpec | ProgramSpec | None) -> None:
    """Check that exactly one option says what to train, and that arguments have a script.

    Raises:
        ConfigError: they do not.
    """
    from accumcheck.errors import ConfigError
    from accumcheck.stacks.protocol import ProgramSpec

    files = [option for option, file in requested.files.items() if file is not None]
    sources = [*(["--script"] if requested.script is not None else []), *files]
    if requested.model is not None and (not sources or sources[0] not in _WITH_MODEL):
        sources = ["--model", *sources]
    if stack is not None and (isinstance(stack, ProgramSpec) or sources != ["--model"]):
        sources = ["--stack", *sources]
    if len(sources) > 1:
        raise ConfigError(f"{' and '.join(sources)}: each of them says what to train; give only one")
    if requested.arguments and requested.script is None:
        script = next((word for word in requested.arguments if word.endswith(".py")), "FILE")
        what = " ".join(requested.arguments)
        raise ConfigError(f"{what}: arguments belong to a script; write accumcheck init --script {script} -- ARGUMENTS")


def _text(requested: _Requested, chosen: LoopSpec | ProgramSpec, folder: Path) -> str:
    """The configuration, for the devices of this machine."""
    from accumcheck.config.devices import assume_devices
    from accumcheck.config.model import LauncherConfig
    from accumcheck.stacks.protocol import ProgramSpec
    from accumcheck.starters.accelerate import settings_of_accelerate
    from accumcheck.starters.deepspeed import settings_of_deepspeed
    from accumcheck.starters.llamafactory import starter_from_llamafactory
    from accumcheck.starters.script import starter_of_script
    from accumcheck.starters.starter import starter, starter_of_program
    from accumcheck.starters.training import starter_of_training
    from accumcheck.starters.training_arguments import settings_of_training_arguments

    devices = assume_devices(LauncherConfig())
    option, file = next(((option, file) for option, file in requested.files.items() if file is not None), ("", None))
    if file is not None and option == "--from-llamafactory":
        return starter_from_llamafactory(file, devices, folder)
    if file is not None:
        readers = {
            "--from-training-arguments": settings_of_training_arguments,
            "--from-accelerate": settings_of_accelerate,
            "--from-deepspeed": settings_of_deepspeed,
        }
        return starter_of_training(readers[option](file), requested.model, devices, folder)
    if requested.script is not None:
        return starter_of_script(requested.script, requested.arguments, devices, folder)
    if isinstance(chosen, ProgramSpec):
        return starter_of_program(devices, chosen)
    return starter(requested.model, devices, folder, chosen)


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

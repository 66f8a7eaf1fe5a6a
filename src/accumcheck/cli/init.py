"""``accumcheck init``: a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = "A model folder or a hub id; without it, a tiny Llama that is made."
OUTPUT_HELP = "The file to write."
LLAMAFACTORY_HELP = "A training file of LLaMA-Factory (llamafactory-cli train FILE): writes the check of that training."


def init(
    model: Annotated[str | None, typer.Option("--model", metavar="NAME_OR_PATH", help=MODEL_HELP)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)] = Path("check.yaml"),
    from_llamafactory: Annotated[
        Path | None, typer.Option("--from-llamafactory", metavar="FILE", help=LLAMAFACTORY_HELP)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a configuration to start from, for the devices of this machine.

    Exit codes: 0 written; 2 the file is there already, or an option is wrong.
    """
    from accumcheck.config.devices import assume_devices
    from accumcheck.config.faults import Place
    from accumcheck.config.load import read_config
    from accumcheck.config.model import LauncherConfig
    from accumcheck.config.starter import starter, starter_from_llamafactory
    from accumcheck.errors import ConfigError

    if model is not None and from_llamafactory is not None:
        raise ConfigError("--model and --from-llamafactory: the training file names its model; give one of the two")
    if output.exists() and not force:
        raise ConfigError(f"{output}: is there already and is left as it is; give another -o FILE, or --force")
    folder = output.resolve().parent
    if not folder.is_dir():
        raise ConfigError(f"{output}: the folder {folder} does not exist; create it first")
    devices = assume_devices(LauncherConfig())
    if from_llamafactory is not None:
        text = starter_from_llamafactory(from_llamafactory, devices, folder)
    else:
        text = starter(model, devices, folder)
    read_config(text, Place(str(output)), folder)  # a model folder that is none, say, is told before it is written
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from None
    typer.echo(f"{output} written; next: accumcheck validate {output}, then accumcheck run {output}")

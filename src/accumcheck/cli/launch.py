"""``accumcheck launch``: the file that starts a run on several machines, for Slurm or for Kubernetes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accumcheck.cli.run import CONFIG_HELP, SET_HELP
from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from accumcheck.cluster.job import ClusterJob
    from accumcheck.config.model import CheckConfig

GPUS_HELP = "GPUs per machine. With launcher.device: cpu, the processes per machine."
OUTPUT_HELP = "Write to this file. Default: standard output."
REPORT_HELP = "The run also writes its report to this file; the extension sets the format. Repeatable."
STRICT_HELP = "The run treats warnings as failures."
ALLOW_SKIPPED_HELP = "The run may pass even if a split is skipped for lack of GPUs."
NAME_HELP = "Name of the job. Default: made from the configuration's file name."
IMAGE_HELP = "Container image with accumcheck and the stack to check."
PATH_HELP = "Path of the configuration in the container. Default: it is mounted from a ConfigMap, which is written too."

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help=CONFIG_HELP, show_default=False)]
Gpus = Annotated[int, typer.Option("--gpus-per-node", metavar="N", min=1, help=GPUS_HELP)]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP)]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help=NAME_HELP)]
Strict = Annotated[bool, typer.Option("--strict", help=STRICT_HELP)]
AllowSkipped = Annotated[bool, typer.Option("--allow-skipped", help=ALLOW_SKIPPED_HELP)]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help=OUTPUT_HELP)]

_ANY_ENDPOINT = "launcher.rdzv_endpoint=first-machine:29500"
"""Where machines meet is the scheduler's to say, and what is written has it: the configuration need not."""

HELP = "Write the job file that runs a check on several machines (Slurm or Kubernetes)."

launch_app = typer.Typer(no_args_is_help=True, help=HELP)


@launch_app.callback()
def launch() -> None:
    """Write the job file that runs a check on several machines (Slurm or Kubernetes)."""


@launch_app.command("slurm")
def slurm(
    config: Config,
    gpus_per_node: Gpus = 8,
    set_: Set = None,
    report: Annotated[list[Path] | None, typer.Option("--report", metavar="FILE", help=REPORT_HELP)] = None,
    strict: Strict = False,
    allow_skipped: AllowSkipped = False,
    name: Name = None,
    output: Output = None,
) -> None:
    """Write a batch script for sbatch.

    The job requests enough machines for the split with the most processes,
    and ends with the exit code of the run. The configuration, and the files
    that it names, must have the same paths on every machine.

    Exit codes: 0 written; 2 usage or configuration error, or the splits
    cannot be spread evenly over machines.
    """
    from accumcheck.cluster.slurm import sbatch_file
    from accumcheck.report import check_writable

    overrides = set_ or []
    check = _load(config, overrides, output)
    check_writable(report or [])
    options = _options(strict=strict, allow_skipped=allow_skipped, overrides=overrides)
    options += [word for path in report or () for word in ("--output", str(path.resolve()))]
    job = _job(config, check, gpus_per_node, name, options)
    _write(sbatch_file(job, str(config.resolve()), overrides, folder=str(Path.cwd())), output)


@launch_app.command("kubernetes")
def kubernetes(
    config: Config,
    image: Annotated[str, typer.Option("--image", metavar="IMAGE", help=IMAGE_HELP, show_default=False)],
    gpus_per_node: Gpus = 8,
    set_: Set = None,
    config_path: Annotated[str | None, typer.Option("--config-path", metavar="PATH", help=PATH_HELP)] = None,
    strict: Strict = False,
    allow_skipped: AllowSkipped = False,
    name: Name = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", metavar="NAME", help="Namespace. Default: the one that kubectl uses.")
    ] = None,
    output: Output = None,
) -> None:
    """Write a PyTorchJob for Kubeflow's training operator.

    There is one pod per machine. The report is in the log of the master.

    Exit codes: 0 written; 2 usage or configuration error, or the splits
    cannot be spread evenly over machines, or the configuration names files
    that the container does not have.
    """
    from accumcheck.cluster.kubernetes import check_options, mounted_path, pytorch_job
    from accumcheck.config.files import read_text
    from accumcheck.config.named_files import named_files

    overrides = set_ or []
    check = _load(config, overrides, output)
    check_options(image, namespace, config_path)
    local = named_files(check)
    if local and config_path is None:
        raise ConfigError(
            f"{config}: names files of this machine, which a container does not have: {', '.join(map(str, local))}; "
            "put them and the configuration into the image, or on a volume, and give --config-path"
        )
    options = _options(strict=strict, allow_skipped=allow_skipped, overrides=overrides)
    job = _job(config, check, gpus_per_node, name, options)
    text = read_text(config, "give the path of a YAML file") if config_path is None else None
    _write(pytorch_job(job, image, text=text, path=config_path or mounted_path(), namespace=namespace), output)


def _load(config: Path, overrides: list[str], output: Path | None) -> CheckConfig:
    """The configuration, once the file that is to be written has a place."""
    from accumcheck.config.load import load_config
    from accumcheck.report import check_place

    if output is not None:
        if output.resolve() == config.resolve():
            raise ConfigError(f"--output {output}: is the configuration, which would be replaced; name another file")
        check_place(output)
    return load_config(config, [_ANY_ENDPOINT, *overrides])


def _options(*, strict: bool, allow_skipped: bool, overrides: list[str]) -> list[str]:
    """The options of the run."""
    flags = [*(["--strict"] if strict else []), *(["--allow-skipped"] if allow_skipped else [])]
    return [*(word for one in overrides for word in ("--set", one)), *flags]


def _job(config: Path, check: CheckConfig, gpus_per_node: int, name: str | None, options: list[str]) -> ClusterJob:
    from accumcheck.cluster.job import ClusterJob, job_name, longest_seconds
    from accumcheck.cluster.machines import machines_for
    from accumcheck.config.places import place_of_key

    try:
        machines = machines_for(check, gpus_per_node)
    except ConfigError as error:
        raise ConfigError(f"{place_of_key(config, ('splits',))}: {error}") from error
    return ClusterJob(job_name(name, config.stem), machines, longest_seconds(check), tuple(options))


def _write(text: str, output: Path | None) -> None:
    from accumcheck.report.files import save
    from accumcheck.report.streams import put

    if output is None:
        put(text, sys.stdout)
    else:
        save(text, output)

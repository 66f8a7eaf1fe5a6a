"""``accumcheck validate``: read, check and print the plan, without torch."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from accumcheck.cli.no_programs import NoPrograms
from accumcheck.cli.run import CONFIG_HELP, SET_HELP


class PlanFormat(str, Enum):
    """How the plan is printed."""

    TABLE = "table"
    JSON = "json"


def validate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help=CONFIG_HELP)],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help=SET_HELP),
    ] = None,
    format_: Annotated[
        PlanFormat, typer.Option("--format", "-f", help="What goes to standard output: table or json.")
    ] = PlanFormat.TABLE,
    no_programs: NoPrograms = False,
) -> None:
    """Check a configuration and print the plan; trains nothing.

    The plan has every key, defaults included, and the splits: what each
    needs, and which run at the same time.

    Exit codes: 0 the configuration is valid; 2 usage or configuration
    error, all of them at once.
    """
    from accumcheck.authors_code import check_no_programs
    from accumcheck.config.devices import assume_devices
    from accumcheck.config.load import load_config
    from accumcheck.config.places import place_of_key
    from accumcheck.config.plan import make_plan
    from accumcheck.config.show import plan_as_dict, plan_as_text
    from accumcheck.launch.side_by_side import lines_of, rounds_of
    from accumcheck.redaction import redacted
    from accumcheck.stacks.programs.missing import why_missing
    from accumcheck.stacks.programs.untold import why_untold

    checked = load_config(config, set_ or ())
    check_no_programs([(checked, config)], set_ or (), refuse=no_programs)
    if why := why_untold(checked):
        typer.echo(f"{place_of_key(config, ('script',), set_ or ())}: script: warning: {why}", err=True)
    if why := why_missing(checked, config.resolve().parent):
        place = place_of_key(config, ("script", "arguments"), set_ or ())
        typer.echo(f"{place}: script.arguments: warning: {why}", err=True)
    devices = assume_devices(checked.launcher)
    plan = redacted(make_plan(checked, devices.count))
    rounds = rounds_of(plan, devices)
    if format_ is PlanFormat.JSON:
        typer.echo(json.dumps(plan_as_dict(plan, devices, rounds), indent=2))
    else:
        typer.echo(plan_as_text(plan, devices, str(config), lines_of(rounds, devices, checked)))

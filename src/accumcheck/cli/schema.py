"""``accumcheck schema``: the formats of files as JSON Schema, for editors and for CI."""

import json

import typer

schema_app = typer.Typer(no_args_is_help=True, help="Print the JSON Schema of a file that accumcheck reads or writes.")


@schema_app.callback()
def schema() -> None:
    """Print the JSON Schema of a file that accumcheck reads or writes."""


@schema_app.command("config")
def config() -> None:
    """Print the JSON Schema of the configuration (draft 2020-12)."""
    from accumcheck.config.schema import config_schema

    typer.echo(json.dumps(config_schema(), indent=2))


@schema_app.command("report")
def report() -> None:
    """Print the JSON Schema of the report (draft 2020-12)."""
    from accumcheck.saved.reports import report_schema

    typer.echo(json.dumps(report_schema(), indent=2))


@schema_app.command("upgrade")
def upgrade() -> None:
    """Print the JSON Schema of what upgrade and compare write (draft 2020-12)."""
    from accumcheck.saved.comparisons import comparison_schema

    typer.echo(json.dumps(comparison_schema(), indent=2))


@schema_app.command("bisect")
def bisect() -> None:
    """Print the JSON Schema of what bisect writes (draft 2020-12)."""
    from accumcheck.saved.bisections import bisection_schema

    typer.echo(json.dumps(bisection_schema(), indent=2))


@schema_app.command("survey")
def survey() -> None:
    """Print the JSON Schema of what survey writes (draft 2020-12)."""
    from accumcheck.saved.surveys import survey_schema

    typer.echo(json.dumps(survey_schema(), indent=2))

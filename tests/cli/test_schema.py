"""``accumcheck schema config`` prints the JSON Schema and nothing else."""

import json
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner

from accumcheck.cli.schema import schema_app
from accumcheck.config.schema import config_schema
from accumcheck.saved.bisections import bisection_schema
from accumcheck.saved.comparisons import comparison_schema
from accumcheck.saved.reports import report_schema
from accumcheck.saved.surveys import survey_schema

app = typer.Typer()
app.add_typer(schema_app, name="schema")


@app.callback()
def program() -> None:
    """Keep ``schema`` a command of its own."""


def test_the_schema_of_the_configuration() -> None:
    result = CliRunner().invoke(app, ["schema", "config"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == config_schema()


def test_the_schema_of_the_report() -> None:
    result = CliRunner().invoke(app, ["schema", "report"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == report_schema()


@pytest.mark.parametrize(
    ("of", "schema"), [("upgrade", comparison_schema), ("bisect", bisection_schema), ("survey", survey_schema)]
)
def test_the_schemas_of_what_other_commands_write(of: str, schema: Callable[[], object]) -> None:
    result = CliRunner().invoke(app, ["schema", of])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == schema()

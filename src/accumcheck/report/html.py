"""The report as one HTML page that needs nothing else: no network, no scripts, no fonts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from accumcheck.config.yaml_positions import write_document
from accumcheck.report import numbers
from accumcheck.report.as_json import report_to_dict
from accumcheck.report.before import BEFORE_COLUMNS, before_rows, before_title
from accumcheck.report.curves import step_charts, trajectory_charts
from accumcheck.report.drift import DRIFT_COLUMNS, drift, drift_title
from accumcheck.report.layout import clean, legal
from accumcheck.report.rows import COLUMNS, legend, reference_row, rows
from accumcheck.report.tolerances import passages
from accumcheck.report.weights_picture import weights_picture
from accumcheck.report.words import WORDS, findings, header, measures, not_run, verdict

if TYPE_CHECKING:
    from accumcheck.record import Report

SIGNS = {"pass": "✓", "warn": "!", "fail": "✕", "error": "?", "skipped": "-", "ignore": "i"}
"""What stands beside a verdict's colour and word."""


def text(report: Report) -> str:
    """The whole page."""
    environment = report.environment
    return page(
        "report.html.j2",
        report=report,
        said=verdict(report),
        header=header(report),
        columns=COLUMNS,
        rows=rows(report),
        reference=reference_row(report),
        legend=legend(report),
        notes=[*not_run(report), *findings(report)],
        before_title=before_title(report),
        before_columns=BEFORE_COLUMNS,
        before=before_rows(report),
        charts=step_charts(report),
        weights=weights_picture(report),
        trajectory=trajectory_charts(report),
        drift_title=drift_title(report),
        drift_columns=DRIFT_COLUMNS,
        drift=drift(report),
        measures=measures(report),
        passages=passages(report) if report.tolerances is not None else [],
        environment={
            "accumcheck": report.accumcheck_version,
            "transformers": environment.transformers,
            "accelerate": environment.accelerate,
            "torch": environment.torch,
            "Python": environment.python,
            "stack": f"{report.config.get('stack', '')} {environment.stack_version}".strip(),
            "device": f"{environment.device_count or ''} {environment.device_name or environment.device}".strip(),
            "backend": environment.backend,
            "platform": environment.platform,
            "started": report.started_at.replace("T", " "),
            "took": numbers.seconds(report.duration_seconds),
        },
        config=write_document(report_to_dict(report)["config"]),
    )


def page(template: str, **content: object) -> str:
    """One of the templates beside this module, with the style in it; whatever ``content`` holds is escaped."""
    return _templates().get_template(template).render(**content)


def linked(address: str) -> bool:
    """Whether an address may be a link: the web's, not a script's."""
    return address.startswith(("https://", "http://"))


@cache
def _templates() -> Environment:
    loader = PackageLoader("accumcheck.report", "page")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: legal(clean(value)) if type(value) is str else value,
    )
    style, _, _ = loader.get_source(environment, "style.css")
    environment.globals.update(style=Markup(style), words=WORDS, signs=SIGNS)
    environment.tests["linked"] = linked
    return environment

"""The files of one real run in every format: the same result everywhere, each valid by its own measure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import jsonschema
import pytest
import xmlschema
from markdown_it import MarkdownIt

SCHEMAS = Path(__file__).parents[1] / "report" / "formats"


def check_formats(text: Mapping[str, str], config: Path, code: int) -> None:
    """Of the splits 1x8x1, which passes, 1x2x4 and 2x2x2, which both fail where the exit code is 1."""
    other = "fail" if code else "pass"
    lines = config.read_text(encoding="utf-8").splitlines()
    check_json(text["json"], config, lines, other)
    check_markdown(text["md"], other)
    check_junit(text["xml"], failures=6 if code else 0)
    check_sarif(text["sarif"], lines, code)
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text["html"])
    headings = ["".join(one.itertext()) for one in page.iter("h2")]
    assert "Trajectory" in headings
    assert ("Findings" in headings) == bool(code)
    assert text["txt"].splitlines()[-1].startswith(f"{other}: ")


def check_json(text: str, config: Path, lines: list[str], other: str) -> None:
    report = json.loads(text)
    schema = subprocess.run(
        [sys.executable, "-m", "accumcheck", "schema", "report"], capture_output=True, check=True, text=True
    )
    jsonschema.validate(report, json.loads(schema.stdout))
    assert [split["verdict"] for split in report["splits"]] == ["pass", other, other]
    weights = report["splits"][0]["sample_weights"]["values"]
    assert weights == pytest.approx([1] * 8, abs=1e-5)  # a global batch of 8
    place = report["config_file"]
    assert place["path"] == str(config)
    assert {split: lines[line - 1] for split, line in place["splits"].items()} == {
        "1x8x1": "- 1x8x1",
        "1x2x4": "- 1x2x4",
        "2x2x2": "- 2x2x2",
    }
    assert lines[place["line"] - 1] == "splits:"


def check_markdown(text: str, other: str) -> None:
    page = html5lib.parse(MarkdownIt("commonmark").enable("table").render(text), namespaceHTMLElements=False)
    verdicts = [["".join(cell.itertext()) for cell in row][-1] for row in next(page.iter("table")).iter("tr")]
    shown = {"pass": "pass", "fail": "FAIL"}[other]
    assert verdicts[1:4] == ["pass", shown, shown]


def check_junit(text: str, failures: int) -> None:
    xmlschema.XMLSchema(str(SCHEMAS / "junit.xsd")).validate(text)
    suite = next(ElementTree.fromstring(text).iter("testsuite"))
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("12", str(failures))  # loss, norm, gradient, update


def check_sarif(text: str, lines: list[str], code: int) -> None:
    made = json.loads(text)
    jsonschema.validate(made, json.loads((SCHEMAS / "sarif.json").read_text(encoding="utf-8")))
    (run,) = made["runs"]
    assert run["invocations"][0]["exitCode"] == code
    places = [result["locations"][0]["physicalLocation"] for result in run["results"] if result["level"] == "error"]
    found = {lines[place["region"]["startLine"] - 1] for place in places}
    assert found == ({"- 1x2x4", "- 2x2x2"} if code else set())

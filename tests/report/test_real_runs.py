"""One real run in every format at once: the same result everywhere, each valid by its own measure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import jsonschema
import pytest
import xmlschema
from markdown_it import MarkdownIt

from tests.e2e.program import accumcheck, write_config, write_faulty_model

pytestmark = pytest.mark.e2e
SARIF = Path(__file__).parent / "formats" / "sarif.json"


@pytest.mark.parametrize(("planted", "code", "second"), [("none:-1:0", 0, "pass"), ("uncounted:any:0", 1, "fail")])
def test_every_format_of_one_run(tmp_path: Path, planted: str, code: int, second: str) -> None:
    config = write_config(tmp_path, steps=2, trajectory_steps=3, model=write_faulty_model(tmp_path))
    files = {ending: tmp_path / f"report.{ending}" for ending in ("json", "txt", "xml", "md", "html", "sarif")}
    outputs = [argument for file in files.values() for argument in ("-o", file)]
    ended = accumcheck("run", config, "--format", "markdown", *outputs, env={"PLANTED": planted})
    assert ended.code == code, ended.err
    text = {ending: file.read_text(encoding="utf-8") for ending, file in files.items()}

    report = json.loads(text["json"])
    schema = subprocess.run(
        [sys.executable, "-m", "accumcheck", "schema", "report"], capture_output=True, check=True, text=True
    )
    jsonschema.validate(report, json.loads(schema.stdout))
    control, other = report["splits"]
    assert [control["verdict"], other["verdict"]] == ["pass", second]
    assert len(control["sample_weights"]["values"]) == 8  # a global batch of 8
    assert control["sample_weights"]["values"] == pytest.approx([1] * 8, abs=1e-5)
    lines = config.read_text().splitlines()
    place = report["config_file"]
    assert place["path"] == str(config)
    assert {split: lines[line - 1] for split, line in place["splits"].items()} == {
        "1x8x1": "- 1x8x1",
        "1x2x4": "- 1x2x4",
    }
    assert lines[place["line"] - 1] == "splits:"

    assert ended.out == text["md"]
    page = html5lib.parse(MarkdownIt("commonmark").enable("table").render(text["md"]), namespaceHTMLElements=False)
    verdicts = [["".join(cell.itertext()) for cell in row][-1] for row in next(page.iter("table")).iter("tr")]
    assert verdicts[1:3] == ["pass", {"pass": "pass", "fail": "FAIL"}[second]]

    xmlschema.XMLSchema(str(Path(__file__).parent / "formats" / "junit.xsd")).validate(text["xml"])
    suite = next(ElementTree.fromstring(text["xml"]).iter("testsuite"))
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("6", "3" if code else "0")

    (run,) = json.loads(text["sarif"])["runs"]
    jsonschema.validate(json.loads(text["sarif"]), json.loads(SARIF.read_text(encoding="utf-8")))
    assert run["invocations"][0]["exitCode"] == code
    places = [result["locations"][0]["physicalLocation"] for result in run["results"] if result["level"] == "error"]
    assert [lines[place["region"]["startLine"] - 1] for place in places] == (["- 1x2x4"] if code else [])

    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text["html"])
    headings = ["".join(one.itertext()) for one in page.iter("h2")]
    assert "Trajectory" in headings
    assert ("Findings" in headings) == bool(code)
    assert text["txt"].splitlines()[-1].startswith(f"{second}: ")

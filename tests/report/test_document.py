"""Every subject in every format, and a subject that no format knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.etree import ElementTree

import html5lib
import pytest

from accumcheck.report.blocks import (
    Block,
    Cell,
    Code,
    Column,
    Conclusion,
    Details,
    Fact,
    Facts,
    Head,
    Note,
    Notes,
    Section,
    Sentence,
    Table,
)
from accumcheck.report.document import Annotation, Case, Document, Suite
from accumcheck.report.registry import FORMATS

from . import comparisons, examples
from .documents import test_bisection as searches
from .documents.test_selftest import CAUGHT, OUTCOMES, SOUND
from .written import Record, document

SUBJECTS: tuple[Callable[[], Record], ...] = (
    *examples.EVERY,
    *comparisons.EVERY,
    searches.broken,
    searches.fixed,
    searches.undecided,
    lambda: OUTCOMES,
    lambda: [CAUGHT, SOUND],
)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("make", SUBJECTS)
def test_every_format_writes_every_subject(make: Callable[[], Record], name: str) -> None:
    made = document(make())
    text = FORMATS[name].text(made)
    assert text.endswith("\n")
    assert len(text) > 20
    if name == "table" and made.transcript() is None:
        assert " ".join(text.split()).endswith(f"({made.conclusion().exit})")


@pytest.mark.parametrize("make", SUBJECTS)
def test_what_did_not_pass_passes_nowhere(make: Callable[[], Record]) -> None:
    made = document(make())
    cases = {case.outcome for case in made.suite().cases}
    levels = {one.level for one in made.annotations()}
    assert bool(cases & {"failure", "error"}) == ("error" in levels) == (made.exit_code != 0)
    assert (made.conclusion().tone in ("pass", "warn", "fail")) == (made.exit_code != 3)


class Weather(Document):
    """A subject that nothing else knows of, with a block of every kind that is not a picture."""

    title = "accumcheck weather"

    def __init__(self) -> None:
        super().__init__({"rain": 3})

    @property
    def exit_code(self) -> int:
        return 1

    def conclusion(self) -> Conclusion:
        return Conclusion("fail", "fail", "it rains", "exit code 1")

    def blocks(self) -> list[Block]:
        columns = (
            Column(("", "day"), "left"),
            Column(("rain", "in mm")),
            Column(("", "curve"), drawn=True),
        )
        rows = [[Cell("Monday", "label"), Cell("3"), Cell("▁█")]]
        table = Table(columns, rows, caption="Rain", legend="mm: millimetres.")
        note = Note("fail", "Monday", "it rains", ("Clouds came.",), "Take an umbrella.")
        inner = Section("What is wrong", (Notes((note,)), Details("More", (Sentence("Still more."),))))
        day = Section("Monday morning", (table, Facts((Fact("wind", "none"),)), inner), "part", self.conclusion())
        hidden = Section("Station", (Code("x: 1", "The station"),), background=True)
        return [Head("Oslo", (("north", "coast"),)), Sentence("A short week."), day, hidden, Section("Nothing", ())]

    def suite(self) -> Suite:
        return Suite("weather", "weather", [Case("Monday", "failure", "it rains")], 1.0, "2026-03-01T09:30:00")

    def annotations(self) -> list[Annotation]:
        return [Annotation("error", "rain", "Monday", "it rains", "week.yaml", 2)]


def test_a_new_subject_as_plain_text() -> None:
    assert FORMATS["table"].text(Weather()) == (
        "Oslo\nnorth, coast\n\nA short week.\n\n"
        "Monday morning\n           rain\n  day     in mm\n---------------\n  Monday      3\n\n"
        "mm: millimetres.\n\nwind         none\n\n"
        "FAIL    Monday: it rains\n        Clouds came.\n        advice: Take an umbrella.\n\n"
        "fail: it rains (exit code 1)\n\nfail: it rains (exit code 1)\n"
    )


def test_a_new_subject_as_markdown() -> None:
    assert FORMATS["markdown"].text(Weather()) == (
        "## accumcheck weather: fail\n\n**it rains** (exit code 1)\n\nOslo  \nnorth, coast\n\nA short week.\n\n"
        "### Monday morning\n\n**it rains**\n\n| day | rain in mm |\n| --- | ---: |\n| **Monday** | 3 |\n\n"
        "<sub>mm: millimetres.</sub>\n\n- **wind:** none\n\n#### What is wrong\n\n"
        "- **FAIL** Monday: it rains\n\n  Clouds came.\n\n  **Advice:** Take an umbrella.\n"
    )


def test_a_new_subject_as_a_page() -> None:
    text = FORMATS["html"].text(Weather())
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    assert ["".join(one.itertext()) for one in page.iter("h2")] == ["Monday morning", "Station"]
    assert "".join(next(page.iter("details")).itertext()).split() == ["More", "Still", "more."]
    assert "".join(next(page.iter("pre")).itertext()) == "x: 1"
    assert "Oslo" in "".join(page.find(".//header").itertext())
    assert "▁█" not in text


def test_a_new_subject_for_programs() -> None:
    assert json.loads(FORMATS["json"].text(Weather())) == {"rain": 3}
    (case,) = ElementTree.fromstring(FORMATS["junit"].text(Weather())).iter("testcase")
    assert [child.tag for child in case] == ["failure"]
    assert FORMATS["github"].text(Weather()) == (
        "::error file=week.yaml,line=2,title=Monday::it rains\nfail: it rains (exit code 1)\n"
    )
    (result,) = json.loads(FORMATS["sarif"].text(Weather()))["runs"][0]["results"]
    assert result["ruleId"] == "rain"

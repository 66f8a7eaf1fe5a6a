"""Markdown: rendered by a CommonMark parser and read back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import html5lib
import pytest
from markdown_it import MarkdownIt

from accumcheck.report.formats.markdown import code, escape, inline
from tests.report import examples, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from accumcheck.record import Report

text = partial(written.text, name="markdown")
RENDER = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render


def rendered(markdown: str) -> Element:
    page: Element = html5lib.parse(RENDER(markdown), namespaceHTMLElements=False)
    return page


def words(element: Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def table(page: Element) -> list[list[str]]:
    return [[words(cell) for cell in row] for row in next(page.iter("table")).iter("tr")]


def test_the_table_reads_back() -> None:
    rows = table(rendered(text(examples.llava_449())))
    assert ["|".join(row) for row in rows] == [
        "split|loss|loss vs control|grad norm|grad norm vs control|gradient error|weight scale|weight min..max|verdict",
        "1x128x1|10.83|control|1.234|control|5.2e-08|1.00|1.00..1.00|pass",
        "4x16x2|21.67|x 2.00|2.473|x 2.00|1.02|2.00|1.81..2.25|FAIL",
        "4x8x4|43.35|x 4.00|4.974|x 4.03|3.09|4.00|3.35..4.81|FAIL",
        "8x1x16|173.37|x 16.00|21.228|x 17.20|16.9|16.00|7.96..61.8|FAIL",
        "4x1x32|346.25|x 31.96|44.573|x 36.12|36.0|31.96|15.9..123|FAIL",
        "reference|10.83|3.1e-08|1.234|4.4e-08||||",
    ]


@pytest.mark.parametrize("report", examples.EVERY)
def test_every_row_has_every_cell(report: Callable[[], Report]) -> None:
    page = rendered(text(report()))
    tables = list(page.iter("table"))
    drifting = any(split.trajectory for split in report().splits)
    assert len(tables) == bool(report().splits) + drifting + (report().before is not None)
    for found in tables:
        rows = list(found.iter("tr"))
        assert {len(row) for row in rows} == {len(rows[0])}
    if report().splits:
        labels = [row[0] for row in table(page)[1:]]
        assert labels[: len(report().splits)] == [str(split.split) for split in report().splits]


def test_verdict_findings_and_links() -> None:
    page = rendered(text(examples.llava_449()))
    assert words(next(page.iter("h2"))) == "accumcheck: fail"
    assert "4 of 5 splits diverge (exit code 1: divergence)" in words(page)
    item = words(next(page.iter("li")))
    assert item.startswith("FAIL 4x16x2, 4x8x4, 8x1x16, 4x1x32: the reported loss and the gradient are 2 to 32 times")
    assert "(microbatch-mean*k)" in item
    assert "workaround: model_accepts_loss_kwargs = False" in item
    (link,) = page.iter("a")
    assert link.attrib["href"] == "https://github.com/hiyouga/LLaMA-Factory/issues/7443"


def test_what_could_not_be_decided_does_not_read_as_a_pass() -> None:
    page = rendered(text(examples.undecided()))
    assert words(next(page.iter("h2"))) == "accumcheck: could not be decided"
    assert [row[-1] for row in table(page)[1:]] == ["pass", "pass", "ERROR", "skipped", "skipped", ""]
    assert "4x8x4: process 2 ended with exit code 1" in words(page)


def test_texts_from_elsewhere_stay_texts() -> None:
    page = rendered(text(examples.hostile()))
    allowed = {"html", "head", "body", "h2", "h3", "p", "br", "strong", "sub", "ul", "li", "code", "pre"}
    allowed |= {"table", "thead", "tbody", "tr", "th", "td"}
    assert {element.tag for element in page.iter()} <= allowed  # no script, no image, no link
    assert words(page).count(examples.HOSTILE) >= 8
    assert {words(heading) for heading in page.iter("h2")} == {"accumcheck: fail"}


@pytest.mark.parametrize(
    "said",
    [
        "a | b",
        "`code` and ``more``",
        "**bold** _under_ ~~gone~~ __init__",
        "<b>bold</b> &amp; &lt;",
        "[link](https://example.org) ![image](x.png) <https://example.org>",
        "# heading",
        "- item",
        "+ item",
        "1. item",
        "12) item",
        "10.83",
        "===",
        "---",
        "> quote",
        "    indented",
        "two\nlines",
        "$x$ and back\\slash",
        "ends with a backslash \\",
    ],
)
def test_escaped_text_renders_as_it_is(said: str) -> None:
    shown = " ".join(said.split())
    page = rendered(f"before\n\n{escape(said)}\n\nafter")
    assert [words(paragraph) for paragraph in page.iter("p")] == ["before", shown, "after"]
    cells = table(rendered(f"| a | b |\n| - | - |\n| {inline(said)} | other |"))
    assert cells[1] == [shown, "other"]


@pytest.mark.parametrize("said", ["plain", "a `b` c", "`", "``x`` `y`", "a | <b> *c*"])
def test_code_renders_as_it_is(said: str) -> None:
    (span,) = rendered(code(said)).iter("code")
    assert words(span) == said

"""The HTML page: whole, self-contained, inert, accessible, and drawn by a real browser where there is one."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import html5lib
import pytest
from PIL import Image

from accumcheck.record import ParameterError
from tests.report import examples, written
from tests.report.formats.browser import asked, browse, needs_browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from xml.etree.ElementTree import Element

    from accumcheck.record import Report

text = partial(written.text, name="html")
SCRIPT = (resources.files("accumcheck.report.formats") / "page" / "search.js").read_text(encoding="utf-8")


def parsed(report: Report) -> Element:
    """The page; a browser's own parser finds nothing wrong with it."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    page: Element = parser.parse(text(report))
    return page


def words(element: Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def tagged(page: Element, name: str) -> Iterator[Element]:
    """Elements by name, whatever their namespace."""
    return (one for one in page.iter() if str(one.tag).rpartition("}")[2] == name)


def with_values(report: Report) -> Report:
    """Every sample's weight known: half at the smallest, half at the largest."""
    return replace(
        report,
        splits=tuple(
            replace(one, sample_weights=replace(found, values=(found.min, found.max) * 4))
            if (found := one.sample_weights)
            else one
            for one in report.splits
        ),
    )


@pytest.mark.parametrize("report", examples.EVERY)
def test_every_report_is_valid_html(report: Callable[[], Report]) -> None:
    page = parsed(with_values(report()))
    assert words(next(tagged(page, "h1"))).endswith(words(next(tagged(page, "title"))).split(":")[0])
    identities = [one.attrib["id"] for one in page.iter() if "id" in one.attrib]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("report", examples.EVERY)
def test_nothing_is_loaded_and_only_the_pages_own_script_is_run(report: Callable[[], Report]) -> None:
    page = parsed(with_values(report()))
    loading = {"link", "img", "iframe", "object", "embed", "video", "audio", "base", "form", "image", "use"}
    assert not loading & {str(one.tag).rpartition("}")[2] for one in page.iter()}
    for one in page.iter():
        names = {str(name).rpartition("}")[2].lower() for name in one.attrib}
        assert not [name for name in names if name.startswith("on") or name in ("src", "srcset", "style", "action")]
        for name, value in one.attrib.items():
            if str(name).rpartition("}")[2] == "href":
                assert str(one.tag) == "a"
                assert value.startswith(("https://", "http://"))
    (style,) = tagged(page, "style")
    assert not re.search(r"url\(|@import|@font-face", words(style))
    policy = next(one for one in tagged(page, "meta") if "http-equiv" in one.attrib)
    (script,) = tagged(page, "script")
    assert script.text == SCRIPT
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert policy.attrib["content"] == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def test_hostile_text_is_shown_as_text() -> None:
    page = parsed(examples.hostile())
    shown = words(page)
    assert shown.count(examples.HOSTILE) >= 12
    assert "\x1b" not in text(examples.hostile())
    assert "javascript:" not in " ".join(
        value for one in page.iter() for value in one.attrib.values() if "alert" not in value
    )
    assert list(tagged(page, "a")) == []  # an address that is none of the web's is no link
    assert "a,b:c%/<check>.yaml" in words(next(tagged(page, "title")))


def test_the_table_has_every_cell_under_its_column() -> None:
    page = parsed(examples.llava_449())
    table = next(tagged(page, "table"))
    head = [words(cell) for cell in tagged(table, "th") if cell.attrib.get("scope") == "col"]
    rows = [[words(cell) for cell in row] for row in tagged(table, "tr") if row[0].attrib.get("scope") == "row"]
    assert head[0] == "split"
    assert len(set(head)) == 9
    assert rows[1] == ["4x16x2", "21.67", "x 2.00", "2.473", "x 2.00", "1.02", "2.00", "1.81..2.25", "✕ FAIL"]
    assert rows[-1] == ["reference", "10.83", "3.1e-08", "1.234", "4.4e-08", "", "", "", ""]
    for row in tagged(table, "tr"):
        labels = [cell.attrib["data-label"] for cell in row if "data-label" in cell.attrib]
        assert labels in ([], head[1:])


def test_sections_are_there_when_there_is_something_to_say() -> None:
    def headings(report: Report) -> list[str]:
        return [words(one) for one in tagged(parsed(report), "h2")]

    failing = ["In short", "Splits", "Findings", "Loss and gradient norm", "Sample weights"]
    assert headings(examples.with_trajectory()) == [*failing, "Trajectory", "Weighting and tolerances", "Environment"]
    assert headings(examples.clean()) == ["Splits", *failing[3:], "Weighting and tolerances", "Environment"]
    assert headings(examples.no_model()) == ["In short", "Findings", "Environment"]
    assert headings(examples.no_reference()) == [*failing[:4], "Weighting and tolerances", "Environment"]


def test_a_hotfixed_run_shows_what_it_was_before() -> None:
    page = parsed(examples.hotfixed())
    tables = list(tagged(page, "table"))
    rows = [[words(cell) for cell in row] for row in tagged(tables[1], "tr")]
    assert rows[1:] == [
        ["1x128x1", "5.0e-08", "microbatch-mean*k", "✓ pass", "5.2e-08", "✓ pass"],
        ["4x1x32", "36.0", "microbatch-mean*k", "✕ FAIL", "0.52", "✕ FAIL"],
    ]
    assert "a mean of means where lengths differ" in words(page)


def test_findings_say_everything_that_is_known() -> None:
    finding = replace(examples.llava_449().findings[0], consequence="Steps are too long.", advice="Keep k at 1.")
    page = parsed(replace(examples.llava_449(), findings=(finding,)))
    article = words(next(tagged(page, "article")))
    for said in (finding.summary, finding.explanation, "Steps are too long.", "What to do. Keep k at 1.", "4.57.6"):
        assert said in article
    (link,) = tagged(page, "a")
    assert link.attrib["href"] == "https://github.com/hiyouga/LLaMA-Factory/issues/7443"


def test_tolerances_environment_and_configuration() -> None:
    page = parsed(examples.llava_449())
    facts = {words(one[0]): words(one[1]) for one in tagged(page, "div") if len(one) == 2 and one[0].tag == "dt"}
    assert facts["tolerance"] == "loss 2.0e-06, grad norm 3.0e-06, gradient 1.0e-05"
    assert facts["transformers"] == "4.49.0"
    assert facts["platform"] == "Linux-6.1-x86_64"
    rows = [words(row) for table in list(tagged(page, "table"))[1:] for row in tagged(table, "tr")]
    assert "gradient 1.0e-05 4.8e-07 2.4e-06 - 1.0e-05 dtype" in rows  # 5 x 4.8e-07 = 2.4e-06
    configuration = next(tagged(page, "pre"))
    assert "global_batch_size: 128" in words(configuration)


def test_pictures_say_in_words_what_they_show() -> None:
    page = parsed(with_values(examples.not_a_number()))
    for picture in (one for one in tagged(page, "svg") if one.attrib.get("role") == "img"):
        named = [one.attrib["id"] for one in picture if "id" in one.attrib]
        assert picture.attrib["aria-labelledby"].split() == named
        assert words(picture[0])
    descriptions = [words(one) for one in tagged(page, "desc")]
    assert "Not a number: 4x16x2." in descriptions[0]
    assert "1x128x1: 10.83, 10.84, 10.83." in descriptions[0]


def test_colour_is_never_the_only_sign() -> None:
    for report in examples.EVERY:
        for badge in (
            one for one in tagged(parsed(report()), "span") if "badge" in one.attrib.get("class", "").split()
        ):
            sign, word = words(badge).split()
            assert sign in "✓!✕?-i"
            assert word in ("pass", "WARN", "FAIL", "ERROR", "skipped", "note")


def _colours(css: str) -> list[dict[str, str]]:
    """The variables of the light and of the dark theme, and of those on paper."""
    return [
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)
    ]


def _contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_text_has_the_contrast_of_wcag_aa_in_both_themes() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    (style,) = tagged(parsed(examples.clean()), "style")
    light, dark, paper = _colours(words(style))
    for theme in (light, dark, paper):
        for name in ("ink", "quiet", "pass", "warn", "fail", "error", "skipped", "reference"):
            assert _contrast(theme[name], theme["page"]) >= 4.5, name
        for name in ("ink", "quiet"):
            assert _contrast(theme[name], theme["raised"]) >= 4.5, name


@needs_browser
@pytest.mark.parametrize("width", [360, 720, 900, 1200])
def test_a_browser_draws_it_without_scrolling_sideways(tmp_path: Path, width: int) -> None:
    page = tmp_path / "report.html"
    report = with_values(examples.with_trajectory())
    written.write(replace(report, findings=(*report.findings, *examples.hostile().findings)), page)
    asking = """const over = [...document.querySelectorAll("body *")]
      .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("pre"))
      .map(one => one.tagName + "." + one.className);
      document.title = JSON.stringify([innerWidth, document.documentElement.scrollWidth, over]);"""
    size = f"--window-size={width},3000"
    inner, scrolled, over = asked(tmp_path, page, asking, size)
    assert (scrolled, over) == (inner, [])
    assert inner <= max(width, 500)  # older browsers' windows are never narrower
    shot = tmp_path / "shot.png"
    browse(tmp_path, size, f"--screenshot={shot}", page.as_uri())
    colours = Image.open(shot).convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 100  # drawn, not blank


def test_single_parameters_and_installed_packages_are_tables_that_unfold() -> None:
    report = examples.llava_449()
    wrong = ParameterError("model.norm.weight", 0.6, 1e-4, 0.01, 2)
    right = ParameterError("lm_head.weight", 1e-7, 1e-4, 0.9, 1)
    splits = tuple(replace(one, parameters=(wrong, right)) for one in report.splits[:1])
    environment = replace(report.environment, packages={"torch": "2.13.0", "numpy": "2.4.6"})
    page = parsed(replace(report, splits=(*splits, *report.splits[1:]), environment=environment))
    summaries = [words(one) for one in tagged(page, "summary")]
    assert f"{report.splits[0].split}: 2 parameters, 1 beyond what rounding allows" in summaries
    assert "Installed packages" in summaries
    shown = words(page)
    assert "model.norm.weight" in shown
    assert "numpy" in shown
    assert not [one for one in tagged(page, "details") if "open" in one.attrib]

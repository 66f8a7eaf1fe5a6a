"""The HTML page on paper, as a real browser lays it out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.record.reported import UpdateRecord
from tests.report import examples, written
from tests.report.formats.browser import asked, needs_browser
from tests.report.formats.test_search import with_parameters

if TYPE_CHECKING:
    from accumcheck.record import Report

ASKING = """
const cut = [...document.querySelectorAll("svg text")].map(one => [one.getBoundingClientRect(), one.textContent])
  .filter(([box]) => box.width && (box.left < 0 || box.right > innerWidth)).map(([, text]) => text);
const bare = [...document.querySelectorAll("h2")]
  .filter(one => one.nextElementSibling && one.parentElement.innerText.trim() === one.innerText.trim())
  .map(one => one.innerText);
const links = [...document.querySelectorAll(".known a")].map(one => getComputedStyle(one, "::after").content);
document.title = JSON.stringify([cut, bare, links]);
"""


def with_updates(report: Report) -> Report:
    """Learning rates of a usual size, falling over three steps."""
    rates = [5e-05, 2.5e-05, 0.0]
    updates = tuple(UpdateRecord(step, (rate,), None, None) for step, rate in enumerate(rates, start=1))
    return replace(report, splits=tuple(replace(one, updates=updates) for one in report.splits))


@needs_browser
def test_nothing_is_cut_off_and_no_heading_stands_alone(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    written.write(with_parameters(with_updates(examples.llava_449())), page)
    # the rules for paper, shown on a screen as wide as A4 between its margins
    text = page.read_text(encoding="utf-8").replace("@media print", "@media all")
    page.write_text(text.replace("@media screen", "@media print"), encoding="utf-8")
    cut, bare, links = asked(tmp_path, page, ASKING, "--window-size=718,3000")
    assert (cut, bare) == ([], [])
    assert ["https://github.com/hiyouga/LLaMA-Factory/issues/7443" in link for link in links] == [True]

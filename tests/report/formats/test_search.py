"""The box of the HTML page that searches its long tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from accumcheck.record import ParameterError, Report
from tests.report import examples, written
from tests.report.formats.browser import asked, browse, needs_browser


def with_parameters(report: Report) -> Report:
    """Twelve parameters in the first split: one wrong, and eleven layers that are right."""
    wrong = ParameterError("model.norm.weight", 0.6, 1e-4, 0.01, 2)
    right = tuple(ParameterError(f"model.layers.{layer}.mlp.weight", 1e-7, 1e-4, 0.09, 1) for layer in range(11))
    first, *others = report.splits
    return replace(report, splits=(replace(first, parameters=(wrong, *right)), *others))


def test_only_long_tables_are_searched() -> None:
    page = written.text(with_parameters(examples.llava_449()), "html")
    assert page.count("<table ") > 1
    assert page.count(' data-search="') == page.count(' data-search="parameter"') == 1


@needs_browser
def test_a_browser_searches_a_table_under_the_pages_own_policy(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    written.write(with_parameters(examples.llava_449()), page)
    drawn = browse(tmp_path, "--dump-dom", page.as_uri())
    assert drawn.count('<label class="search">Find parameter <input type="search"') == 1  # the policy lets it run
    typing = """const box = document.querySelector(".search input");
      const rows = [...document.querySelector("table[data-search]").tBodies[0].rows];
      document.title = JSON.stringify(["LAYERS  1 mlp", "norm", "none such", ""].map((words) => {
        box.value = words; box.dispatchEvent(new Event("input"));
        return [document.querySelector(".search output").value, rows.filter((row) => !row.hidden).length];
      }));"""
    # layers 1 and 10 have a 1 in their names; the others have one only among their numbers
    assert asked(tmp_path, page, typing) == [["2 of 12", 2], ["1 of 12", 1], ["0 of 12", 0], ["", 12]]


@needs_browser
def test_a_browser_hides_rows_on_narrow_screens_too(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    written.write(with_parameters(examples.llava_449()), page)
    typing = """const box = document.querySelector(".search input");
      document.querySelectorAll("details").forEach((one) => { one.open = true; });
      box.value = "norm"; box.dispatchEvent(new Event("input"));
      const rows = [...document.querySelector("table[data-search]").tBodies[0].rows];
      document.title = JSON.stringify(rows.filter((row) => row.getBoundingClientRect().height > 0).length);"""
    assert asked(tmp_path, page, typing, "--window-size=500,3000") == 1

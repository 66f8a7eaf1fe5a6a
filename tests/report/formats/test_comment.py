"""The comment on a pull request: one number first, one row per check, the rest folded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import html5lib
import pytest
from markdown_it import MarkdownIt

from accumcheck.record import ConfigFile, Report
from accumcheck.record.comparison import Comparison
from accumcheck.report.formats.comment import LONGEST
from tests.report import comparisons, examples, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

text = partial(written.text, name="comment")
RENDER = MarkdownIt("commonmark").enable(["table"]).render


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def first_table(markdown: str) -> list[list[str]]:
    page: Element = html5lib.parse(RENDER(markdown), namespaceHTMLElements=False)
    return [[words(cell) for cell in row] for row in next(page.iter("table")).iter("tr")]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (comparisons.several, "**1 of 3 checks got worse, 1 could not be decided**"),
        (comparisons.broken, "**1 of 1 check got worse**"),
        (comparisons.drifting, "**1 of 1 check has another reference**"),
        (comparisons.undecided, "**1 of 1 check could not be decided**"),
        (comparisons.fixed, "**0 of 1 check got worse**"),
        (comparisons.failing_in_both, "**1 of 1 check fails**"),
        (partial(comparisons.failing_in_both, strict=False), "**0 of 1 check got worse**"),
        (examples.llava_449, "**4 of 5 splits diverge**"),
    ],
)
def test_the_first_line_is_the_one_number(make: Callable[[], Comparison | Report], line: str) -> None:
    assert text(make()).splitlines()[0] == line


def test_each_check_has_a_row_with_before_now_and_the_noise_band() -> None:
    assert first_table(text(comparisons.several())) == [
        ["check", "before (5.23.0)", "now (4.49.0)", "noise band", "result"],
        ["configs/a.yaml", "pass, 5.2e-08", "pass, 5.2e-08", "1.0e-05", "no worse"],
        ["configs/b.yaml", "pass, 5.2e-08", "FAIL microbatch-mean*k, 36.0", "1.0e-05", "worse"],
        ["configs/c.yaml", "pass, 5.2e-08", "ERROR, 5.2e-08", "1.0e-05", "undecided"],
    ]


@pytest.mark.parametrize(
    ("make", "result"),
    [
        (comparisons.fixed, "better"),
        (partial(comparisons.failing_in_both, strict=False), "fails as before"),
        (comparisons.drifting, "reference drifts"),
    ],
)
def test_what_became_of_a_check(make: Callable[[], Comparison], result: str) -> None:
    assert first_table(text(make()))[1][-1] == result


def test_it_says_in_what_the_environments_differ_once() -> None:
    made = comparisons.several()

    def with_packages(report: Report, release: str) -> Report:
        packages = {"transformers": release, "trl": "1.16.0"}
        return replace(report, environment=replace(report.environment, packages=packages))

    pairs = [
        replace(pair, old=with_packages(pair.old, "5.23.0"), new=with_packages(pair.new, "4.49.0"))
        for pair in made.pairs
    ]
    shown = text(replace(made, pairs=tuple(pairs)))
    assert shown.count("Differs only in transformers 5.23.0 -\\> 4.49.0.") == 1


def test_a_run_has_one_row() -> None:
    made = replace(examples.llava_449(), config_file=ConfigFile("checks/llava.yaml", 1))
    assert first_table(text(made)) == [
        ["check", "now", "noise band"],
        ["checks/llava.yaml", "FAIL microbatch-mean*k, 36.0", "1.0e-05"],
    ]


def test_what_passes_on_both_sides_is_not_unfolded() -> None:
    shown = text(comparisons.several())
    assert shown.count("<details>") == shown.count("</details>") == 2
    assert "<summary>configs/a.yaml" not in shown
    assert "<summary>configs/b.yaml: fails under transformers 4.49.0" in shown


@pytest.mark.parametrize("make", [*comparisons.EVERY, *examples.EVERY])
def test_the_same_result_gives_the_same_text_however_long_it_took(make: Callable[[], Comparison | Report]) -> None:
    def later(report: Report) -> Report:
        splits = tuple(replace(split, duration_seconds=99.0, log="/tmp/other/log") for split in report.splits)
        return replace(report, started_at="2031-01-01T00:00:00+00:00", duration_seconds=999.0, splits=splits)

    made = make()
    if isinstance(made, Report):
        assert text(later(made)) == text(made)
    else:
        pairs = tuple(replace(pair, old=later(pair.old), new=later(pair.new)) for pair in made.pairs)
        assert text(replace(made, pairs=pairs)) == text(made)


def test_what_a_comment_has_no_room_for_is_left_out_and_said() -> None:
    many = [
        comparisons.pair(comparisons.same_splits(), examples.llava_449(), f"configs/{number}.yaml")
        for number in range(60)
    ]
    shown = text(comparisons.comparison(*many))
    assert len(shown) <= LONGEST
    assert shown.startswith("**60 of 60 checks got worse**")
    assert shown.endswith("The rest is in the report: it would not fit in a comment.\n")
    assert len(first_table(shown)) == 61


def test_no_text_of_a_report_is_markup() -> None:
    made = comparisons.comparison(
        comparisons.pair(comparisons.same_splits(), examples.llava_449(), "</summary><b>*a*.yaml")
    )
    shown = text(made)
    assert "<summary>&lt;/summary&gt;&lt;b&gt;*a*.yaml: " in shown
    assert "<b>" not in shown

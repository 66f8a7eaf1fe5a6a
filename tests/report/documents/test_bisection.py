"""A search over releases in every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest
import xmlschema
from jsonschema import Draft202012Validator

from accumcheck.record.bisection import Bisection, Step, Tried
from accumcheck.saved.bisections import bisection_schema
from tests.compare.ladder import failing, passing
from tests.report import examples
from tests.report.written import text as written
from tests.report.written import write

PAGES = ("https://github.com/huggingface/transformers/releases/tag/v4.49.0",)
MEANING = "the check fails with microbatch-mean*k"


def broken() -> Bisection:
    """By hand: the search of docs/upgrade.md."""
    before = Tried("4.48.3", failing("microbatch-mean"), seconds=78)
    last = Tried("4.51.3", failing("microbatch-mean*k"), kept=True)
    skipped = Tried("4.50.0", None, "no wheel for this Python")
    after = Tried("4.49.0", failing("microbatch-mean*k"), seconds=70)
    steps = (
        Step(before, False, MEANING, 2, 2),
        Step(last, True, MEANING, 2, 2),
        Step(skipped, None, MEANING, 1, 1),
        Step(after, True, MEANING, 0, 0),
    )
    return Bisection("broken", MEANING, before, after, ("4.49.0",), (), steps, config="llava.yaml", pages=PAGES)


def fixed() -> Bisection:
    """One fault ended under 4.52.1, and the one that came then under 4.54.0."""
    first, last = Tried("4.51.3", failing("microbatch-mean*k")), Tried("4.54.0", passing())
    between = Tried("4.52.1", failing("device-mean"))
    next_ = "the check fails with device-mean"
    steps = (Step(first, True, MEANING, 1, 1), Step(last, False, MEANING, 1, 1), Step(between, False, MEANING, 0, 0))
    return Bisection("fixed", next_, between, last, ("4.54.0",), (), steps, ((MEANING, "4.52.1"),), "llava.yaml")


def undecided() -> Bisection:
    skipped = Tried("4.49.0", examples.undecided(), "<script>alert('no wheel')</script>")
    after = Tried("4.50.3", failing("microbatch-mean*k"))
    found = broken()
    steps = (*found.steps[:2], Step(skipped, None, MEANING, 1, 1))
    return replace(found, after=after, candidates=("4.49.0", "4.50.3"), skipped=(skipped,), steps=steps)


every = pytest.mark.parametrize("make", [broken, fixed, undecided])


def test_the_text_is_what_the_terminal_showed_and_ends_with_the_release() -> None:
    lines = written(broken(), "table").splitlines()
    assert lines[:7] == [
        "bad means: the check fails with microbatch-mean*k",
        "4.48.3    other    fail   microbatch-mean (1 min 18 s; 2 left, about 2 steps)",
        "4.51.3    bad      fail   microbatch-mean*k (kept from an earlier run; 2 left, about 2 steps)",
        "4.50.0    skipped  -      no wheel for this Python (0.0 s; 1 left, about 1 step)",
        "4.49.0    bad      fail   microbatch-mean*k (1 min 10 s; none left)",
        "",
        "bad means: the check fails with microbatch-mean*k",
    ]
    assert lines[-1] == "first bad release: 4.49.0"
    assert written(fixed(), "table").splitlines()[-1] == "first fixed release: 4.54.0"


@every
def test_json_satisfies_its_schema(make: Callable[[], Bisection]) -> None:
    Draft202012Validator.check_schema(bisection_schema())
    Draft202012Validator(bisection_schema()).validate(json.loads(written(make(), "json")))


def test_json_says_where_the_search_ended_and_how_it_went() -> None:
    plain = json.loads(written(broken(), "json"))
    assert (plain["found"], plain["candidates"], plain["exit_code"]) == ("4.49.0", ["4.49.0"], 0)
    assert plain["release_notes"] == ["https://github.com/huggingface/transformers/releases/tag/v4.49.0"]
    assert [step["state"] for step in plain["steps"]] == ["other", "bad", "skipped", "bad"]
    assert plain["steps"][2] == {
        "release": "4.50.0",
        "about": "",
        "state": "skipped",
        "bad_means": MEANING,
        "verdict": None,
        "loss_rule": None,
        "gradient_rule": None,
        "reason": "no wheel for this Python",
        "kept": False,
        "seconds": 0.0,
        "exit_code": None,
        "started_at": "",
        "left": 1,
        "steps_left": 1,
    }
    assert [(step["exit_code"], step["left"]) for step in plain["steps"]] == [(1, 2), (1, 2), (None, 1), (1, 0)]
    assert plain["before"]["report"]["gradient_rule"] == "microbatch-mean"
    assert plain["after"]["report"]["gradient_rule"] == "microbatch-mean*k"
    plain = json.loads(written(fixed(), "json"))
    assert plain["earlier"] == [{"bad_meant": MEANING, "until": "4.52.1"}]
    plain = json.loads(written(undecided(), "json"))
    assert (plain["found"], plain["candidates"], plain["exit_code"]) == (None, ["4.49.0", "4.50.3"], 3)


def test_markdown_of_a_search() -> None:
    text = written(broken(), "markdown")
    assert text.startswith(
        "## accumcheck bisect llava.yaml: 4.49.0\n\n"
        "**first bad release; since then the check fails with microbatch-mean\\*k** (exit code 0)\n\n"
        "LlavaForConditionalGeneration (shrunk), 1.24M parameters, float32, from llava-hf/llava-1.5-7b-hf\n\n"
        "| release | state | verdict | weighting | time |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| **4.48.3** | **other** | **FAIL** | microbatch-mean | 1 min 18 s |\n"
        "| **4.51.3** | **bad** | **FAIL** | microbatch-mean\\*k | kept from an earlier run |\n"
        "| **4.50.0** | skipped | - | no wheel for this Python | 0.0 s |\n"
        "| **4.49.0** | **bad** | **FAIL** | microbatch-mean\\*k | 1 min 10 s |\n\n"
        "- **bad means:** the check fails with microbatch-mean\\*k\n"
        "- **before:** transformers 4.48.3: other (FAIL, microbatch-mean)\n"
        "- **after:** transformers 4.49.0: bad (FAIL, microbatch-mean\\*k)\n"
        "- **release notes:** <https://github.com/huggingface/transformers/releases/tag/v4.49.0>\n\n"
        "### Under transformers 4.49.0\n\n- **FAIL** "
    )


def test_what_could_not_be_decided_does_not_read_as_found() -> None:
    text = written(undecided(), "markdown")
    assert text.startswith("## accumcheck bisect llava.yaml: not found\n\n**first bad release: one of 4.49.0, 4.50.3; ")
    assert "- **skipped:** 4.49.0: \\<script\\>alert('no wheel')\\</script\\>" in text


@every
def test_the_page_is_html_in_which_every_text_is_escaped(make: Callable[[], Bisection]) -> None:
    page = written(make(), "html")
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(page)
    assert "<script>alert" not in page
    assert "http-equiv" in page
    assert make().candidates[0] in page


def test_a_file_is_written_in_the_format_of_its_ending(tmp_path: Path) -> None:
    write(broken(), tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == written(broken(), "markdown")


@every
def test_junit_passes_a_release_that_was_tried_and_errs_where_nothing_was_found(make: Callable[[], Bisection]) -> None:
    made = make()
    text = written(made, "junit")
    xmlschema.XMLSchema(str(Path(__file__).parents[1] / "formats" / "junit.xsd")).validate(text)
    *releases, search = ElementTree.fromstring(text).iter("testcase")
    assert len(releases) == len(made.steps)
    kinds = [[child.tag for child in case if child.tag != "system-out"] for case in releases]
    assert kinds == [["skipped"] if step.bad is None else [] for step in made.steps]
    assert [child.tag for child in search] == (["system-out"] if made.found else ["error"])


def test_github_says_where_the_search_ended_at_its_configuration() -> None:
    assert written(broken(), "github") == (
        "::warning file=llava.yaml,title=accumcheck bisect llava.yaml::4.49.0: first bad release; since then the check "
        "fails with microbatch-mean*k (exit code 0)\n"
        "4.49.0: first bad release; since then the check fails with microbatch-mean*k (exit code 0)\n"
    )
    assert written(undecided(), "github").startswith("::error file=llava.yaml,")

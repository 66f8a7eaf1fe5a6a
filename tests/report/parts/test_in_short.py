"""What a page answers first: what is wrong, how large, since when, what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from accumcheck.record import Report
from accumcheck.record.reason import ReasonKind
from accumcheck.report.blocks import Fact, Facts, Known, Note, Section
from accumcheck.report.documents.check import CheckDocument
from accumcheck.report.parts.in_short import UNDECIDED, in_short
from accumcheck.report.parts.packages import differing, installed
from tests.report.runs import llava_449

WORST = Note("fail", "1x2x4", "loss 4.00 times", ("nothing divides by k", "the step is too large"))
KNOWN = Known("a fault", "", (("affected", "a >=1,<2"), ("fixed", "a 2"), ("workaround", "set b")))
OTHERWISE = "write to them"


def answers(*notes: Note, since: str = "") -> dict[str, str]:
    section: Section = in_short(notes, since=since, otherwise=lambda _: OTHERWISE)
    found = [fact for block in section.blocks if isinstance(block, Facts) for fact in block.facts]
    assert all(isinstance(fact, Fact) for fact in found)
    return {fact.label: fact.text for fact in found}


def test_the_worst_comes_first_and_the_others_are_counted() -> None:
    warning, note = Note("warn", "", "a warning"), Note("ignore", "", "a note")
    assert answers(note, warning, WORST) == {
        "what is wrong": "nothing divides by k",
        "how large": "1x2x4: loss 4.00 times",
        "since when": "not known: no published fault matches; accumcheck bisect finds the release",
        "what to do": OTHERWISE,
        "also": "1 more finding, below; this one comes first",
    }


def test_a_published_fault_says_since_when_and_what_to_do() -> None:
    found = answers(replace(WORST, known=(KNOWN,)))
    assert (found["since when"], found["what to do"]) == ("a >=1,<2; fixed: a 2", "set b")
    fixed = Known("a fault", "", (("affected", "a >=1,<2"), ("fixed", "a 2")))
    assert answers(replace(WORST, known=(fixed,)))["what to do"] == "upgrade to a 2"


def test_the_findings_own_advice_and_a_comparison_know_better() -> None:
    found = answers(replace(WORST, known=(KNOWN,), advice="pin a"), since="a 1; a 0 passes")
    assert (found["since when"], found["what to do"]) == ("a 1; a 0 passes", "pin a")


def test_what_could_not_be_decided_has_no_size_and_blames_no_release() -> None:
    assert answers(Note("error", "1x2x4", "CUDA out of memory", id="out-of-memory")) == {
        "what is wrong": "CUDA out of memory",
        "what to do": "use a smaller model (model.shrink: true) or a smaller global batch",
    }
    assert set(UNDECIDED) == set(get_args(ReasonKind))


def test_a_bug_report_is_offered_where_a_script_can_show_the_finding() -> None:
    def told(report: Report) -> str:
        (section,) = [one for one in CheckDocument(report).blocks() if isinstance(one, Section) and one.background][:1]
        return next(fact.text for block in section.blocks if isinstance(block, Facts) for fact in block.facts[-1:])

    failing = replace(llava_449().findings[0], known=(), advice="")
    assert failing.gradient_rule
    report = replace(llava_449(), findings=(failing,))
    assert told(report) == "accumcheck reproduce REPORT.json --issue writes the bug report"
    assert told(replace(report, config={**report.config, "hotfix": "token-mean"})) == "see the finding below"
    no_rule = replace(failing, loss_rule=None, gradient_rule=None)
    assert told(replace(report, findings=(no_rule,))) == "see the finding below"


def test_nothing_is_said_where_nothing_is_wrong_or_all_is_expected() -> None:
    assert answers() == {}
    assert answers(Note("ignore", "", "a note"), replace(WORST, expected="known")) == {}


def test_environments_are_compared_package_by_package() -> None:
    table = differing({"a": "1", "b": "1", "c": "2"}, {"a": "1", "b": "3", "d": "4"})
    assert [[cell.text for cell in row] for row in table.rows] == [["b", "1", "3"], ["c", "2", "-"], ["d", "-", "4"]]
    assert differing({}, {"a": "1"}).rows == []  # the older report does not say
    assert [[cell.text for cell in row] for row in installed({"b": "1", "a": "2"}).rows] == [["a", "2"], ["b", "1"]]

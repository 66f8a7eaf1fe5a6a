"""Real classes of the installed transformers, each in a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from accumcheck.cli import main
from accumcheck.record import Environment
from accumcheck.record.survey import Survey, SurveyedClass
from accumcheck.runfolder.place import Place
from accumcheck.survey import server
from accumcheck.survey.asked import Asked, Head
from accumcheck.survey.heads import find_heads
from accumcheck.survey.run import Surveyor
from accumcheck.survey.wire import ClassEnded, NewsFollower
from tests.survey.made import survey

pytestmark = pytest.mark.e2e

HEADS = [Head(f"C{number}ForCausalLM", "models.c.modeling_c", "c", "causal-lm") for number in range(3)]


def test_classes_are_checked_and_a_broken_one_costs_itself_alone() -> None:
    seen: list[SurveyedClass] = []
    asked = Asked(match=("LlamaForCausalLM", "BertForTokenClassification", "BertForPreTraining"), processes=2)
    found = Surveyor(asked, on_class=seen.append).run()
    verdicts = {one.name: one.verdict for one in found.classes}
    assert verdicts["LlamaForCausalLM"] == "pass"
    assert sorted(seen, key=lambda one: one.name) == list(found.classes)
    assert list(map(str, found.splits)) == ["1x8x1", "1x1x8", "2x2x2"]
    by_name = {one.name: one for one in found.classes}
    assert by_name["LlamaForCausalLM"].gradient_rule == "token-mean"
    assert found.summary.checked + found.summary.not_checked == 3


def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: list[Any], **limits: Any) -> list[ClassEnded]:
    """The news of classes whose processes do this."""

    def run_class(run: Path, check: Any, environment: Any) -> None:
        works[int(run.name)]()

    monkeypatch.setattr("accumcheck.survey.one.run_class", run_class)
    place = Place(tmp_path, tmp_path)
    server._check_all(place, Asked(jobs=2, **limits), HEADS[: len(works)], Environment())
    found = [one for one in NewsFollower(tmp_path).new() if isinstance(one, ClassEnded)]
    return sorted(found, key=lambda one: one.number)


def test_a_class_that_crashes_or_hangs_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashed, hung, well = ends(
        tmp_path,
        monkeypatch,
        [lambda: os.kill(os.getpid(), signal.SIGTERM), lambda: time.sleep(600), lambda: None],
        timeout=1.0,
    )
    assert crashed.reason is not None
    assert (crashed.reason.kind, crashed.reason.text) == ("crashed", "its process was killed by SIGTERM")
    assert hung.reason is not None
    assert (hung.reason.kind, hung.reason.text) == ("hung", "not finished after 1 s (--timeout)")
    assert well.reason is None


def test_memory_is_bounded_for_the_class_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "said"

    def greedy() -> None:
        try:
            bytearray(2**30)
        except MemoryError:
            said.write_text("no memory")

    (end,) = ends(tmp_path, monkeypatch, [greedy], memory=0.25)
    assert end.reason is None
    assert said.read_text() == "no memory"
    bytearray(2**29)  # this process is not bounded


def test_a_pattern_that_fits_no_class_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(surveyor: Surveyor, _: Sequence[SurveyedClass]) -> Survey:
        assert not find_heads(surveyor.asked)  # as the server does, in a process that has the imports already
        return survey()

    monkeypatch.setattr(Surveyor, "run", run)
    assert main(["survey", "--match", "BertFor(Seq|Tok)", "--quiet"]) == 2
    captured = capsys.readouterr()
    assert "--match BertFor(Seq|Tok): no head class of transformers" in captured.err
    assert captured.out == ""

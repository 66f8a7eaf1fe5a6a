"""The pages of surveys."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import html5lib
import pytest
from survey_families import FAMILIES, OTHER, coverage, family_of
from survey_pages import (
    FOLDER,
    main,
    page_of,
    readme_of,
    rows_of,
    safe_since,
    shortened,
    surveys_in,
    text_of,
    without_folders,
)

from accumcheck.record import Environment, Finding
from accumcheck.record.survey import Survey, SurveyedClass
from accumcheck.saved.surveys import read_survey
from tests.report.formats.browser import asked, needs_browser
from tests.report.written import write
from tests.survey.made import failing, survey, surveyed

NAME = failing().name


def under(release: str, *classes: SurveyedClass) -> Survey:
    return replace(survey(*classes), environment=Environment(transformers=release))


@pytest.fixture
def surveys(tmp_path: Path) -> dict[str, Survey]:
    for one in (under("5.24.0", failing(), surveyed()), under("4.49.0", surveyed(NAME, task="token-classification"))):
        write(one, tmp_path / f"transformers-{one.environment.transformers}.json")
    return surveys_in(tmp_path)


def test_releases_are_in_their_order(surveys: dict[str, Survey]) -> None:
    assert list(surveys) == ["4.49.0", "5.24.0"]


def test_a_class_has_a_verdict_for_each_release_that_has_it(surveys: dict[str, Survey]) -> None:
    first, second = rows_of(surveys)
    assert first["name"] == NAME
    assert first["in"] == {"4.49.0": ["pass", "token-mean"], "5.24.0": ["fail", "microbatch-mean*k"]}
    assert second["in"] == {"5.24.0": ["pass", "token-mean"]}
    assert (first["since"], second["since"]) == ("", "5.24.0")


@pytest.mark.parametrize(
    ("verdicts", "since"),
    [("pass pass", "1"), ("fail pass", "2"), ("pass fail", ""), ("pass fail pass", "3"), ("warn", "1"), ("fail", "")],
)
def test_safe_since_the_first_release_after_the_last_failure(verdicts: str, since: str) -> None:
    known = {str(number): surveyed("A", one) for number, one in enumerate(verdicts.split(), start=1)}
    assert safe_since(known) == since


def test_the_page_holds_the_rows_and_nothing_that_ends_its_script(surveys: dict[str, Survey]) -> None:
    hostile = surveyed("X", "not checked", reason="</script><b>")
    page = page_of({**surveys, "6.0": under("6.0", hostile)})
    html5lib.HTMLParser(strict=True).parse(page)
    assert page.count("</script>") == 1
    data = json.loads(re.search(r"const found = (.*);\n", page).group(1))  # type: ignore[union-attr]
    assert data["releases"] == ["4.49.0", "5.24.0", "6.0"]
    assert data["rows"][-1]["in"]["6.0"] == ["not checked", "unsupported: </script><b>"]


SEARCH = """
const seen = {};
for (const text of TEXTS) {
  document.getElementById("text").value = text;
  document.getElementById("choices").dispatchEvent(new Event("input"));
  seen[text] = [...document.querySelectorAll("#rows tr")].map((row) => row.cells[0].textContent);
}
document.title = JSON.stringify(seen);
"""


@needs_browser
def test_the_page_finds_classes_by_every_word_of_name_type_and_rule(surveys: dict[str, Survey], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(page_of(surveys).replace("<head>", '<head><meta http-equiv="asked">'), encoding="utf-8")
    first, second = (str(row["name"]) for row in rows_of(surveys))
    texts = {
        "": [first, second],
        f" {first.upper()} ": [first],
        "microbatch-mean*k": [first],
        f"{first} microbatch-mean*k": [first],
        f"{second} microbatch-mean*k": [],
    }
    assert asked(tmp_path, page, SEARCH.replace("TEXTS", json.dumps(list(texts)))) == texts


def test_the_summary_counts_by_release_and_family(surveys: dict[str, Survey]) -> None:
    text = readme_of(surveys)
    assert "| [5.24.0](transformers-5.24.0.json) | 2 | 2 | 1 | 0 | 1 | 0 |" in text
    assert "| token classification | 1 of 1 | 0 of 1 |" in text
    assert "| causal language models | - | 1 of 1 |" in text
    assert "| token classification | 1 | 0 | 1 | 100% |" in text
    assert "neither the loss nor the gradient in 1 of 2 checked classes: they are safe." in text
    assert "Every checked class is safe in: causal language models (since 5.24.0)." in text
    assert "No checked class is safe in: token classification." in text
    changed = "- From 4.49.0 to 5.24.0, of 1 class checked under both: 0 cured, 1 broken (token classification)."
    assert changed in text.splitlines()


def test_a_class_that_was_cured_is_counted() -> None:
    found = {"1": under("1", surveyed("A", "fail")), "2": under("2", surveyed("A"), surveyed("B"))}
    text = readme_of(found)
    assert "- From 1 to 2, of 1 class checked under both: 1 cured, 0 broken." in text.splitlines()
    assert "causal language models (since 2)" in text


def test_a_model_that_depends_on_its_batch_is_not_safe_nor_trained_wrongly() -> None:
    depends = Finding("batch-dependent-model", "warn", (), summary="batching changes this model's results by up to 0.5")
    model = surveyed("A", "warn", findings=(depends,))
    text = readme_of({"1": under("1", surveyed("A", "fail")), "2": under("2", model, surveyed("B"))})
    assert "in 1 of 2 checked classes: they are safe." in text
    assert "- Some are safe in: causal language models (1 of 2). The page has each class." in text
    assert "- Not safe, although nothing is trained wrongly: 1, whose results depend on the batch" in text
    assert "of 1 class checked under both: 0 cured, 0 broken." in text
    assert safe_since({"1": surveyed("A"), "2": model}) == ""


def test_missing_packages_do_not_count_against_the_coverage() -> None:
    missing = surveyed("B", "not checked", reason_kind="missing-package")
    counts = coverage(survey(surveyed("A"), missing, surveyed("C", "not checked")))["causal language models"]
    assert counts == (3, 1, 1, 1)
    assert counts.share == 0.5


def test_every_task_has_one_family() -> None:
    tasks = [task for of_family in FAMILIES.values() for task in of_family]
    assert len(tasks) == len(set(tasks))
    assert family_of("ctc") == "speech and audio"
    assert family_of("a-new-task") == OTHER


def test_a_published_survey_is_short_and_can_be_read(tmp_path: Path) -> None:
    (finding,) = failing().findings
    told = replace(failing(), findings=(replace(finding, explanation="long", consequence="long"),))
    (tmp_path / "short.json").write_text(text_of(shortened(survey(told, surveyed()))), encoding="utf-8")
    text = (tmp_path / "short.json").read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.startswith('{"name"')]) == 2
    assert "long" not in text
    found = read_survey(tmp_path / "short.json")
    assert [one.name for one in found.classes] == [NAME, "LlamaForCausalLM"]
    assert found.classes[0].findings[0].summary == "8 times too large"
    assert found.classes[0].config == {}


@pytest.mark.parametrize(
    ("text", "published"),
    [
        (
            "ValueError: got [1] (.venv/lib/python3.11/site-packages/torch/nn/functional.py:2854) "
            "(log: /var/run/accumcheck-ab12cd34/7/reference/logs)",
            "ValueError: got [1] (torch/nn/functional.py:2854)",
        ),
        (
            "TypeError: no (/home/me/.cache/accumcheck/environments/t-4.57.6-65/lib/python3.11/site-packages/"
            "transformers/utils/generic.py:918)",
            "TypeError: no (transformers/utils/generic.py:918)",
        ),
        ("out of memory (log: /scratch/my job/accumcheck-x/3/logs)", "out of memory"),
        ("OSError: no space: '/var/folders/x1/accumcheck-ab/2/rows-0.pt'", "OSError: no space: 'rows-0.pt'"),
        (
            "needs natten (https://shi-labs.com/natten or the docs/README) in transformers/models/dinat/x.py:1, 1/k",
            "needs natten (https://shi-labs.com/natten or the docs/README) in transformers/models/dinat/x.py:1, 1/k",
        ),
        ("", ""),
    ],
)
def test_folders_of_the_machine_are_left_out(text: str, published: str) -> None:
    assert without_folders(text) == published
    finding = Finding("crash", "warn", (), summary=text)
    made = surveyed("A", "not checked", reason=text, note=text, findings=(finding,))
    (one,) = shortened(survey(made)).classes
    assert (one.reason, one.note, one.findings[0].summary) == (published, published, published)


@pytest.mark.parametrize(
    ("platform", "published"),
    [
        ("Linux-6.8.0-45-generic-x86_64-with-glibc2.39", "Linux-x86_64-with-glibc2.39"),
        ("Linux-5.15.0-1.el9-aarch64-with-glibc2.34", "Linux-aarch64-with-glibc2.34"),
        ("Linux-x86_64-with-glibc2.36", "Linux-x86_64-with-glibc2.36"),
        ("", ""),
    ],
)
def test_the_kernel_of_the_machine_is_left_out(platform: str, published: str) -> None:
    made = replace(survey(surveyed()), environment=Environment(transformers="5.24.0", platform=platform))
    assert shortened(made).environment.platform == published


def test_no_published_survey_has_a_folder_of_a_machine() -> None:
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "site-packages" not in text, path.name
        assert "/tmp/" not in text, path.name
        assert "(log:" not in text, path.name


def test_given_surveys_are_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("survey_pages.FOLDER", tmp_path / "survey")
    write(under("4.57.6", surveyed()), tmp_path / "one.json")
    main([str(tmp_path / "one.json")])
    assert {path.name for path in (tmp_path / "survey").iterdir()} == {
        "README.md",
        "index.html",
        "transformers-4.57.6.json",
    }

"""Publish surveys: python scripts/survey_pages.py [SURVEY.json ...].

Each given survey is written to docs/survey in a short form: one class in a line, without the texts that explain a rule
and without configurations, which follow from the class. Then docs/survey/index.html and README.md are written from all
surveys there. The page needs no other files. It has a row for each class, a column for each release, a text search, and
filters for task, release and verdict.
"""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.version import Version
from survey_families import coverage, depends_on_batch, family_of, is_safe

from accumcheck.record.survey import Survey, SurveyedClass
from accumcheck.report.parts.survey_lines import classes_counted, said_of, total_of
from accumcheck.saved.surveys import read_survey
from accumcheck.saved.write import plain

FOLDER = Path(__file__).parents[1] / "docs" / "survey"
TEMPLATE = Path(__file__).with_name("survey_page.html")
_LOG = re.compile(r" ?\(log: [^)]*\)")
"""Where the log of a class was."""
_FOLDERS = re.compile(r"[^\s('\"]*/site-packages/|(?<![\w./:~-])/(?:[^\s/()'\":]+/)+")
"""The folders of a file: of a package, or from the root."""

_KERNEL = re.compile(r"-\d[^-]*-.*(?=-(?:x86_64|aarch64|arm64))")
"""The version and the build of a kernel in a platform: Linux-6.8.0-45-generic-x86_64-with-glibc2.39."""

VERDICTS = ("pass", "warn", "fail", "not checked")


def shortened(survey: Survey) -> Survey:
    """The survey without texts that are the same for every class with a rule, and without what is of no use to others.

    That is the configurations, which follow from the classes, and the machine's folders and kernel.
    """
    platform = _KERNEL.sub("", survey.environment.platform)
    environment = replace(survey.environment, platform=platform)
    return replace(survey, classes=tuple(map(_shortened, survey.classes)), environment=environment, compared=None)


def _shortened(one: SurveyedClass) -> SurveyedClass:
    findings = tuple(
        replace(finding, summary=without_folders(finding.summary), explanation="", consequence="", advice="", known=())
        for finding in one.findings
    )
    return replace(
        one, findings=findings, config={}, reason=without_folders(one.reason), note=without_folders(one.note)
    )


def without_folders(text: str) -> str:
    """A text without folders of the machine that made a survey: no reader has them. Files keep their names."""
    return _FOLDERS.sub("", _LOG.sub("", text))


def text_of(survey: Survey) -> str:
    """The survey as JSON with one class in a line."""
    record = plain(survey)
    classes = ",\n".join(json.dumps(one, separators=(",", ":")) for one in record.pop("classes"))
    return f'{json.dumps(record)[:-1]}, "classes": [\n{classes}\n]}}\n'


def surveys_in(folder: Path) -> dict[str, Survey]:
    """The surveys of a folder by transformers release, the oldest first.

    Raises:
        ConfigError: a file is not a survey.
    """
    found = [read_survey(path) for path in folder.glob("*.json")]
    return {
        one.environment.transformers: one
        for one in sorted(found, key=lambda one: Version(one.environment.transformers))
    }


def rows_of(surveys: Mapping[str, Survey]) -> list[dict[str, object]]:
    """A row for each class: its name, its task, and for each release with this class the verdict and the reason."""
    by_release = {release: {one.name: one for one in survey.classes} for release, survey in surveys.items()}
    names = sorted({name for classes in by_release.values() for name in classes})
    rows: list[dict[str, object]] = []
    for name in names:
        known = {release: classes[name] for release, classes in by_release.items() if name in classes}
        last = list(known.values())[-1]
        cells = {release: [one.verdict, said_of(one)] for release, one in known.items()}
        rows.append({"name": name, "type": last.model_type, "task": last.task, "in": cells, "since": safe_since(known)})
    return rows


def safe_since(known: Mapping[str, SurveyedClass]) -> str:
    """The first surveyed release from which on a class is safe; empty if it is not safe in the last one."""
    since = ""
    for release, one in known.items():
        since = (since or release) if is_safe(one) else ""
    return since


def page_of(surveys: Mapping[str, Survey]) -> str:
    """The page as HTML. The page's script escapes every text that it writes."""
    data = json.dumps({"releases": list(surveys), "rows": rows_of(surveys)}, separators=(",", ":"))
    tasks = sorted({one.task for survey in surveys.values() for one in survey.classes})
    return (
        TEMPLATE.read_text(encoding="utf-8")
        .replace("<!-- TASKS -->", options(tasks))
        .replace("<!-- RELEASES -->", options(surveys))
        .replace("<!-- VERDICTS -->", options(VERDICTS))
        .replace("/* DATA */", data.replace("</", "<\\/"))
    )


def options(names: Sequence[str] | Mapping[str, object]) -> str:
    """The options of a selection."""
    return "".join(f"<option>{html.escape(name)}</option>" for name in names)


def readme_of(surveys: Mapping[str, Survey]) -> str:
    """The results in Markdown: the counts by release and family, and since when which classes are safe."""
    lines = [
        "# Surveys",
        "",
        "<!-- Written by scripts/survey_pages.py; make survey-pages. -->",
        "",
        "Every head class of these transformers releases, checked by `accumcheck survey` ([how](../survey.md)).",
        "[index.html](index.html) is a page to search. The JSON files are the surveys, without the texts that explain",
        "a rule; `accumcheck survey --compare FILE` reads them.",
        "",
        "| transformers | classes | checked | pass | warn | fail | not checked |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for release, survey in surveys.items():
        one = total_of(survey)
        counts = (one.total, one.checked, one.passed, one.warned, one.failed, one.not_checked)
        lines.append(f"| [{release}](transformers-{release}.json) | {' | '.join(map(str, counts))} |")
    if not surveys:
        return "\n".join(lines) + "\n"
    release, last = list(surveys.items())[-1]
    lines += ["", "## What it means", "", *meaning_of(surveys), "", *_safe_by_family(surveys)]
    lines += ["", f"## What was checked, transformers {release}", ""]
    lines += ["| family | classes | package missing | checked | of the others |", "| --- | --- | --- | --- | --- |"]
    for family, found in coverage(last).items():
        lines.append(f"| {family} | {found.total} | {found.missing} | {found.checked} | {found.share:.0%} |")
    lines += ["", f"## By rule, transformers {release}", "", "| rule | classes |", "| --- | --- |"]
    lines += [f"| `{rule}` | {count} |" for rule, count in last.summary.by_rule.items()]
    return "\n".join(lines) + "\n"


def _safe_by_family(surveys: Mapping[str, Survey]) -> list[str]:
    """A table: how many of the checked classes of each family are safe in each release."""
    found = {release: coverage(survey) for release, survey in surveys.items()}
    families = list(dict.fromkeys(family for one in found.values() for family in one))
    lines = [f"| safe, of the checked | {' | '.join(surveys)} |", f"| --- |{' --- |' * len(surveys)}"]
    for family in families:
        cells = [
            f"{one[family].safe} of {one[family].checked}" if family in one and one[family].checked else "-"
            for one in found.values()
        ]
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return lines


def meaning_of(surveys: Mapping[str, Survey]) -> list[str]:
    """Which heads are safe to accumulate, since when, and which are not: lines of Markdown."""
    release, last = list(surveys.items())[-1]
    found = {family: one for family, one in coverage(last).items() if one.checked}
    safe = [f"{family} ({_since(surveys, family)})" for family, one in found.items() if one.safe == one.checked]
    unsafe = [family for family, one in found.items() if not one.safe]
    mixed = [f"{family} ({one.safe} of {one.checked})" for family, one in found.items() if 0 < one.safe < one.checked]
    depending = sum(depends_on_batch(one) and one.verdict == "warn" for one in last.classes)
    lines = [
        f"Under transformers {release}, accumulation changes neither the loss nor the gradient in "
        f"{sum(one.safe for one in found.values())} of {sum(one.checked for one in found.values())} checked classes: "
        "they are safe.",
        "",
        f"- Every checked class is safe in: {'; '.join(safe)}." if safe else "",
        f"- No checked class is safe in: {'; '.join(unsafe)}." if unsafe else "",
        f"- Some are safe in: {'; '.join(mixed)}. The page has each class." if mixed else "",
        f"- Not safe, although nothing is trained wrongly: {depending}, whose results depend on the batch (because of "
        "batch normalisation or padding, for example)."
        if depending
        else "",
        *_changes(surveys),
    ]
    return [
        *(line for at, line in enumerate(lines) if line or at == 1),
        "",
        "A class that fails trains with a gradient that is not that of its global batch; the rule gives the factor or "
        "the weights. Classes that were not checked may not be safe.",
    ]


def _since(surveys: Mapping[str, Survey], family: str) -> str:
    """``since 4.57.6``: the first surveyed release from which on every checked class of a family is safe."""
    since = ""
    for release, survey in surveys.items():
        one = coverage(survey).get(family)
        if one is not None and one.checked:
            since = (since or release) if one.safe == one.checked else ""
    return f"since {since}" if since != next(iter(surveys)) else f"in all releases from {since} on"


def _changes(surveys: Mapping[str, Survey]) -> list[str]:
    """A line for each pair of neighbouring releases: how many classes the newer one cured or broke."""
    told = []
    for (old, before), (new, after) in zip(list(surveys.items()), list(surveys.items())[1:], strict=False):
        known = {one.name: one for one in before.classes if one.is_checked}
        both = [(known[one.name], one) for one in after.classes if one.is_checked and one.name in known]
        cured = sum(earlier.verdict == "fail" and is_safe(one) for earlier, one in both)
        broken = [one for earlier, one in both if is_safe(earlier) and one.verdict == "fail"]
        families = "; ".join(sorted({family_of(one.task) for one in broken}))
        where = f" ({families})" if broken else ""
        told.append(
            f"- From {old} to {new}, of {classes_counted(len(both))} checked under both: "
            f"{cured} cured, {len(broken)} broken{where}."
        )
    return told


def main(files: Sequence[str]) -> None:
    """Publish the surveys in these files, and write both pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in files:
        survey = read_survey(Path(file))
        name = f"transformers-{survey.environment.transformers}.json"
        (FOLDER / name).write_text(text_of(shortened(survey)), encoding="utf-8")
    surveys = surveys_in(FOLDER)
    (FOLDER / "index.html").write_text(page_of(surveys), encoding="utf-8")
    (FOLDER / "README.md").write_text(readme_of(surveys), encoding="utf-8")
    print(f"docs/survey: {len(surveys)} surveys: {', '.join(surveys)}")


if __name__ == "__main__":
    main(sys.argv[1:])

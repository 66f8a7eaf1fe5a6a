"""Write docs/survey/index.html and README.md from the surveys in docs/survey: python scripts/survey_pages.py.

The page needs no other files. It has a row for each class, a column for each release, a text search, and filters for
task, release and verdict.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from accumcheck.record.survey import Survey, SurveyedClass
from accumcheck.report.parts.survey_lines import said_of, total_of
from accumcheck.saved.surveys import read_survey

FOLDER = Path(__file__).parents[1] / "docs" / "survey"
TEMPLATE = Path(__file__).with_name("survey_page.html")
VERDICTS = ("pass", "warn", "fail", "not checked")
SAFE = ("pass", "warn")


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
    """The first surveyed release from which on a class always passes; empty if it does not pass in the last one."""
    since = ""
    for release, one in known.items():
        since = (since or release) if one.verdict in SAFE else ""
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
    """The results in Markdown: the counts by release and task, and since when which classes are safe."""
    lines = [
        "# Surveys",
        "",
        "<!-- Written by scripts/survey_pages.py; make survey-pages. -->",
        "",
        "Every head class of these transformers releases, checked by `accumcheck survey` ([how](../survey.md)).",
        "[index.html](index.html) is a page to search; the JSON files are the surveys themselves.",
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
    lines += ["", f"## By task, transformers {release}", "", "| task | classes | checked | pass | warn | fail |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for task, one in last.summary.by_task.items():
        lines.append(f"| {task} | {one.total} | {one.checked} | {one.passed} | {one.warned} | {one.failed} |")
    lines += ["", f"## By rule, transformers {release}", "", "| rule | classes |", "| --- | --- |"]
    lines += [f"| `{rule}` | {count} |" for rule, count in last.summary.by_rule.items()]
    lines += ["", "## What it means", "", meaning_of(surveys)]
    return "\n".join(lines) + "\n"


def meaning_of(surveys: Mapping[str, Survey]) -> str:
    """One paragraph: which heads are safe to accumulate, and which are not."""
    release, last = list(surveys.items())[-1]
    safe = [task for task, one in last.summary.by_task.items() if one.checked and not one.failed]
    unsafe = [task for task, one in last.summary.by_task.items() if one.failed and one.failed == one.checked]
    mixed = [task for task, one in last.summary.by_task.items() if 0 < one.failed < one.checked]
    parts = [
        f"Under transformers {release} the loss and the gradient do not depend on accumulation in any checked class of "
        f"these tasks: {', '.join(safe) or 'none'}.",
        f"They depend on it in every checked class of: {', '.join(unsafe)}." if unsafe else "",
        f"They depend on it in some classes of: {', '.join(mixed)}." if mixed else "",
        "A class that fails trains with a gradient that is not that of its global batch; the rule gives the factor or "
        "the weights. Classes that were not checked may not be safe.",
    ]
    return " ".join(part for part in parts if part)


def main() -> None:
    """Write both files."""
    surveys = surveys_in(FOLDER)
    (FOLDER / "index.html").write_text(page_of(surveys), encoding="utf-8")
    (FOLDER / "README.md").write_text(readme_of(surveys), encoding="utf-8")
    print(f"docs/survey: {len(surveys)} surveys: {', '.join(surveys)}")


if __name__ == "__main__":
    main()

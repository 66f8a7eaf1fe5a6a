"""Prepare to check some classes of a survey again: python scripts/survey_again.py SURVEY.json KEPT.jsonl [TASK ...].

KEPT.jsonl gets the classes of the survey that were checked, or that need a package that is not installed, without those
of the given tasks. ``accumcheck survey --resume KEPT.jsonl`` then checks all others, and its report has both.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from accumcheck.errors import AccumcheckError
from accumcheck.record.survey import Survey, SurveyedClass
from accumcheck.saved.surveys import read_survey
from accumcheck.survey.asked import Asked
from accumcheck.survey.kept import Kept


def kept_classes(survey: Survey, tasks: Sequence[str] = ()) -> list[SurveyedClass]:
    """The classes whose results stay: checked ones, and those without their package; none of these tasks."""
    return [
        one
        for one in survey.classes
        if (one.is_checked or one.reason_kind == "missing-package") and one.task not in tasks
    ]


def main(survey: str, kept: str, *tasks: str) -> None:
    """Write the file for ``--resume``.

    Raises:
        AccumcheckError: the file exists, or cannot be written.
        ConfigError: the first file is not a survey.
    """
    found, path = read_survey(Path(survey)), Path(kept)
    if path.exists():
        raise AccumcheckError(f"{path} exists; give another file, or remove it")
    if not found.splits:
        raise AccumcheckError(f"{survey} names no splits; give a survey that accumcheck has written")
    asked = Asked(processes=max(split.num_processes for split in found.splits))
    classes = kept_classes(found, tasks)
    Kept(path, "", asked).add(*classes)
    print(f"{path}: {len(classes)} of {len(found.classes)} classes are kept")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit((__doc__ or "").partition("\n")[0])
    try:
        main(*sys.argv[1:])
    except AccumcheckError as error:
        sys.exit(f"survey_again.py: {error}")

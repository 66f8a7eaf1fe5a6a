"""What became of a class since an older survey."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.record.survey import SurveyedClass
from accumcheck.survey.changes import compared
from accumcheck.survey.run import exit_code_of

from .made import failing, survey, surveyed

NAME = failing().name
PASSES = surveyed(NAME)
UNSHIFTED = surveyed(NAME, "warn", "unshifted-token-mean")
UNCHECKED = surveyed(NAME, "not checked")


@pytest.mark.parametrize(
    ("old", "new", "change", "code"),
    [
        (PASSES, failing(), "broken", 1),
        (failing(), PASSES, "cured", 0),
        (PASSES, UNSHIFTED, "other rule", 0),
        (PASSES, UNCHECKED, "no longer checked", 3),
        (UNCHECKED, failing(), "newly checked", 0),
        (None, failing(), "added", 0),
    ],
)
def test_a_change(old: SurveyedClass | None, new: SurveyedClass, change: Any, code: int) -> None:
    found = compared("old.json", survey(*([old] if old else [])), [new])
    assert [(one.name, one.change) for one in found.changes] == [(NAME, change)]
    assert exit_code_of([new], found) == code


@pytest.mark.parametrize("same", [PASSES, failing(), UNCHECKED])
def test_what_did_not_change_is_left_out(same: SurveyedClass) -> None:
    found = compared("old.json", survey(same), [same])
    assert found.changes == ()
    assert exit_code_of([same], found) == 0


def test_a_class_that_is_gone() -> None:
    (change,) = compared("old.json", survey(PASSES, surveyed("B")), [PASSES]).changes
    assert (change.name, change.change, change.before, change.after) == ("B", "removed", "pass, token-mean", "")


@pytest.mark.parametrize(
    ("classes", "code"),
    [([], 3), ([PASSES], 0), ([PASSES, UNSHIFTED], 0), ([PASSES, UNCHECKED], 3), ([UNCHECKED, failing()], 1)],
)
def test_exit_codes_of_a_survey_alone(classes: list[SurveyedClass], code: int) -> None:
    assert exit_code_of(classes) == code

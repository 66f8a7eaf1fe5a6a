"""How each class changed since an older survey."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.record.survey import ChangeKind, ComparedSurvey, Survey, SurveyChange, SurveyedClass

WORSE: tuple[ChangeKind, ...] = ("broken", "no longer checked")
"""The changes with which a survey does not pass when it is compared with an older one."""


def compared(file: str, old: Survey, classes: Sequence[SurveyedClass]) -> ComparedSurvey:
    """Compare two surveys class by class. Classes without a change are left out.

    Args:
        file: the file of the older survey, as the user gave it.
        old: the older survey.
        classes: the classes of the newer survey.
    """
    before, after = {one.name: one for one in old.classes}, {one.name: one for one in classes}
    changes = []
    for name in sorted({*before, *after}):
        kind = _change(before.get(name), after.get(name))
        if kind is not None:
            changes.append(
                SurveyChange(name=name, change=kind, before=_said(before.get(name)), after=_said(after.get(name)))
            )
    return ComparedSurvey(file=file, transformers=old.environment.transformers, changes=tuple(changes))


def _change(old: SurveyedClass | None, new: SurveyedClass | None) -> ChangeKind | None:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if old.is_checked != new.is_checked:
        return "newly checked" if new.is_checked else "no longer checked"
    if (old.verdict == "fail") != (new.verdict == "fail"):
        return "broken" if new.verdict == "fail" else "cured"
    return "other rule" if old.rule != new.rule else None


def _said(one: SurveyedClass | None) -> str:
    if one is None:
        return ""
    return f"{one.verdict}, {one.rule}" if one.is_checked else f"{one.verdict}: {one.reason_kind}"

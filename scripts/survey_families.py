"""The tasks of a survey in families, and how many classes of each were checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from accumcheck.record.survey import Survey, SurveyedClass

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "causal language models": ("causal-lm",),
    "vision-language": ("image-text-to-text", "visual-question-answering"),
    "sequence to sequence": ("seq2seq-lm",),
    "masked language models": ("masked-lm",),
    "sequence classification": ("sequence-classification",),
    "token classification": ("token-classification",),
    "multiple choice": ("multiple-choice",),
    "question answering": ("question-answering",),
    "image classification": ("image-classification",),
    "speech and audio": (
        "speech-seq2seq",
        "ctc",
        "audio-classification",
        "audio-frame-classification",
        "audio-xvector",
        "speech-to-speech",
        "text-to-speech",
    ),
    "detection, segmentation, depth": (
        "object-detection",
        "zero-shot-object-detection",
        "universal-segmentation",
        "instance-segmentation",
        "semantic-segmentation",
        "image-segmentation",
        "segmentation",
        "depth-estimation",
    ),
    "pre-training, next sentence": ("pre-training", "next-sentence-prediction"),
    "video": ("video-classification", "video-grounding"),
    "retrieval, documents, tables": (
        "image-and-text-retrieval",
        "retrieval",
        "document-question-answering",
        "table-question-answering",
    ),
}
OTHER = "other"
"""The family of every other task."""
BATCH_DEPENDENT = "batch-dependent-model"
"""The id of the finding for a model whose results depend on its batch."""


class Coverage(NamedTuple):
    """The classes of a family: all, checked, in need of a package that was not installed, and safe (`is_safe`)."""

    total: int
    checked: int
    missing: int
    safe: int

    @property
    def share(self) -> float:
        """The share of the classes that was checked, of those whose packages are installed, from 0 to 1."""
        return self.checked / max(1, self.total - self.missing)


def family_of(task: str) -> str:
    """The family of a task."""
    return next((family for family, tasks in FAMILIES.items() if task in tasks), OTHER)


def coverage(survey: Survey) -> dict[str, Coverage]:
    """The counts of each family that has a class, in the order of `FAMILIES`."""
    found: dict[str, list[SurveyedClass]] = {}
    for one in survey.classes:
        found.setdefault(family_of(one.task), []).append(one)
    return {family: _counted(found[family]) for family in (*FAMILIES, OTHER) if family in found}


def _counted(classes: Sequence[SurveyedClass]) -> Coverage:
    return Coverage(
        total=len(classes),
        checked=sum(one.is_checked for one in classes),
        missing=sum(one.reason_kind == "missing-package" for one in classes),
        safe=sum(is_safe(one) for one in classes),
    )


def is_safe(one: SurveyedClass) -> bool:
    """Whether accumulation changes nothing for a class.

    A warning is the same under every split, except that of a model whose results depend on its batch.
    """
    return one.verdict in ("pass", "warn") and not depends_on_batch(one)


def depends_on_batch(one: SurveyedClass) -> bool:
    """Whether a class gives other results for other batches of the same samples, whatever stack trains it."""
    return any(finding.id == BATCH_DEPENDENT for finding in one.findings)

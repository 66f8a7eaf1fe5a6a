"""The ids of findings about optimizer steps that use a right gradient wrongly."""

from __future__ import annotations

UPDATE_FINDINGS = frozenset(
    {
        "schedule-times-n",
        "schedule-times-k",
        "schedule-differs",
        "warmup-differs",
        "learning-rate-differs",
        "clipping-differs",
        "clipping-wrong",
        "weight-decay-differs",
        "weight-decay-per-microbatch",
        "weight-change-differs",
        "steps-differ",
    }
)

"""Faults planted in a user's training loop, and how each must be named."""

from __future__ import annotations

from accumcheck.selftest.case import ACCUMULATED, SPREAD, Case, in_program

ROWS = (
    Case(
        "one micro-batch k times",
        in_program("same-microbatch"),
        "samples-differ",
        accused=ACCUMULATED,
        says=r"\d times|twice",
    ),
    Case("a row twice, another never", in_program("row-twice"), "samples-differ", accused=ACCUMULATED, says="twice"),
    Case("shards overlap", in_program("overlap"), "samples-differ", accused=SPREAD, says="both processes"),
    Case("a seed for each process", in_program("seed-per-process"), "samples-differ", accused=SPREAD),
    Case("a batch is skipped", in_program("skipped", steps=2), "samples-differ", accused=ACCUMULATED),
    Case("cut to the micro-batch", in_program("cut"), "samples-differ", accused=ACCUMULATED, says="longer|shorter|cut"),
    Case("labels by the split", in_program("labels"), "samples-differ", accused=ACCUMULATED, says="labels"),
    Case("positions by the process", in_program("positions"), "samples-differ", accused=SPREAD, says="position_ids"),
    Case("no attention mask", in_program("no-mask"), "rows-differ", accused=ACCUMULATED, says="without a mask"),
)
"""What the model is fed depends on the split."""

LOSSES = (
    Case(
        "own loss not divided by k",
        in_program("own-loss-undivided"),
        "token-mean,token-mean*k",
        "token-mean",
        "token-mean*k",
        ACCUMULATED,
    ),
    Case("rows weigh alike", in_program("row-mean"), "sample-mean", "sample-mean", "sample-mean", ACCUMULATED),
)
"""The loop computes its own loss, and divides it wrongly."""

STEPS = (
    Case(
        "a step per micro-batch",
        in_program("step-each"),
        "step-per-microbatch",
        accused=ACCUMULATED,
        says="after every micro-batch",
    ),
    Case(
        "a step after the first one",
        in_program("step-first", steps=2),
        "step-at-wrong-microbatch",
        accused=ACCUMULATED,
        says="step 1 after 1",
    ),
    Case(
        "a parameter frozen",
        in_program("frozen"),
        "parameter-frozen",
        accused=SPREAD,
        says=r"lm_head\.weight",
    ),
)
"""The wrong gradient is applied, or at the wrong time."""

UPDATES = (
    Case("schedule by micro-batches", in_program("schedule", steps=2), "schedule-times-k", accused=ACCUMULATED),
    Case("schedule by processes", in_program("schedule-by-process", steps=2), "schedule-times-n", accused=SPREAD),
    Case("warm-up in micro-batches", in_program("warmup", steps=2), "warmup-differs", accused=ACCUMULATED),
    Case("learning rate times k", in_program("learning-rate"), "learning-rate-differs", accused=ACCUMULATED),
    Case("decay by the split", in_program("decay"), "weight-decay-differs", accused=ACCUMULATED),
    Case("clipped to a kth", in_program("clips-by-k"), "clipping-differs", accused=ACCUMULATED),
)
"""The gradient is right, but the optimizer uses it wrongly."""

TOTALS = (Case("steps by micro-batches", in_program("ends-early", steps=2), "steps-differ", accused=ACCUMULATED),)
"""Training ends after a wrong number of steps."""

OF_PROGRAM = (*ROWS, *LOSSES, *STEPS, *UPDATES, *TOTALS)
"""All these cases."""

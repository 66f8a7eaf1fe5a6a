"""Faults planted in a Trainer, and how each must be named."""

from __future__ import annotations

from accumcheck.selftest.case import ACCUMULATED, SPLITS, SPREAD, Case, in_trainer, rule

SCALES = (
    rule("loss and gradient times k", "times-k", "token-mean*k", "token-mean*k"),
    rule("loss and gradient over k", "over-k", "token-mean/k", "token-mean/k"),
    rule("loss and gradient times n", "times-n", "token-mean*n", "token-mean*n", SPREAD),
    rule("loss and gradient over n", "over-n", "token-mean/n", "token-mean/n", SPREAD),
    rule("loss and gradient over b", "over-b", "token-mean/b", "token-mean/b", SPLITS),
    rule("half of everything", "half", "unexplained", "unexplained", SPLITS, r"0\.50\b"),
    rule("gradient alone times k", "gradient-only", "token-mean", "token-mean*k"),
    rule("an optimizer hook times k", "hooked", "token-mean", "token-mean*k"),
    rule("log alone times k", "log-only", "token-mean*k", "token-mean"),
    Case("logged norm times k", in_trainer("logged-norm"), "logged-grad-norm", accused=ACCUMULATED),
)
"""Everything is multiplied or divided once too often."""

DIVISORS = (
    rule("mean of means", "mean-of-means", "microbatch-mean", "microbatch-mean"),
    rule("sum of means", "sum-of-means", "microbatch-mean*k", "microbatch-mean*k"),
    rule("mean over each device", "device-mean", "device-mean", "device-mean", SPREAD),
    rule(
        "tokens counted unshifted",
        "unshifted-count",
        "unshifted-token-mean",
        "unshifted-token-mean",
        SPLITS,
    ),
    rule("the same on each device", "unshifted-device", "unshifted-device-mean", "unshifted-device-mean", SPLITS),
    Case(
        "epoch's tail divided by k",
        in_trainer("tail-divisor", samples=12),
        "tail-divisor",
        "unexplained",
        "unexplained",
        ACCUMULATED,
        "last step of an epoch",
    ),
    rule("count never reset", "count-kept", "unexplained", "unexplained", SPLITS, "from step 2", steps=2),
    rule(
        "times k from step 2 on",
        "later-times-k",
        "token-mean*k",
        "token-mean*k",
        ACCUMULATED,
        "from step 2",
        steps=2,
    ),
)
"""The loss is divided by a count that is not that of the global batch."""

PLACES = (
    rule("only the last micro-batch", "last-microbatch", "token-mean", "last-microbatch"),
    rule("only the first micro-batch", "first-microbatch", "token-mean", "first-microbatch"),
    rule("halved each micro-batch", "window-geometric", "token-mean", "window-geometric(0.5)"),
    rule(
        "second micro-batch lost",
        "window-partial",
        "token-mean",
        "window-partial",
        ("1x2x4", "2x1x4"),
        "some of the micro-batches",
        splits=("1x8x1", "1x2x4", "2x1x4"),
    ),
    Case(
        "norm clipped in a window",
        in_trainer("clip-norm"),
        "clip-per-microbatch",
        None,
        None,
        ACCUMULATED,
        r"\.py:\d+",
    ),
    Case(
        "values clipped in a window",
        in_trainer("clip-value"),
        "clip-per-microbatch",
        None,
        None,
        ACCUMULATED,
        r"\.py:\d+",
    ),
)
"""The weight of a micro-batch depends on its position in the window."""

SAMPLES = (
    rule("one sample dropped", "dropped-sample", "dropped-samples", "dropped-samples"),
    Case(
        "one sample fed twice",
        in_trainer("duplicated-sample"),
        "samples-differ",
        None,
        "duplicated-samples",
        ACCUMULATED,
        r"sample 5 2 times",
    ),
    Case("samples in another order", in_trainer("other-order", steps=2), "samples-differ", accused=ACCUMULATED),
    Case(
        "the step before leaks in",
        in_trainer("leak", steps=2),
        "leaked-samples",
        "token-mean",
        "unexplained",
        SPLITS,
        "step 2",
    ),
    rule("one process unheard", "unheard-process", "token-mean", "dropped-samples", SPREAD),
    Case(
        "one rank not synchronised",
        in_trainer("unsynchronised"),
        "unsynchronised",
        None,
        "unsynchronised",
        SPREAD,
    ),
    Case(
        "not a number on one rank",
        in_trainer("nan-on-one-rank"),
        "not-finite",
        accused=SPREAD,
        says="nan in step 1",
    ),
)
"""Some samples or processes have a wrong weight."""

PARAMETERS = (
    Case(
        "one gradient is zero",
        in_trainer("parameter-zero"),
        "wrong-parameters",
        None,
        None,
        ACCUMULATED,
        r"model\.norm\.weight is zero",
    ),
    Case(
        "one gradient is doubled",
        in_trainer("parameter-twice"),
        "wrong-parameters",
        None,
        None,
        ACCUMULATED,
        r"lm_head\.weight is 2 times",
    ),
    Case(
        "optimizer lacks a tensor",
        in_trainer("optimizer-lacks"),
        "optimizer-lacks-parameters",
        None,
        None,
        ACCUMULATED,
        r"lm_head\.weight",
    ),
)
"""Single parameters are trained wrongly."""

STEPS = (
    Case("never clipped", in_trainer("never-clips"), "clipping-wrong", accused=SPLITS, says="max_grad_norm 1 makes it"),
    Case(
        "schedule each micro-batch",
        in_trainer("schedule-each", steps=2),
        "schedule-times-k",
        accused=ACCUMULATED,
        says="times for each optimizer step",
    ),
    Case(
        "decay each micro-batch",
        in_trainer("decays-each", training_arguments={"weight_decay": 0.5}),
        "weight-decay-per-microbatch",
        accused=ACCUMULATED,
        says="times the optimizer's",
    ),
    Case("next learning rate logged", in_trainer("logs-next-rate"), "logged-learning-rate", accused=SPLITS),
)
"""The gradient is right, but the step uses it wrongly, or the log is wrong."""

OF_TRAINER = (*SCALES, *DIVISORS, *PLACES, *SAMPLES, *PARAMETERS, *STEPS)
"""All these cases."""

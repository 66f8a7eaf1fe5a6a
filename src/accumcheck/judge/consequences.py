"""What a weighting does to training, and what to do about it, whatever the software that weights so."""

from __future__ import annotations

from accumcheck.judge.rules import FAMILY, Rule

_RULES = {str(rule): rule for rule in FAMILY}
_RIGHT = "token-mean"

_DIRECTION = {
    "sample-mean": "Every sample counts alike: a token of a short sample counts for more than one of a long one.",
    "microbatch-mean": (
        "The gradient points elsewhere, which no learning rate makes up for: the more so the smaller the micro-batches "
        "are and the more uneven the lengths."
    ),
    "device-mean": (
        "The gradient points elsewhere, which no learning rate makes up for: the more so the more processes there are, "
        "the fewer samples each has in a step, and the more uneven the lengths."
    ),
    "unshifted-token-mean": (
        "Loss and gradient are too small by one and the same factor on every split, the more so the shorter the rows: "
        "a slightly smaller step with SGD, next to nothing with Adam. The logged loss cannot be compared with that of "
        "an evaluation or of other software."
    ),
    "unshifted-device-mean": (
        "The gradient points elsewhere, which no learning rate makes up for: the more so the more processes there are, "
        "the fewer samples each has in a step, and the more uneven the lengths. All is a little too small besides."
    ),
    "dropped-samples": "Part of the data is never learned from, and the rest counts for more.",
    "duplicated-samples": "Some samples count twice at the expense of the others.",
    "unsynchronised": "Each process trains a model of its own; what is saved is only that of one of them.",
}
"""What a base does to the direction of the gradient."""

_SUMMED = (
    "have the loss summed over tokens and divided by the token count of the global batch (Trainer: compute_loss_func)"
)
_REMEDY = {
    "sample-mean": f"If tokens are to count alike, {_SUMMED}.",
    "microbatch-mean": (
        "Use the largest per-device batch that fits and few accumulation steps, or samples of equal length; "
        f"or {_SUMMED}."
    ),
    "device-mean": "Have tokens counted over all processes (Trainer: average_tokens_across_devices: true).",
    "unshifted-token-mean": "Mask the first label of every row (-100): it is never predicted, and then not counted.",
    "unshifted-device-mean": (
        "Have tokens counted over all processes (Trainer: average_tokens_across_devices: true), and mask the first "
        "label of every row (-100), which is never predicted."
    ),
    "dropped-samples": "Look for what leaves samples out: a sampler, drop_last, a collator that filters or truncates.",
    "duplicated-samples": "Look for what repeats samples: a sampler that pads, a data set that every process reads.",
    "unsynchronised": "See that the model is wrapped (DDP, FSDP) and that the last micro-batch runs outside no_sync.",
}
_UNKNOWN = (
    "Take away one thing at a time (processes, accumulation, precision, the user's own loss or collator) until the "
    "difference goes."
)


def consequence(loss_rule: str | None, gradient_rule: str | None) -> str:
    """What the gradient does to training, and what the log then hides; empty where the rules do not say."""
    gradient = _RULES.get(gradient_rule or "")
    words = (
        [_scale(gradient), _DIRECTION.get(gradient.base, "")] if gradient else [_DIRECTION.get(gradient_rule or "", "")]
    )
    loss = _RULES.get(loss_rule or "")
    if loss is not None and gradient is not None and loss != gradient:
        if str(gradient) == _RIGHT:
            words = [
                "Training is right, the log is not: loss curves of different splits cannot be compared, and whatever "
                "follows the logged loss (early stopping, a search for settings) is misled."
            ]
        elif loss.k_power == loss.n_power == 0:
            words.append("The logged loss does not show it.")
    return " ".join(filter(None, words))


def advice(loss_rule: str | None, gradient_rule: str | None) -> str:
    """What to do as long as nothing else is known of the fault."""
    gradient = _RULES.get(gradient_rule or "")
    if gradient is None:
        return _REMEDY.get(gradient_rule or "", _UNKNOWN)
    if str(gradient) == _RIGHT:
        return "Judge runs by the gradient norm and by evaluations." if loss_rule != _RIGHT else ""
    if not (gradient.k_power or gradient.n_power):
        return _REMEDY.get(gradient.base, "")
    kept = " and ".join(
        words
        for power, words in ((gradient.k_power, "gradient_accumulation_steps at 1"), (gradient.n_power, "one process"))
        if power
    )
    return f"Keep to {kept}, or {_SUMMED}."


def _scale(rule: Rule) -> str:
    """What a constant factor on the gradient does."""
    powers = (("k", rule.k_power), ("n", rule.n_power))
    up, down = [name for name, power in powers if power > 0], [name for name, power in powers if power < 0]
    if up and not down:
        return (
            f"The gradient is {' x '.join(up)} times too large. With SGD so is the step. Adam divides a constant "
            "factor out again, but only after clipping: at max_grad_norm 1.0 nearly every gradient is cut to the same "
            "length."
        )
    if down and not up:
        return (
            f"The gradient is {' x '.join(down)} times too small. With SGD so is the step. Adam divides a constant "
            "factor out again; clipping hardly ever sets in."
        )
    return f"The gradient is {up[0]}/{down[0]} times the right one. With SGD so is the step." if up and down else ""

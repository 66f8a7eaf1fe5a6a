"""A rule in words: its meaning, its effect on training, and what to do about it, for any software."""

from __future__ import annotations

from dataclasses import dataclass

from accumcheck.judge.rules.bases import BASE_ROWS, SUMMED
from accumcheck.judge.rules.windows import WINDOW_ROWS
from accumcheck.record.rule import TOKEN_MEAN, Rule


@dataclass(frozen=True, slots=True)
class Factor:
    """The meaning of a factor (``times``) or its inverse (``over``), and how to make it 1."""

    times: str
    over: str
    avoid: str


FACTORS = {
    "k": Factor(
        "the sum over the accumulation steps is never divided by their number k",
        "the result is divided by the accumulation steps k once too often",
        "gradient_accumulation_steps at 1",
    ),
    "n": Factor(
        "the result is multiplied by the number of processes n",
        "the result is divided by the number of processes n once too often",
        "one process",
    ),
    "b": Factor(
        "the result is multiplied by the per-device batch size b, the number of rows of a micro-batch",
        "the result is divided by the per-device batch size b, the number of rows of a micro-batch, once too often",
        "per_device_train_batch_size at 1",
    ),
}


def meaning(rule: Rule) -> str:
    """A rule in one sentence, without full stop."""
    return "; ".join([*factor_meanings(rule), base_meaning(rule)])


def factor_meanings(rule: Rule) -> list[str]:
    """The meaning of each factor."""
    return [FACTORS[name].times if power > 0 else FACTORS[name].over for name, power in rule.factors]


def base_meaning(rule: Rule) -> str:
    """The meaning of the base and the window."""
    base = BASE_ROWS[rule.base].meaning
    if rule.window is None:
        return base
    shape = WINDOW_ROWS[rule.window.shape].meaning
    if rule.window.ratio is not None:
        step = "to the next" if rule.window.grows else "to the one before"
        shape += f": it is multiplied by {rule.window.ratio:.3g} from each place {step}"
    return shape if rule.base == TOKEN_MEAN.base else f"{shape}; of these, {base}"


def consequence(loss: Rule | None, gradient: Rule | None) -> str:
    """The effect of the gradient on training, and what the log then hides; empty if the rules do not say."""
    if gradient is None:
        return ""
    words = [_scale(gradient), _effect(gradient)]
    if loss is not None and loss.is_formula and gradient.is_formula and loss != gradient:
        if gradient == TOKEN_MEAN:
            words = [
                "Training is right; only the log is wrong. Loss curves of different splits cannot be compared, and "
                "decisions based on the logged loss (early stopping, hyperparameter search) are misled."
            ]
        elif not loss.factors:
            words.append("The logged loss does not show it.")
    return " ".join(filter(None, words))


def advice(loss: Rule | None, gradient: Rule | None) -> str:
    """What to do if nothing else is known about the fault."""
    if gradient is None:
        return BASE_ROWS["unexplained"].remedy
    if gradient == TOKEN_MEAN:
        return "Compare runs by gradient norm and by evaluations." if loss != TOKEN_MEAN else ""
    if gradient.window is not None:
        return WINDOW_ROWS[gradient.window.shape].remedy
    if not gradient.factors:
        return BASE_ROWS[gradient.base].remedy
    kept = " and ".join(FACTORS[name].avoid for name, _ in gradient.factors)
    return f"Keep {kept}, or {SUMMED}."


def scale_words(rule: Rule) -> str:
    """Only its factors: ``k*n``, ``k/n``, ``1/k``, ``1``."""
    over = "".join(f"/{name}" for name, power in rule.factors if power < 0)
    return ("*".join(name for name, power in rule.factors if power > 0) or "1") + over


def _effect(rule: Rule) -> str:
    effects = [BASE_ROWS[rule.base].effect]
    if rule.window is not None:
        effects.insert(0, WINDOW_ROWS[rule.window.shape].effect)
    return " ".join(filter(None, effects))


def _scale(rule: Rule) -> str:
    """The effect of a constant factor on the gradient."""
    up, down = [name for name, power in rule.factors if power > 0], [name for name, power in rule.factors if power < 0]
    if up and not down:
        return (
            f"The gradient is {' x '.join(up)} times too large. With SGD so is the step. Adam divides a constant "
            "factor out again, but only after clipping: at max_grad_norm 1.0 nearly every gradient is clipped to the "
            "same length."
        )
    if down and not up:
        return (
            f"The gradient is too small by a factor of {' x '.join(down)}. With SGD so is the step. Adam divides a "
            "constant factor out again; gradients are hardly ever clipped."
        )
    if up and down:
        return f"The gradient is {' '.join(up)}/{' '.join(down)} times the right one. With SGD so is the step."
    return ""

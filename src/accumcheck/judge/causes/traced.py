"""From the observations in the workers to the cause of a divergence, in words.

Three facts are combined: what the model does with the token count passed to it (it was probed, see
`accumcheck.record.LossProbe`), whether the stack passed it one and which, and by what the stack multiplied each
micro-batch's loss before it differentiated it. A cause is named only if these facts give exactly the rule that the
gradient follows; anything that was not seen, or does not match, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accumcheck.judge.causes.factors import Factor, differentiated, logged
from accumcheck.judge.causes.token_counts import Passed, passed_counts
from accumcheck.judge.rules.bases import BASE_ROWS, Base
from accumcheck.record import Finding, ReferenceObservation, Split, SplitObservation, StackBelief
from accumcheck.record.rule import TOKEN_MEAN, UNEXPLAINED, Rule


@dataclass(frozen=True)
class Seen:
    """The observations about the splits of one finding.

    ``factor``: the stack's factor on the model's losses before it differentiated them; ``logged``: before it
    logged them; None if no formula fits. ``bypassed``: no gradient came back to any of the model's own losses.
    ``passed``: the token counts passed, None if none was.
    """

    model: str
    belief: StackBelief
    reference: ReferenceObservation
    splits: tuple[Split, ...]
    factor: Factor | None
    logged: Factor | None
    bypassed: bool
    passed: Passed | None


def traced(finding: Finding, splits: Sequence[SplitObservation], reference: ReferenceObservation | None) -> Finding:
    """The finding, with its cause added to the explanation and the line of code as its source, if they were seen."""
    rule = Rule.parse(finding.gradient_rule) if finding.gradient_rule is not None else None
    concerned = [split for split in splits if str(split.split) in finding.splits and split.steps]
    if reference is None or not concerned:
        return finding
    seen = _seen_of(concerned, reference)
    if rule == UNEXPLAINED and reference.probe.keeps_apart is False:
        words, source = _neighbours(reference.model.architecture), None
    elif seen is None or rule is None or not rule.is_formula or rule.window or rule.b_power:
        return finding
    else:
        words, source = _cause(seen, rule)
    if not words:
        return finding
    return replace(finding, explanation=f"{finding.explanation}\n{words}".lstrip(), source=source or finding.source)


# --- what was seen ----------------------------------------------------------------------------------------------------


def _seen_of(splits: Sequence[SplitObservation], reference: ReferenceObservation) -> Seen | None:
    """Combine the observations; None if the splits are not alike (some with counts, some without)."""
    seen = [(split.split, batch) for split in splits for step in split.steps for batch in step.micro_batches]
    counted = {batch.token_count is not None for _, batch in seen}
    reached = {batch.factor is not None for _, batch in seen}
    if len(counted) != 1 or len(reached) != 1:
        return None
    belief = next((split.belief for split in splits if split.belief is not None), StackBelief("the stack"))
    elsewhere = belief.own_loss is not None or any(batch.loss is not None for _, batch in seen)
    return Seen(
        model=reference.model.architecture,
        belief=belief,
        reference=reference,
        splits=tuple(split.split for split in splits),
        factor=differentiated(splits, reference),
        logged=logged(splits),
        bypassed=reached == {False} and elsewhere,
        passed=passed_counts(splits, reference) if counted == {True} else None,
    )


# --- what follows from it ---------------------------------------------------------------------------------------------


def _cause(seen: Seen, rule: Rule) -> tuple[str, str | None]:
    """The cause in words and its place, or an empty text."""
    sentences: list[str] = []
    source: str | None = None
    answer = seen.reference.probe.token_count
    if seen.bypassed:
        sentences, source = _another_loss(seen, rule)
    elif seen.factor is not None and rule != TOKEN_MEAN:
        if seen.passed is None or answer == "ignores":
            sentences, source = (_shared if seen.factor.share else _own_mean)(seen, rule, seen.factor)
        elif answer == "divides" and seen.factor.share is None:
            sentences, source = _divided(seen, rule, seen.factor, seen.passed)
    if seen.factor is not None and not seen.factor.share and seen.logged not in (None, seen.factor):
        sentences.append(_other_log(seen, seen.logged, seen.factor))
        source = source or seen.belief.divides_place
    return _sentence_case(" ".join(sentences)), source


def _neighbours(model: str) -> str:
    return (
        f"The texts of a padding-free row are not separated: {model}'s output for a text changes with the text before "
        "it, so what it learns from a text depends on its neighbours. Choose an attention that separates them "
        "by their positions (attn_implementation: flash_attention_2, or a release whose masks do), or pad."
    )


def _own_mean(seen: Seen, rule: Rule, factor: Factor) -> tuple[list[str], str | None]:
    """The cause if the model returns the mean of each micro-batch: no token count reaches its loss."""
    due = Factor(-1, 0)  # gives a mean of k means
    if rule.base not in ("token-mean", "sample-mean", "microbatch-mean") or not factor.makes(rule, due, seen.splits):
        return [], None
    factor = Factor.making(rule, due)
    stack, model, probe = seen.belief.stack, seen.model, seen.reference.probe
    computed, source = _computed(seen), probe.place
    if seen.passed is not None:
        believes = " and assumes that the model divides by it (model_accepts_loss_kwargs is True)"
        first = (
            f"{stack} passes {model} a token count{believes if seen.belief.accepts_loss_kwargs else ''}. "
            f"The model ignores it: its loss does not change when the count doubles{computed}."
        )
    elif probe.token_count == "divides":
        first = f"{model} divides by the token count that it is passed, but {stack} passes it none{_believed(seen)}."
    elif probe.token_count in ("ignores", "rejects"):
        takes = "takes no token count" if probe.token_count == "rejects" else "ignores the token count"
        mean = f"its loss is the mean over each micro-batch{computed}"
        first = f"{model} {takes}, and {stack} passes it none{_believed(seen)}: {mean}."
    else:
        first = f"{stack} passes {model} no token count{_believed(seen)}."
    times = f"each micro-batch's loss is multiplied by {factor.words} before backward"
    if factor.k_power < 0:
        scaled = "" if factor.n_power == 0 else "; it should have been multiplied by 1/k"
        second = f"So {times}{scaled}, however many tokens it has."
    else:
        second = f"So nothing divides by k: {times}; it should have been multiplied by 1/k{_not_applied(seen)}."
        source = source if seen.passed is not None else seen.belief.divides_place or source
    return [first, second], source


def _shared(seen: Seen, rule: Rule, factor: Factor) -> tuple[list[str], str | None]:
    """The cause if the stack weights the means of micro-batches by their share of a count: is it the right count?"""
    base = BASE_ROWS[factor.share or TOKEN_MEAN.base]
    due = _right_factor(base, seen.splits)
    if not _alike(rule.base, base, seen.splits) or not factor.makes(rule, due, seen.splits):
        return [], None
    factor = Factor.making(rule, due)
    times = "" if factor.words == "1" else f", and by {factor.words}"
    wanted = "" if factor == due else f"; {_should_be(due)}"
    return [f"{seen.belief.stack} multiplies the mean loss of each micro-batch by {base.share}{times}{wanted}."], None


def _divided(seen: Seen, rule: Rule, factor: Factor, passed: Passed) -> tuple[list[str], str | None]:
    """The cause if the model divides the sum over its micro-batch by the count passed to it: is that the right one?"""
    if passed.base is None:
        return [], None
    due = _right_factor(passed.base, seen.splits)
    if not _alike(rule.base, passed.base, seen.splits) or not factor.makes(rule, due, seen.splits):
        return [], None
    factor = Factor.making(rule, due)
    stack, probe = seen.belief.stack, seen.reference.probe
    sentences = [f"{stack} passed {seen.model} {passed.words}{_at(seen.belief.counts_place, 'counted at')}."]
    divides = f"The model divides by the count passed to it{_at(probe.place, '')}"
    if factor == due:
        return [*sentences, f"{divides}."], seen.belief.counts_place
    return [
        *sentences,
        f"{divides}; its loss is then multiplied by {factor.words} before backward; {_should_be(due)}.",
    ], probe.place


def _another_loss(seen: Seen, rule: Rule) -> tuple[list[str], str | None]:
    """The cause if the differentiated loss was computed outside the model."""
    stack, belief = seen.belief.stack, seen.belief
    by = f"{belief.own_loss} computes it{_at(belief.own_loss_place, '')}" if belief.own_loss else f"{stack} computes it"
    sentences = [f"The loss that is differentiated is not {seen.model}'s own: {by}."]
    takes = "assumes that it has already been divided by a token count (model_accepts_loss_kwargs is True), so it "
    done = [f"does not divide it by k{_not_applied(seen)}"] if rule.k_power > 0 else []
    done += ["multiplies it by n"] if rule.n_power > 0 else []
    if done:
        sentences.append(f"{stack} {takes if belief.accepts_loss_kwargs else ''}{' and '.join(done)}.")
    return sentences, belief.own_loss_place


def _alike(base: str, counted: Base, splits: Sequence[Split]) -> bool:
    """Whether a rule's base matches a count in these splits: with one process, its own count is the global one."""
    row = BASE_ROWS[base]
    alone = all(split.replicas == 1 for split in splits)
    return row is counted or (alone and row.share is not None and row.of_labels == counted.of_labels)


def _right_factor(base: Base, splits: Sequence[Split]) -> Factor:
    """The right factor on a loss that is divided by this count, since gradients are averaged over processes."""
    averaged = any(split.replicas > 1 for split in splits)
    return Factor(0, 1 if averaged and not base.by_process else 0)


# --- words ------------------------------------------------------------------------------------------------------------


def _computed(seen: Seen) -> str:
    """`` (modeling_bert.py:1126 calls cross_entropy, reduction 'mean')``, or the part of it that is known."""
    probe = seen.reference.probe
    if probe.place is None:
        return ""
    how = f" computes it by {probe.function}" if probe.function else " computes it"
    return f" ({probe.place}{how}{f', reduction {probe.reduction!r}' if probe.reduction else ''})"


def _believed(seen: Seen) -> str:
    accepts = seen.belief.accepts_loss_kwargs
    return "" if accepts is None else f" (model_accepts_loss_kwargs is {accepts})"


def _not_applied(seen: Seen) -> str:
    """The stack's own division by k, if it has one that did not reach this loss."""
    where = seen.belief.divides_place
    return f" (the division at {where} takes no effect)" if where and seen.logged == seen.factor else ""


def _other_log(seen: Seen, told: Factor, factor: Factor) -> str:
    """A sentence for a logged loss that differs from the differentiated one."""
    where = seen.belief.divides_place
    alone = f" (the division at {where} is only for the log)" if where and told.k_power < factor.k_power else ""
    stack = seen.belief.stack
    return (
        f"{stack} logs the model's losses multiplied by {told.words}, but differentiates them multiplied by "
        f"{factor.words}{alone}."
    )


def _should_be(due: Factor) -> str:
    averaged = ", since gradients are averaged over n processes" if due.n_power else ""
    return f"it should have been multiplied by {due.words}{averaged}"


def _at(where: str | None, how: str) -> str:
    return f" ({how + ' ' if how else ''}{where})" if where else ""


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]

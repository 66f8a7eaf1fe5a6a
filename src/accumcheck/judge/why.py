"""From what was seen inside the workers to the cause of a divergence, in words.

Three facts are put together: what the model does with the token count that it is passed (it was asked, see
`accumcheck.record.LossProbe`), whether the stack passed it one and which, and by what the stack multiplied each
micro-batch's loss before it differentiated it. A cause is named only where these facts give the very rule that the
gradient follows; what was not seen, or does not add up, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accumcheck.judge.factors import Factor, differentiated, logged
from accumcheck.judge.rules import FAMILY, UNEXPLAINED, Rule
from accumcheck.judge.token_counts import BY_PROCESS, Passed, passed_counts
from accumcheck.record import Finding, ReferenceObservation, Split, SplitObservation, StackBelief

_SHARE = {
    "token-mean": "its share of the predicted tokens of the global batch",
    "device-mean": "its share of the predicted tokens of its own process",
    "unshifted-token-mean": "its predicted tokens over the labels of the global batch before the causal shift",
    "unshifted-device-mean": "its predicted tokens over the labels of its own process before the causal shift",
}
_RULES = {str(rule): rule for rule in FAMILY}


@dataclass(frozen=True)
class Evidence:
    """What was seen of the splits that one finding is about.

    ``factor``: by what the stack multiplied the model's losses before it differentiated them; ``logged``: before it
    logged them; None where no formula fits. ``bypassed``: no gradient came back to any loss of the model's own.
    ``passed``: the token counts passed, None where none was.
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
    """The finding, with its cause added to the explanation, and the line of code as its source, as far as seen."""
    concerned = [split for split in splits if str(split.split) in finding.splits and split.steps]
    if reference is None or not concerned:
        return finding
    evidence = _evidence(concerned, reference)
    if finding.gradient_rule == UNEXPLAINED and reference.probe.keeps_apart is False:
        words, source = _neighbours(reference.model.architecture), None
    elif evidence is None:
        return finding
    else:
        words, source = _cause(evidence, finding)
    if not words:
        return finding
    return replace(finding, explanation=f"{finding.explanation}\n{words}".lstrip(), source=source or finding.source)


# --- what was seen ----------------------------------------------------------------------------------------------------


def _evidence(splits: Sequence[SplitObservation], reference: ReferenceObservation) -> Evidence | None:
    """Put the observations together; None where the splits were not watched alike (some with counts, some without)."""
    seen = [(split.split, batch) for split in splits for step in split.steps for batch in step.micro_batches]
    counted = {batch.token_count is not None for _, batch in seen}
    reached = {batch.factor is not None for _, batch in seen}
    if len(counted) != 1 or len(reached) != 1:
        return None
    belief = next((split.belief for split in splits if split.belief is not None), StackBelief("the stack"))
    elsewhere = belief.own_loss is not None or any(batch.loss is not None for _, batch in seen)
    return Evidence(
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


def _cause(seen: Evidence, finding: Finding) -> tuple[str, str | None]:
    """The cause in words and its place, or nothing."""
    rule = _RULES.get(finding.gradient_rule or "")
    if rule is None:
        return "", None
    sentences: list[str] = []
    source: str | None = None
    answer = seen.reference.probe.token_count
    if seen.bypassed:
        sentences, source = _another_loss(seen, rule)
    elif seen.factor is not None and str(rule) != "token-mean":
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
        f"The texts of a padding-free row are not kept apart: {model}'s output for a text changes with the one before "
        "it, so that what it learns from a text depends on its neighbours. Choose an attention that tells them apart "
        "by their positions (attn_implementation: flash_attention_2, or a release whose masks do), or pad."
    )


def _own_mean(seen: Evidence, rule: Rule, factor: Factor) -> tuple[list[str], str | None]:
    """The model gives the mean of each micro-batch: no token count reaches its loss."""
    due = Factor(-1, 0)  # what makes a mean of k means
    if rule.base not in ("token-mean", "sample-mean", "microbatch-mean") or not factor.makes(rule, due, seen.splits):
        return [], None
    factor = Factor.making(rule, due)
    stack, model, probe = seen.belief.stack, seen.model, seen.reference.probe
    computed, source = _computed(seen), probe.place
    if seen.passed is not None:
        believes = " and takes the model to divide by it (model_accepts_loss_kwargs is True)"
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
    times = f"each micro-batch's loss is back-propagated times {factor.words}"
    if factor.k_power < 0:
        scaled = "" if factor.n_power == 0 else ", where 1/k was due"
        second = f"So {times}{scaled}, however many tokens it has."
    else:
        second = f"So nothing divides by k: {times}, where 1/k was due{_not_applied(seen)}."
        source = source if seen.passed is not None else seen.belief.divides_place or source
    return [first, second], source


def _shared(seen: Evidence, rule: Rule, factor: Factor) -> tuple[list[str], str | None]:
    """The stack weighs the means of micro-batches by their tokens: by their share of the right count?"""
    base = factor.share or ""
    due = _due(base, seen.splits)
    if not _alike(rule.base, base, seen.splits) or not factor.makes(rule, due, seen.splits):
        return [], None
    factor = Factor.making(rule, due)
    times = "" if factor.words == "1" else f", times {factor.words}"
    wanted = "" if factor == due else f", {_was_due(due)}"
    return [f"{seen.belief.stack} multiplies the mean loss of each micro-batch by {_SHARE[base]}{times}{wanted}."], None


def _divided(seen: Evidence, rule: Rule, factor: Factor, passed: Passed) -> tuple[list[str], str | None]:
    """The model divides the sum over its micro-batch by the count that it is passed: is that the right one?"""
    if passed.base is None:
        return [], None
    due = _due(passed.base, seen.splits)
    if not _alike(rule.base, passed.base, seen.splits) or not factor.makes(rule, due, seen.splits):
        return [], None
    factor = Factor.making(rule, due)
    stack, probe = seen.belief.stack, seen.reference.probe
    sentences = [f"{stack} passed {seen.model} {passed.words}{_at(seen.belief.counts_place, 'counted at')}."]
    divides = f"The model divides by what it is passed{_at(probe.place, '')}"
    if factor == due:
        return [*sentences, f"{divides}."], seen.belief.counts_place
    return [
        *sentences,
        f"{divides}; its loss is then back-propagated times {factor.words}, {_was_due(due)}.",
    ], probe.place


def _another_loss(seen: Evidence, rule: Rule) -> tuple[list[str], str | None]:
    """What is differentiated was computed outside of the model."""
    stack, belief = seen.belief.stack, seen.belief
    by = f"{belief.own_loss} computes it{_at(belief.own_loss_place, '')}" if belief.own_loss else f"{stack} computes it"
    sentences = [f"The loss that is differentiated is not {seen.model}'s own: {by}."]
    takes = "takes it to be divided by a token count already (model_accepts_loss_kwargs is True), "
    done = [f"does not divide it by k{_not_applied(seen)}"] if rule.k_power > 0 else []
    done += ["multiplies it by n"] if rule.n_power > 0 else []
    if done:
        sentences.append(f"{stack} {takes if belief.accepts_loss_kwargs else ''}{' and '.join(done)}.")
    return sentences, belief.own_loss_place


def _alike(base: str, other: str, splits: Sequence[Split]) -> bool:
    """Whether two bases are one in these splits: one process counts for itself what it counts for all."""
    if all(split.num_processes == 1 for split in splits):
        base, other = base.replace("device", "token"), other.replace("device", "token")
    return base == other


def _due(base: str, splits: Sequence[Split]) -> Factor:
    """What a loss that is divided by this count must be multiplied by, since gradients are averaged over processes."""
    averaged = any(split.num_processes > 1 for split in splits)
    return Factor(0, 1 if averaged and base not in BY_PROCESS else 0)


# --- words ------------------------------------------------------------------------------------------------------------


def _computed(seen: Evidence) -> str:
    """`` (modeling_bert.py:1126 calls cross_entropy, reduction 'mean')``, as far as known."""
    probe = seen.reference.probe
    if probe.place is None:
        return ""
    how = f" computes it by {probe.function}" if probe.function else " computes it"
    return f" ({probe.place}{how}{f', reduction {probe.reduction!r}' if probe.reduction else ''})"


def _believed(seen: Evidence) -> str:
    accepts = seen.belief.accepts_loss_kwargs
    return "" if accepts is None else f" (model_accepts_loss_kwargs is {accepts})"


def _not_applied(seen: Evidence) -> str:
    """The stack's own division by k, where it has one that did not reach this loss."""
    where = seen.belief.divides_place
    return f" (the division at {where} takes no effect)" if where and seen.logged == seen.factor else ""


def _other_log(seen: Evidence, told: Factor, factor: Factor) -> str:
    """What is logged is not what is differentiated."""
    where = seen.belief.divides_place
    alone = f" (the division at {where} is for the log alone)" if where and told.k_power < factor.k_power else ""
    stack = seen.belief.stack
    return f"{stack} logs the model's losses times {told.words}, and differentiates them times {factor.words}{alone}."


def _was_due(due: Factor) -> str:
    averaged = ", to make up for the average of the gradients over n processes" if due.n_power else ""
    return f"where {due.words} was due{averaged}"


def _at(where: str | None, how: str) -> str:
    return f" ({how + ' ' if how else ''}{where})" if where else ""


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]

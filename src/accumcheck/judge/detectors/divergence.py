"""Splits that diverge, by the rules that they follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from accumcheck.judge.causes.batching import blame_term
from accumcheck.judge.causes.carried_over import carried_over
from accumcheck.judge.causes.micro_batches import of_micro_batches
from accumcheck.judge.causes.traced import traced
from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.effects import Effect, effect_of, size
from accumcheck.judge.rules.explain import Rules
from accumcheck.judge.rules.fit import Fit
from accumcheck.judge.rules.words import advice, base_meaning, consequence, factor_meanings, meaning
from accumcheck.judge.verdict import diverges, finite
from accumcheck.record import Finding, Severity, Split, SplitResult
from accumcheck.record.rule import TOKEN_MEAN, UNEXPLAINED, Rule

COUNT_CONSEQUENCE = "Every step moves the weights less than the one before, as if the learning rate decayed."
COUNT_ADVICE = "Set the counter of tokens back to 0 after every optimizer step."


def divergence(judged: Judged) -> Iterator[Detected]:
    """One finding for each pair of rules that diverging splits follow, the most splits first."""
    results = [one for one in judged.results if one.split not in judged.accounted]
    control = judged.seen.control
    # both may be right within tolerance, and still differ from each other by more than it
    control_is_right = any(one.split == control and _is_right(one, judged) for one in results)
    groups: dict[tuple[object, ...], list[SplitResult]] = {}
    for result in results:
        if result.steps and _any_divergence(result, judged):
            only_control = not control_is_right and _is_right(result, judged)
            groups.setdefault((only_control, *_group(judged, result.split)), []).append(result)
    for (is_only_control, *_), members in sorted(groups.items(), key=lambda group: -len(group[1])):
        verdicts = {member.verdict for member in members}
        if verdicts == {"pass"}:  # the configuration ignores this rule
            continue
        severity: Severity = "warn" if verdicts <= {"pass", "warn"} else "fail"
        finding = (_of_control if is_only_control else _of_rules)(judged, members, results, severity)
        if judged.explanation.gradient_of(members[0].split) == UNEXPLAINED:
            finding = blame_term(finding, judged.explanation.batch, judged.seen.reference)
        yield Detected(traced(finding, judged.seen.good, judged.seen.reference))


def divergence_finding(
    severity: Severity, effects: Sequence[Effect], loss: Rule | None, gradient: Rule | None, against: str
) -> Finding:
    """One fault: splits whose loss and gradient follow the same pair of rules.

    ``against``: what the ratios in ``effects`` are relative to: the reference, or the control if there is none.
    """
    rules = list(dict.fromkeys(rule for rule in (loss, gradient) if rule is not None))
    return Finding(
        id=",".join(dict.fromkeys(map(str, rules))) or "divergence",
        severity=severity,
        splits=tuple(str(effect.split) for effect in effects),
        loss_rule=str(loss) if loss is not None else None,
        gradient_rule=str(gradient) if gradient is not None else None,
        summary=size(effects, against),
        explanation=_explanation(rules) or f"Splits of one global batch must agree; these differ from the {against}.",
        consequence=consequence(loss, gradient),
        advice=advice(loss, gradient),
    )


def _of_rules(
    judged: Judged, members: Sequence[SplitResult], results: Sequence[SplitResult], severity: Severity
) -> Finding:
    truths, control = judged.seen.truths, judged.seen.control
    base = None if truths else next((one for one in results if one.split == control), None)
    seen = judged.seen
    effects = [effect_of(one, truths.get(one.split, ()), base, seen.tolerances, seen.recovered) for one in members]
    first = members[0].split
    loss, gradient = judged.explanation.loss_of(first), judged.explanation.gradient_of(first)
    finding = divergence_finding(severity, effects, loss, gradient, "reference" if truths else "control")
    said = [finding.explanation, _kept(judged, members), _by_micro_batch(judged, members), _or_over_b(judged, gradient)]
    finding = replace(finding, explanation=" ".join(filter(None, said)))
    return _from_a_step(judged, finding, first)


def _of_control(
    judged: Judged, members: Sequence[SplitResult], _: Sequence[SplitResult], severity: Severity
) -> Finding:
    """Splits that are right, and diverge only from a wrong control."""
    return Finding(
        id="control-differs",
        severity=severity,
        splits=tuple(str(one.split) for one in members),
        loss_rule=members[0].loss_rule,
        gradient_rule=members[0].gradient_rule,
        summary=(
            "loss and gradient match the reference; they differ from those of the control, "
            f"{judged.seen.control}, which is wrong"
        ),
        explanation="Splits of one global batch must agree, and these do not agree with the control.",
        advice="Only the control is wrong; see its own finding.",
    )


# --- which splits -----------------------------------------------------------------------------------------------------


def _group(judged: Judged, split: Split) -> tuple[object, ...]:
    """The key of splits that share a finding: the names of the rules, and from which step on they hold."""
    loss, gradient = _fit(judged.explanation.loss, split), _fit(judged.explanation.gradient, split)
    return tuple((str(fit.rule), fit.since, fit.earlier) if fit is not None else None for fit in (loss, gradient))


def _fit(rules: Rules | None, split: Split) -> Fit | None:
    return rules.of.get(split) if rules is not None else None


def _any_divergence(result: SplitResult, judged: Judged) -> bool:
    tolerances = judged.seen.tolerances
    return any(
        not finite(step) or any(diverges(step.vs_control, tolerances)) or any(diverges(step.vs_reference, tolerances))
        for step in result.steps
    )


def _is_right(result: SplitResult, judged: Judged) -> bool:
    """Whether every step gives the reference's loss and gradient; false without a reference."""
    return bool(judged.seen.truths) and all(
        finite(step) and not any(diverges(step.vs_reference, judged.seen.tolerances)) for step in result.steps
    )


# --- words ------------------------------------------------------------------------------------------------------------


def _explanation(rules: Sequence[Rule]) -> str:
    """The meaning of the rules: one for both loss and gradient, or one each; a shared part is mentioned once."""
    if len(rules) != 2:
        return " ".join(f"{rule}: {meaning(rule)}." for rule in rules)
    loss, gradient = rules
    named = f"Loss {loss}, gradient {gradient}:"
    if base_meaning(loss) != base_meaning(gradient):
        return f"{named} in the loss, {meaning(loss)}; in the gradient, {meaning(gradient)}."
    parts = [
        f"in the {what}, {words}"
        for what, rule in (("loss", loss), ("gradient", gradient))
        for words in factor_meanings(rule)
    ]
    return f"{named} {'; '.join([*parts, f'in both, {base_meaning(loss)}'])}."


def _from_a_step(judged: Judged, finding: Finding, split: Split) -> Finding:
    """The finding, with ``Step 1 is right; from step 2 on ...``, if a rule of the split holds from a step on."""
    fits = {"loss": _fit(judged.explanation.loss, split), "gradient": _fit(judged.explanation.gradient, split)}
    changed = {what: fit for what, fit in fits.items() if fit is not None and fit.earlier is not None}
    if not changed:
        return finding
    fit = next(iter(changed.values()))
    what = " and ".join(f"the {name}" for name in changed)
    first = "Step 1 is" if fit.since == 2 else f"Steps 1 to {fit.since - 1} are"
    earlier = (
        f"{first} right" if fit.earlier == TOKEN_MEAN else f"{what.capitalize()}: {fit.earlier} before step {fit.since}"
    )
    later = f"from step {fit.since} on, {what} {'is' if len(changed) == 1 else 'are'} wrong"
    common = (
        None if fit.found else carried_over(judged.seen, split, fit.since)
    )  # otherwise the formula says what they have in common
    if common is None:
        return replace(finding, explanation=f"{earlier}; {later}. {finding.explanation}")
    finding = replace(finding, explanation=f"{earlier}; {later}. {common.words} {finding.explanation}")
    if not common.is_count:
        return finding
    return replace(finding, consequence=COUNT_CONSEQUENCE, advice=COUNT_ADVICE)


def _by_micro_batch(judged: Judged, members: Sequence[SplitResult]) -> str:
    """If no formula fits: a sentence if the rows of each micro-batch share a factor, but micro-batches differ."""
    for one in members:
        if judged.explanation.gradient_of(one.split) != UNEXPLAINED:
            return ""
        found = of_micro_batches(judged.seen, one.split)
        if found is None:
            return ""
    first = of_micro_batches(judged.seen, members[0].split) or ()
    told = ", ".join(f"{times:.3g}" for times in first[:4])
    return (
        f"Within a micro-batch all rows have the same multiple of their right weight ({told} ... in "
        f"{members[0].split}): the loss of each micro-batch is divided by its own number, which counts something "
        "in that micro-batch only."
    )


def _or_over_b(judged: Judged, gradient: Rule | None) -> str:
    """A sentence on k*n: relative to a control with the same global batch, it is the same as dividing by b."""
    reference = judged.seen.reference
    if reference is None or not reference.not_judged or gradient is None or gradient.k_power != gradient.n_power:
        return ""
    if gradient.k_power != 1:
        return ""
    return (
        "With a fixed global batch, k*n times too large is the same as divided by the per-device batch size b once "
        "more: a mean over the rows of a micro-batch that is not divided by k and n, or that is divided by b again."
    )


def _kept(judged: Judged, members: Sequence[SplitResult]) -> str:
    """Which micro-batches of a window enter the update, split by split, if only some do."""
    kept = {}
    for one in members:
        rule = judged.explanation.gradient_of(one.split)
        if rule is not None and rule.window is not None and rule.window.kept:
            places = ", ".join(map(str, rule.window.kept))
            kept[one.split] = f"{places} of {one.split.gradient_accumulation_steps} in {one.split}"
    return f"Of each window, these micro-batches count: {'; '.join(kept.values())}." if kept else ""

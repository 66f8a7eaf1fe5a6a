"""The evidence of a run for the detectors: observations, reference, tolerances, truths and recovered weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from accumcheck.config.model import CheckConfig
from accumcheck.judge.measure.backward import before_clips_by_hand
from accumcheck.judge.measure.by_control import relative_to, with_added, without
from accumcheck.judge.measure.changed import with_changed
from accumcheck.judge.measure.compare import Recovery, Truth, recover, with_weights
from accumcheck.judge.measure.each import each
from accumcheck.judge.measure.epochs import Windows
from accumcheck.judge.measure.fed_rows import SplitRows, compare_fed
from accumcheck.judge.measure.not_finite import has_finite_batches, words_of_reference
from accumcheck.judge.measure.parameter_errors import parameter_errors
from accumcheck.judge.measure.parameters import Allowance, OffParameter, off_parameters, untested
from accumcheck.judge.measure.tolerance import measured, random_by, resolve
from accumcheck.judge.measure.truths import records_of, right_of, truths_of, windows_in
from accumcheck.record import (
    ParameterError,
    ReferenceObservation,
    Split,
    SplitObservation,
    StepRecord,
    Tolerances,
)
from accumcheck.record.rule import Rule


@dataclass(frozen=True)
class Evidence:
    """A read-only view of a run.

    ``ran``: every requested split; one that lacks required results is an error; ``good``: those that ran;
    ``reference``: None without one, for the reason ``no_reference``; ``alone``: the right answer of each step, from its
    samples one by one; ``truths``: what each step of each split is compared with; ``recovered``: one entry per step,
    empty if weights cannot be recovered; ``windows``: see `Windows`; ``records``: the steps of each split as reported;
    ``off``: the parameters of each split that are beyond their own tolerance; ``parameters``: the errors of all
    parameters, see `parameter_errors`; ``not_tested``: those whose true gradient is exactly zero; ``random_by``: how
    far the loss of the same samples is off when it is computed again, None if it is not, and ``random_in``: the module
    that causes this, if it was found; ``condemned``: splits that fail because of a detector, with their rule;
    ``failed``: splits that fail because of a detector, whatever their gradients; ``fed``: for a program, what each
    split was fed that the control was not; ``reference_not_finite``: the samples whose loss or gradient alone is not
    finite; ``added``: the size, relative to the gradient, of what the control adds to it before every step;
    ``changed``: the same of what it does to it in another way;
    ``reference_traceback``: the last lines of the exception that ended the reference's process.
    """

    check: CheckConfig
    control: Split
    ran: tuple[SplitObservation, ...]
    reference: ReferenceObservation | None
    no_reference: str
    tolerances: Tolerances
    alone: Sequence[Truth]
    truths: Mapping[Split, Sequence[Truth]]
    recovered: Sequence[Recovery]
    windows: Mapping[Split, Windows]
    records: Mapping[Split, tuple[StepRecord, ...]]
    off: Mapping[Split, tuple[OffParameter, ...]] = field(default_factory=dict)
    parameters: Mapping[Split, tuple[ParameterError, ...]] = field(default_factory=dict)
    not_tested: tuple[str, ...] = ()
    random_by: float | None = None
    random_in: str = ""
    condemned: Mapping[Split, Rule] = field(default_factory=dict)
    failed: frozenset[Split] = frozenset()
    fed: Mapping[Split, SplitRows] = field(default_factory=dict)
    reference_not_finite: str = ""
    added: float = 0.0
    changed: float = 0.0
    reference_traceback: tuple[str, ...] = ()

    @property
    def good(self) -> tuple[SplitObservation, ...]:
        """The splits that ran."""
        return tuple(one for one in self.ran if one.status == "ran")


def gather(
    check: CheckConfig,
    observations: Sequence[SplitObservation],
    control: Split,
    reference: ReferenceObservation | None,
    no_reference: str = "",
) -> Evidence:
    """Measure everything that is judged.

    Args:
        check: the resolved configuration.
        observations: of every requested split.
        control: the split that the others are compared with.
        reference: the independent reference, or None if it could not be computed.
        no_reference: why there is no reference.
    """
    if reference is not None and len(reference.membership) < check.steps:
        no_reference = f"it covers {len(reference.membership)} of {check.steps} steps: no split ran any further"
        reference = None
    broken = words_of_reference(reference) if reference is not None and not reference.not_judged else ""
    if reference is not None and broken and not has_finite_batches(reference):
        no_reference = f"its own loss or gradient is not finite: {broken}, fed alone"
        reference = None
    whole = any(one.split == control and len(one.steps) == check.steps for one in observations)
    ran = tuple(_completed(one, check, may_end=whole and check.runs_program) for one in observations)
    fed: Mapping[Split, SplitRows] = {}
    if check.runs_program:
        compared = compare_fed(ran, control, reference)
        ran, fed = compared.observations, compared.of
    dtype = _precision(check, reference)
    ran = tuple(each(lambda one: before_clips_by_hand(one, dtype), ran))
    good = [one for one in ran if one.status == "ran"]
    added = changed = 0.0
    if reference is not None:
        first = next((one for one in good if one.split == control), None)
        reference = relative_to(reference, first, good)
        if first is not None and first.trained is not None:
            reference = without(reference, first.trained.lacking)
        reference, added = with_added(reference, first)
        if (check.runs_program or reference.not_judged) and not added:
            reference, changed = with_changed(reference, first, good)
    alone = truths_of(reference, check.steps)
    recovered: list[Recovery] = []
    if good and (known := reference) is not None and not known.batched:  # else a gradient is not a sum over its samples
        # what the user allows the gradient holds for every sample of it
        by_sample = check.tolerances.gradient is None
        recovered = each(lambda step: recover(step, good, alone[step], known, by_sample=by_sample), range(len(alone)))
    losses = [step.loss for one in good for step in one.steps]
    precision = _precision(check, reference)
    tolerances = resolve(check.tolerances, precision, measured(reference, recovered), losses)
    windows = windows_in(good, reference, check, fed)
    truths = {one.split: right_of(one, alone, reference, windows) for one in ran} if reference is not None else {}
    rounding = tolerances.loss_rounding
    recorded = each(
        lambda one: records_of(one, good, control, truths.get(one.split, ()), reference, windows, rounding), good
    )
    records = {one.split: found for one, found in zip(good, recorded, strict=True)}
    if recovered:
        records = {
            split: with_weights(mine, recovered, truths[split], split, control) for split, mine in records.items()
        }
    first = next((one for one in good if one.split == control), None)
    return Evidence(
        check,
        control,
        ran,
        reference,
        no_reference,
        tolerances,
        alone,
        truths,
        recovered,
        windows,
        records,
        off=_off_parameters(good, first, reference, truths, windows, tolerances, precision),
        parameters=_parameter_errors(good, reference, truths, tolerances, precision),
        not_tested=untested(reference, first) if reference is not None else (),
        random_by=random_by(reference, precision),
        random_in=reference.random.module if reference is not None and reference.random is not None else "",
        fed=fed,
        reference_not_finite=broken,
        added=added,
        changed=changed,
    )


def _parameter_errors(
    good: Sequence[SplitObservation],
    reference: ReferenceObservation | None,
    truths: Mapping[Split, Sequence[Truth]],
    tolerances: Tolerances,
    precision: str,
) -> dict[Split, tuple[ParameterError, ...]]:
    if reference is None or reference.not_judged:
        return {}
    allowance = Allowance.of(reference, tolerances, precision)
    found = each(lambda one: parameter_errors(one, truths.get(one.split, ()), reference, allowance), good)
    return {one.split: errors for one, errors in zip(good, found, strict=True)}


def _off_parameters(
    good: Sequence[SplitObservation],
    control: SplitObservation | None,
    reference: ReferenceObservation | None,
    truths: Mapping[Split, Sequence[Truth]],
    windows: Mapping[Split, Windows],
    tolerances: Tolerances,
    precision: str,
) -> dict[Split, tuple[OffParameter, ...]]:
    """The off parameters of each split, against the reference, and against the control if it is right there."""
    if reference is None:
        return {}
    allowance = Allowance.of(reference, tolerances, precision)

    def of(split: SplitObservation, other: SplitObservation | None) -> tuple[OffParameter, ...]:
        # if nothing was measured, the control's gradient is known more precisely than the one made of its rows
        unmeasured = reference.not_judged and not reference.recomputed and not reference.batched
        own = () if unmeasured else truths.get(split.split, ())
        off_control = frozenset(
            position
            for one in (split, other)
            if one is not None and one.split in windows
            for position in windows[one.split].off_control
        )
        return off_parameters(split, other, own, off_control, reference, allowance)

    wrong = {one.name for one in of(control, None)} if control is not None else set()

    def off_of(split: SplitObservation) -> tuple[OffParameter, ...]:
        size = split.split.per_device_train_batch_size
        same = control is not None and (not reference.batched or size == control.split.per_device_train_batch_size)
        other = control if same and split is not control else None
        return tuple(one for one in of(split, other) if one.against == "reference" or one.name not in wrong)

    return {split.split: off for split, off in zip(good, each(off_of, good), strict=True) if off}


def _completed(observation: SplitObservation, check: CheckConfig, *, may_end: bool) -> SplitObservation:
    """The observation, turned into an error if it lacks required results.

    ``may_end``: fewer steps than requested are judged, since the control has made them all.
    """
    if observation.status != "ran":
        return observation
    reason, steps = "", len(observation.steps)
    fewer = 0 < steps < check.steps and may_end
    if steps != check.steps and not fewer and (steps == 0 or check.data.epochs is None):
        reason = f"{steps} optimizer steps were seen, {check.steps} were requested"
    elif any(not step.gradients for step in observation.steps):
        reason = "no gradient was seen"
    elif any(step.loss is None for step in observation.steps) and not check.runs_program:
        reason = "the stack reported no loss"
    if not reason:
        return observation
    return SplitObservation(
        observation.split, "error", reason, observation.log, observation.duration_seconds, reason_kind="refused"
    )


def _precision(check: CheckConfig, reference: ReferenceObservation | None) -> str:
    """The dtype that the model computes in; for a program's model it comes from the reference."""
    return reference.model.dtype if check.runs_program and reference is not None else check.compute_dtype

"""All detectors, in running order. A new one is a file in this folder and a line here."""

from __future__ import annotations

from accumcheck.judge.detectors.accuracy import accuracy_not_judged
from accumcheck.judge.detectors.asked_clipping import wrong_clipping
from accumcheck.judge.detectors.asked_schedule import wrong_schedule
from accumcheck.judge.detectors.batch_dependence import batch_dependence
from accumcheck.judge.detectors.clipping import clipped_per_microbatch
from accumcheck.judge.detectors.clipping_by_process import clipped_by_process
from accumcheck.judge.detectors.constant_term import term_per_microbatch
from accumcheck.judge.detectors.detected import Consequent, Structural
from accumcheck.judge.detectors.divergence import divergence
from accumcheck.judge.detectors.epoch_windows import torn_windows
from accumcheck.judge.detectors.leaks import leaked_gradients
from accumcheck.judge.detectors.limits import (
    added_before_steps,
    changed_before_steps,
    loss_not_reported,
    noise_switched_off,
    only_first_training,
    parameters_not_tested,
    random_collators,
)
from accumcheck.judge.detectors.logged_norm import misreported_norm
from accumcheck.judge.detectors.logged_update import misreported_rate, missing_numbers
from accumcheck.judge.detectors.no_reference import no_reference
from accumcheck.judge.detectors.not_finite import not_finite, rows_not_finite
from accumcheck.judge.detectors.other_batches import other_batches_fed
from accumcheck.judge.detectors.other_losses import other_losses
from accumcheck.judge.detectors.padding import padded_epochs
from accumcheck.judge.detectors.parameter_gradients import wrong_parameters
from accumcheck.judge.detectors.parameters import untrained_parameters
from accumcheck.judge.detectors.random_forward import random_forward
from accumcheck.judge.detectors.replicas import other_weights
from accumcheck.judge.detectors.rows import changed_rows, other_rows, padded_rows
from accumcheck.judge.detectors.samples import wrong_samples
from accumcheck.judge.detectors.scaled_in_window import scaled_in_window
from accumcheck.judge.detectors.schedules import differing_schedules
from accumcheck.judge.detectors.step_counts import other_step_counts
from accumcheck.judge.detectors.step_totals import other_step_totals
from accumcheck.judge.detectors.tail_divisor import tail_divisor
from accumcheck.judge.detectors.undivided_term import term_not_divided
from accumcheck.judge.detectors.unsynchronised import unsynchronised
from accumcheck.judge.detectors.updates import differing_updates, spoilt_weights

STRUCTURAL: tuple[Structural, ...] = (
    not_finite,
    rows_not_finite,
    wrong_samples,
    other_step_counts,
    other_rows,
    padded_rows,
    torn_windows,
    other_batches_fed,
    padded_epochs,
    other_weights,
    untrained_parameters,
    clipped_per_microbatch,
    clipped_by_process,
    scaled_in_window,
    unsynchronised,
    term_per_microbatch,
    term_not_divided,
    wrong_parameters,
    misreported_norm,
    leaked_gradients,
    other_step_totals,
    differing_schedules,
    wrong_schedule,
    differing_updates,
    spoilt_weights,
    wrong_clipping,
    misreported_rate,
    missing_numbers,
)
"""Run before rules are fitted, in this order: if two condemn a split, the later one sets its rule."""

CONSEQUENT: tuple[Consequent, ...] = (
    other_losses,
    changed_rows,
    random_forward,
    batch_dependence,
    tail_divisor,
    divergence,
    no_reference,
    accuracy_not_judged,
    added_before_steps,
    changed_before_steps,
    noise_switched_off,
    random_collators,
    only_first_training,
    loss_not_reported,
    parameters_not_tested,
)
"""Run when rules and verdicts are known; if one accounts for a split, later ones do not report it again."""

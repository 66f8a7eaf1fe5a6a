"""``accumcheck.Guard()``: a callback that checks the token weights of a real training while it runs."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
import torch.distributed as dist
from transformers import TrainerCallback

from accumcheck.capture.model_probe import probe_model
from accumcheck.errors import AccumcheckError
from accumcheck.guard.agreement import largest_difference, sketch
from accumcheck.guard.judge import Weighed, explained, finding_of, in_words, rule_of_gradient, rule_of_loss, weigh
from accumcheck.guard.pace import PaceWatch
from accumcheck.guard.updates import Wrong, epoch_of, wrong_epoch, wrong_pace
from accumcheck.guard.watch import ModelWatch, Seen
from accumcheck.judge.detectors.unsynchronised import unsynchronised_finding
from accumcheck.record import Split
from accumcheck.record.rule import TOKEN_MEAN, Rule

RIGHT = (TOKEN_MEAN, None)
ONLY_WARNED_OF = (Rule("unshifted-token-mean"),)
"""Rules that are wrong by the same factor under every split. They never stop a training."""
LOG_DIGITS = 5e-5
"""The precision to which some releases of Trainer round the logged loss."""
COARSE = 2e-2
"""The smallest tolerance for losses with 16 bits."""

logger = logging.getLogger("accumcheck.guard")


class GuardError(AccumcheckError):
    """`Guard` stopped the training: its loss or its gradient is not that of the global batch."""


class Guard(TrainerCallback):  # type: ignore[misc]
    """Checks optimizer steps of a real training: ``Trainer(..., callbacks=[accumcheck.Guard()])``.

    For each checked step, the loss of every micro-batch and the factor that Trainer multiplies it by before backward
    are gathered from all processes. They give the weight of each predicted token in the gradient, with or without
    dropout, and the loss that should be logged. The steps of the optimizer and the schedule are counted and compared
    with the same training in one process. Trainer is asked to log the first checked steps. Nothing else of the
    training is changed.
    """

    def __init__(
        self,
        action: Literal["warn", "stop"] = "warn",
        *,
        first: int = 2,
        every: int = 500,
        tolerance: float = 1e-3,
    ) -> None:
        """Set which steps are checked, and what happens if a step is wrong.

        Args:
            action: ``warn``: log each fault once, with the ``accumcheck.guard`` logger; ``stop``: raise `GuardError`.
            first: the number of optimizer steps that are checked at the start (or after training is resumed).
            every: further steps that are checked: each multiple of this number; 0: none.
            tolerance: the largest allowed relative error of weights and losses.

        Raises:
            ValueError: an argument is invalid.
        """
        if action not in ("warn", "stop"):
            raise ValueError(f"Guard: action: found {action!r}; expected 'warn' or 'stop'")
        if first < 0 or every < 0 or not 0 < tolerance < 1:
            raise ValueError("Guard: first and every must be 0 or a number of steps; tolerance must be between 0 and 1")
        self._action, self._first, self._every, self._tolerance = action, first, every, tolerance
        self._begun = 0
        self._watch: ModelWatch | None = None
        self._pace: PaceWatch | None = None
        self._pending: tuple[Weighed, float] | None = None
        self._scale = 1.0
        self._logged = 0
        self._sketch: list[float] | None = None
        self._told: set[str] = set()
        self._model: Any = None
        self._batch: dict[str, Any] = {}

    # --- what Trainer calls ---------------------------------------------------------------------------------------

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Training begins, or is resumed."""
        self._begun = self._logged = state.global_step
        if getattr(args, "deepspeed", None):
            self._tell("DeepSpeed scales losses inside its engine, so no step of this training can be checked")
            self._first = self._every = 0

    def on_step_begin(self, args: Any, state: Any, control: Any, **seen: Any) -> None:  # noqa: ARG002
        """An optimizer step begins; its first micro-batch comes next."""
        self._judge(None, args)
        self._judge_pace(args, state)
        if not self._checks(state.global_step + 1) or seen.get("model") is None:
            return
        self._pace = PaceWatch(seen.get("optimizer"), seen.get("lr_scheduler"))
        scaler = getattr(seen.get("optimizer"), "scaler", None)
        self._scale = float(scaler.get_scale()) if scaler is not None else 1.0
        self._watch = ModelWatch(seen["model"])
        self._watch.start()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **seen: Any) -> None:  # noqa: ARG002
        """The gradient is complete."""
        if self._watch is not None and not getattr(args, "fsdp", None):
            self._sketch = sketch(seen["model"])

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """An epoch ends. Schedule steps between two epochs do not belong to the last optimizer step."""
        self._judge_pace(args, state)

    def on_step_end(self, args: Any, state: Any, control: Any, **seen: Any) -> None:
        """The optimizer has stepped."""
        if self._watch is None:
            return
        watch, self._watch = self._watch, None
        mine, my_sketch, self._sketch = watch.stop(), self._sketch, None
        gathered = _gathered((watch.problem, mine, my_sketch))
        if problems := [problem for problem, _, _ in gathered if problem]:
            self._tell_once("unseen", f"step {state.global_step} could not be checked: {problems[0]}")
            return
        self._agree(state.global_step, [norms for _, _, norms in gathered])
        processes = [batches for _, batches, _ in gathered]
        for one in (batch for batches in processes for batch in batches):
            one.factor = None if one.factor is None else one.factor / self._scale
        weighed = weigh(state.global_step, args.gradient_accumulation_steps, processes)
        if weighed is None:
            return
        if (epoch := epoch_of(seen.get("train_dataloader"), args, len(weighed.losses))) is not None:
            self._tell_wrong(wrong_epoch(epoch, _split_of(args)))
        if weighed.weights is None:
            self._tell_once(
                "own loss",
                "the loss that is differentiated is not the model's own (a label smoother, or a loss function passed "
                "to Trainer), so the guard cannot see how it weights tokens; check it with accumcheck run",
            )
            return
        coarse = next(watch.model.parameters()).dtype in (torch.bfloat16, torch.float16)
        self._pending = (weighed, max(self._tolerance, COARSE) if coarse else self._tolerance)
        self._model, self._batch = watch.model, watch.batch
        if state.global_step - self._begun <= self._first:
            control.should_log = True
        if not control.should_log:
            self._judge(None, args)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002
        """Trainer logs the mean loss of the steps since its last log."""
        if logs is None or "loss" not in logs:
            return
        alone = state.global_step - self._logged == 1
        self._logged = state.global_step
        self._judge(float(logs["loss"]) if alone else None, args)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Training ends."""
        self._judge(None, args)
        self._judge_pace(args, state)

    # --- the checks -----------------------------------------------------------------------------------------------

    def _checks(self, step: int) -> bool:
        return step - self._begun <= self._first or (self._every > 0 and step % self._every == 0)

    def _judge(self, reported: float | None, args: Any) -> None:
        """Judge the waiting step. ``reported``: its logged loss; None if no log has the loss of this step alone."""
        if self._pending is None:
            return
        (weighed, tolerance), self._pending = self._pending, None
        gradient = rule_of_gradient(weighed, tolerance)
        rounding = LOG_DIGITS / abs(weighed.loss) if weighed.loss else math.inf
        loss = None if reported is None else rule_of_loss(weighed, reported, tolerance + rounding, gradient)
        if gradient in RIGHT and loss in RIGHT:
            logger.info("step %d: every predicted token has the right weight in loss and gradient", weighed.number)
            return
        wrong = {f"{what} {rule}" for what, rule in (("loss", loss), ("gradient", gradient)) if rule not in RIGHT}
        if wrong <= self._told:  # already reported, or nothing is wrong
            return
        self._told |= wrong
        finding = finding_of(weighed, loss, gradient, reported, tolerance)
        count = next((one.token_count for one in weighed.step.micro_batches if one.token_count), 1)
        probe = probe_model(self._model, self._batch, int(count))
        finding = explained(finding, weighed, type(self._model).__name__, probe, vars(args))
        self._act(in_words(finding), stops=not {gradient, loss} <= {*RIGHT, *ONLY_WARNED_OF})

    def _agree(self, step: int, sketches: list[list[float] | None]) -> None:
        """Check that all processes are about to apply the same gradient."""
        if (spread := largest_difference(sketches)) > self._tolerance and "unsynchronised" not in self._told:
            self._told.add("unsynchronised")
            finding = unsynchronised_finding((f"step {step}",), spread)
            self._act(in_words(finding), stops=True)

    def _judge_pace(self, args: Any, state: Any) -> None:
        """Judge how often the optimizer and the schedule stepped in the watched step."""
        if self._pace is not None:
            pace, self._pace = self._pace.stop(), None
            self._tell_wrong(wrong_pace(pace, _split_of(args), state.max_steps))

    def _tell_wrong(self, found: Iterable[Wrong]) -> None:
        for wrong in found:
            if wrong.finding.id not in self._told:
                self._told.add(wrong.finding.id)
                self._act(in_words(wrong.finding), stops=wrong.stops)

    def _act(self, words: str, *, stops: bool) -> None:
        if stops and self._action == "stop":
            raise GuardError(words)
        self._tell(words)

    def _tell_once(self, about: str, words: str) -> None:
        if about not in self._told:
            self._tell(words)
        self._told.add(about)

    def _tell(self, words: str) -> None:
        """Log it in one process."""
        if not dist.is_available() or not dist.is_initialized() or dist.get_rank() == 0:
            logger.warning("accumcheck.Guard: %s", words)


def _split_of(args: Any) -> Split:
    processes = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    return Split(processes, args.train_batch_size, args.gradient_accumulation_steps)


def _gathered(mine: tuple[str, list[Seen], list[float] | None]) -> list[tuple[str, list[Seen], list[float] | None]]:
    """The values of all processes, in the order of their ranks."""
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return [mine]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, mine)
    return found

"""One observed step: the rows fed to each process, and the weight that a rule gives each sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from accumcheck.judge.rules.bases import BASE_ROWS
from accumcheck.judge.rules.fed import Fed
from accumcheck.judge.rules.windows import WINDOW_ROWS
from accumcheck.record import MicroBatch, Split
from accumcheck.record.rule import Rule

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One observed step, with what is needed to predict it.

    ``micro_batches`` as they were fed; ``tokens`` and ``labels``: predicted tokens and unmasked labels of every sample
    of the workload, ``[samples]``. ``members``: the samples whose weights are wanted; None for all.
    """

    split: Split
    micro_batches: tuple[MicroBatch, ...]
    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    members: Sequence[int] | None = None

    @property
    def window(self) -> int:
        """Micro-batches of the busiest process: ``k``, but fewer in the last step of an epoch."""
        return max(Counter(batch.process for batch in self.micro_batches).values(), default=1)

    @cached_property
    def fed(self) -> Fed:
        """The rows fed."""
        return Fed.of(self.micro_batches, self.tokens, self.labels, self.split.replicas)

    def factor(self, rule: Rule, *, tail_over_k: bool = False) -> float:
        """The rule's powers of ``n`` and of the actual number of micro-batches.

        ``tail_over_k``: a step with fewer than ``k`` was divided by ``k``.
        """
        over = self.window / self.split.gradient_accumulation_steps if tail_over_k else 1.0
        return over * float(self.window**rule.k_power) * float(self.split.replicas**rule.n_power)

    def weights(self, base: str, b_power: int = 0) -> Array:
        """The weight of every sample under this base, times a power of the rows of its micro-batch.

        Returns:
            ``[samples]``, or ``[members]``.
        """
        return self._gathered(self._of_rows(base, b_power))

    def predicted(self, rule: Rule, *, tail_over_k: bool = False) -> Array:
        """The weight of every sample under this rule, ``[samples]`` or ``[members]``."""
        of_rows = self._of_rows(rule.base, rule.b_power)
        if rule.window is not None:
            times = WINDOW_ROWS[rule.window.shape].times(self.fed.place, self.fed.window, rule.window)
            of_rows = of_rows * np.where(self.fed.window > 1, times, 1.0)
        return self.factor(rule, tail_over_k=tail_over_k) * self._gathered(of_rows)

    def _of_rows(self, base: str, b_power: int) -> Array:
        formula: Callable[[Fed], Array] | None = BASE_ROWS[base].weights
        if formula is None:
            raise ValueError(f"{base} is not a formula")
        of_rows = formula(self.fed)
        return of_rows * self.fed.size.astype(np.float64) ** b_power if b_power else of_rows

    def _gathered(self, of_rows: Array) -> Array:
        weights = np.zeros(len(self.tokens))
        np.add.at(weights, self.fed.sample, of_rows)
        return weights if self.members is None else weights[list(self.members)]

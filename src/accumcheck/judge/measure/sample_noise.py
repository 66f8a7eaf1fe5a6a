"""How far rounding moves the weight of one sample: as measured, and with the number of measurements reckoned in.

The reference's recomputations are solved for weights as every split is. Their mean is what the weights come out as in
this dtype, since each sample's own gradient is rounded, too; their spread is what one more computation may be off by.
Rounding that lies in the span of the samples' gradients is taken to be as large in each direction of it (the largest
weights that it gives are then those of samples whose gradient is small, or lies in the span of others), so that one
variance is estimated from all samples and recomputations together, and each sample's error follows Student's t. A
sample whose own weight scatters more than that is judged by its own scatter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.recovery import System
from accumcheck.judge.measure.student import quantile
from accumcheck.record import SampleTolerance

FALSE_ALARMS = 1e-5
"""The probability that any weight of a right run's first step exceeds what it is allowed."""

FACTORS = 3
"""Numbers that a stack may multiply a loss by before it is back-propagated, each rounded to the loss's dtype once (the
share of a micro-batch, 1/k, the number of processes)."""

FLOOR = {"float64": 5e-7, "float32": 5e-7, "float16": 2**-11, "bfloat16": 2**-8}
"""A share of the right weight that is always allowed, however lucky the measurement was: half a unit in the last place,
and eight of float32 (in which the loss of a float64 model is computed), that sums have whose order is not always the
same."""

DETERMINED = 1e-6
"""A sample's weight is judged if its uncertainty is below this part, so not if its gradient is a mixture of others."""

FEWEST = 4
"""The smallest number of degrees of freedom. With fewer, a tolerance would be too wide to be useful."""

NEAR = 0.1
"""Weights that are nearer to the right ones than this, relative, come out with the same rounding."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SampleNoise:
    """What rounding does to the weights of a step's samples.

    All are ``[members]``: ``right`` are the right weights, ``off`` how far the recomputations' mean is from them,
    ``errors`` the standard error of one more computation's weight from that mean, infinite where a weight is not
    determined. ``noise``: that standard error in each direction of the samples' gradients, relative to the gradient's
    norm; ``degrees``: of freedom of it; ``times``: so many standard errors are allowed; ``floor``: the share of a
    weight that always is; ``rounded``: the share that is allowed besides, for the roundings of the loss itself.
    """

    right: Array
    off: Array
    errors: Array
    noise: float
    degrees: int
    times: float
    floor: float
    rounded: float

    @classmethod
    def of(
        cls, again: Sequence[Array], right: Array, system: System, dtype: str, loss_unit: float, tests: int
    ) -> SampleNoise | None:
        """The noise from the weights of recomputations; None if there are too few of them.

        Args:
            again: of each recomputation the weights, ``[members]``.
            right: the right ones.
            system: that was solved.
            dtype: that the model computes in.
            loss_unit: half a unit in the last place of 1, in the dtype of the loss.
            tests: how many weights will be judged by it.
        """
        gram = system.gram
        norm = math.sqrt(max(float(right @ gram @ right), 0.0))
        degrees = (len(again) - 1) * system.rank
        if degrees < FEWEST or norm == 0:
            return None
        weights = np.stack(again)
        mean = weights.mean(axis=0)
        squares = sum(float(off @ gram @ off) for off in weights - mean)
        own = np.square(weights - mean).sum(axis=0) / (len(again) - 1)
        # one more computation is off by its own error, and by that of the mean
        more = math.sqrt(1 + 1 / len(again))
        spread = more * math.sqrt(max(squares, 0.0) / degrees)
        errors = np.maximum(spread * system.unit_errors, more * np.sqrt(own))
        errors = np.where(system.determined > 1 - DETERMINED, errors, np.inf)
        times = quantile(FALSE_ALARMS / max(tests, 1), degrees)
        return cls(right, mean - right, errors, spread / norm, degrees, times, FLOOR[dtype], FACTORS * loss_unit)

    @property
    def allowed(self) -> Array:
        """How far each weight may be from its right one and `off`, ``[members]``."""
        right = np.abs(self.right)
        return np.asarray(np.maximum(self.times * self.errors, self.floor * right) + self.rounded * right)

    def worst(self, weights: Array) -> tuple[int, float]:
        """The position of the recovered weight that takes up the largest share of what it is allowed, and that share.

        Args:
            weights: ``[members]``.
        """
        return _largest(np.abs(weights - self.right - self.off), self.allowed)

    def fits(self, weights: Array, due: Array) -> bool:
        """Whether recovered weights are what these true ones come out as, as far as that is known.

        Args:
            weights: ``[members]``.
            due: the same shape. Of others than nearly the right ones nothing is known here.
        """
        if not (np.abs(due - self.right) <= NEAR * self.right).all():
            return True
        return _largest(np.abs(weights - due - self.off), self.allowed)[1] <= 1

    def as_record(self) -> SampleTolerance | None:
        """The reported tolerance; None if no weight is judged."""
        judged = (self.right > 0) & np.isfinite(self.errors)
        if not judged.any():
            return None
        shares = self.allowed[judged] / self.right[judged]
        return SampleTolerance(
            least=float(shares.min()),
            middle=float(np.median(shares)),
            most=float(shares.max()),
            noise=self.noise,
            degrees=self.degrees,
            times=self.times,
            false_alarms=FALSE_ALARMS,
            floor=self.floor + self.rounded,
        )


def _largest(off: Array, allowed: Array) -> tuple[int, float]:
    """Where the largest share is, and the share: of something beyond nothing it is infinite."""
    shares = np.divide(off, allowed, out=np.where(off > 0, np.inf, 0.0), where=allowed > 0)
    at = int(np.argmax(shares))
    return at, float(shares[at])

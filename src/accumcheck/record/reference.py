"""The reference's results: the right values, sample by sample, and the effect of floating point and batching."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from accumcheck.record.in_json import LATER, Count

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Unmixed = Literal["row", "outputs", "targets"]
CountAnswer = Literal["divides", "ignores", "partly", "rejects"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Relative differences; null: not compared."""

    loss: float | None
    grad_norm: float | None
    gradient: float | None
    """The norm of the difference over the norm: ||g - g'|| / ||g'||."""
    weights: float | None = field(default=None, metadata=LATER)
    """The part of the gradient's difference that is in the sample weights, ||sum((w_i - w'_i) g_i)|| / ||g'||."""
    # rounding is mostly outside the span of the samples' gradients, so this part is known several times more precisely
    sample: float | None = field(default=None, metadata=LATER)
    """The largest error of one sample's weight, over what rounding explains in that weight: above 1 it is wrong."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What was trained."""

    architecture: str
    parameters: Count
    dtype: str
    shrunk: bool
    """The same architecture in tiny sizes."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Which entries of the gradient are kept: per parameter its name, its size, and the range its entries take."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    total: int

    @property
    def complete(self) -> bool:
        """Whether every entry of the gradient is kept."""
        return sum(self.sizes) == self.total


@dataclass(frozen=True, slots=True)
class LossProbe:
    """How the model computes its loss, found by probing the model; None: not seen.

    ``token_count``: what the loss does with the count passed to it: ``divides`` by it, ``ignores`` it, divides
    ``partly`` (another term is not divided), or the model ``rejects`` the argument. ``function`` and ``reduction``:
    the loss function called; ``place``: the line (``file:line``) of the model's forward that leads to the call;
    ``call_place``: the line that calls it. ``keeps_apart``: whether a text's output is the same after another text in a
    padding-free row as alone; only probed if there are such rows.
    """

    token_count: CountAnswer | None = None
    function: str | None = None
    reduction: str | None = None
    place: str | None = None
    call_place: str | None = None
    keeps_apart: bool | None = None


@dataclass(frozen=True, slots=True)
class BatchTerm:
    """What makes a model depend on its batch.

    ``name``: in words, for example of the layers or the model's output; ``additive``: it is added to the loss;
    ``complete``: without it batching changes nothing; ``of_stack``: it belongs to what computes the loss instead of the
    model; ``output``: the name of the model's output, for an additive term.
    """

    name: str
    additive: bool
    complete: bool
    of_stack: bool = False
    output: str = ""


@dataclass(frozen=True, slots=True)
class RandomForward:
    """A forward pass that is random.

    ``module``: the innermost module that returned another result for the same input, by name and class, empty if
    none was found; ``apart``: the relative difference of the results.
    """

    module: str
    apart: float


@dataclass(frozen=True, slots=True)
class BatchedStep:
    """One step in micro-batches of one size, computed without any stack: for a model that depends on its batch.

    ``loss``, ``grad_norm`` and ``gradient`` (``[coordinates]``): of the mean over micro-batches, each weighted as
    ``base`` says: ``token-mean`` by its predictions, ``microbatch-mean`` equally. Of these, ``term`` and
    ``term_gradient`` are the part of an additive term, in a plain mean over micro-batches; None without one.
    """

    base: str
    step: int
    size: int
    micro_batches: tuple[tuple[int, ...], ...]
    loss: float
    grad_norm: float
    gradient: npt.NDArray[np.floating[Any]]
    term: float | None = None
    term_gradient: npt.NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Recomputation:
    """The first step's batch computed again without any stack, in another order and other micro-batches.

    ``order``: in words; ``size``: samples at once; ``apart``: relative differences from the sum of the single samples;
    ``gradient``: ``[coordinates]``, as accumulated in the run's own dtype; ``factor``: of the loss before it was
    back-propagated, by which the gradient was then divided; ``loss_unit``: half a unit in the last place of 1 in the
    loss's dtype.
    """

    order: str
    size: int
    apart: Divergence
    gradient: npt.NDArray[np.floating[Any]]
    factor: float = 1.0
    loss_unit: float = 0.0


@dataclass(frozen=True, slots=True)
class UndividedTerm:
    """A term of a loss that is passed the count of its whole step, which the count does not divide.

    ``name``: in words; ``gradients``: its right gradient in each step, ``[steps, coordinates]``: that of the step's
    samples in one micro-batch.
    """

    name: str
    gradients: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReferenceObservation:
    """The independent reference, sample by sample.

    ``losses``: shape ``[samples]``, mean loss per predicted token; ``tokens``: ``[samples]``, predicted tokens as the
    model's own loss counts them; ``labels``: ``[samples]``, labels that are not masked, before any causal shift;
    ``gradients``: ``[samples, coordinates]``, the gradient of each sample's mean token loss; ``grad_norms``: the norm
    of the whole right gradient of each step; ``membership``: the samples of each step;
    ``noise``: the relative differences from floating point alone, the largest of ``recomputed``;
    ``predicted``: ``[samples]``, predicted tokens, if ``tokens`` holds other weights instead; ``not_judged``:
    why there is no independent reference: then ``gradients`` are what the program itself computed for each sample;
    ``trains_again``: the program began another training after the one that was observed; ``unused``: parameters that
    no sample's loss depends on, by name: autograd gives them no gradient at all; ``random``: the same batch gave
    another result when it was computed again, None if it did not, or could not be computed; ``per_microbatch``:
    what the program's loss adds to the gradient once per micro-batch, whatever its rows, ``[coordinates]``;
    ``undivided``: a term of the loss that a count of the whole step should divide, but does not;
    ``unmixed``: what is all that a row's neighbours in its micro-batch may change, as seen at the model's outputs: a
    weight of the ``row``, a weight of the row in each of the ``outputs``, or that, and single rows have other
    ``targets``; None if they change more, or that was not seen;
    ``batch_effect``: the largest relative difference, in loss or gradient, caused by batching and not by noise, 0 if
    the model treats each sample independently; ``batched``: if it does not, every step for every micro-batch size
    of the run, and ``batch_term``: why; ``probe``: how the model computes its loss.
    """

    losses: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    gradients: npt.NDArray[np.floating[Any]]
    grad_norms: tuple[float, ...]
    membership: tuple[tuple[int, ...], ...]
    coordinates: Coordinates
    noise: Divergence
    batch_effect: float
    model: ModelRecord
    batched: tuple[BatchedStep, ...] = ()
    batch_term: BatchTerm | None = None
    probe: LossProbe = field(default_factory=lambda: LossProbe())
    recomputed: tuple[Recomputation, ...] = ()
    predicted: npt.NDArray[np.int64] | None = None
    not_judged: str = ""
    trains_again: bool = False
    unused: tuple[str, ...] = ()
    random: RandomForward | None = None
    per_microbatch: npt.NDArray[np.float64] | None = None
    unmixed: Unmixed | None = None
    undivided: UndividedTerm | None = None

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Predicted tokens of each sample, ``[samples]``, for people to read."""
        return self.tokens if self.predicted is None else self.predicted

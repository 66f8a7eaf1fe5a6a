"""Samples one by one: loss, token count and gradient of each alone, and the right gradient computed from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader, named_parameters_of
from accumcheck.capture.shards import parameters_of
from accumcheck.capture.shards.whole import Plain
from accumcheck.runfolder.events import EventLog, ReferenceProgress
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_reference import open_gradients

PROGRESS_EVERY = 8


class SamplesAlone:
    """The samples of a run, each computed alone.

    Args:
        job: says which samples each step has, and where to keep gradients.
        model: trained; its gradients are cleared.
        samples: their number.
        seed: decides which entries of the gradient are kept.
        double: keep gradients in float64.
        at_step: called with a step's number, from 0, before losses of its samples are computed.
    """

    def __init__(
        self,
        job: Job,
        model: torch.nn.Module,
        samples: int,
        *,
        seed: int,
        double: bool,
        at_step: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.job = job
        self.reader = GradientReader.of(model, seed=seed)
        self.gradients = open_gradients(job.folder, samples, sum(self.reader.coordinates.sizes), double=double)
        """``[samples, coordinates]``, the gradient of each sample's mean loss."""
        self.means = np.zeros(samples)
        """``[samples]``, each sample's mean loss."""
        self.tokens = np.zeros(samples, dtype=np.int64)
        """``[samples]``, the weight of each sample's mean loss."""
        self.norms: list[float] = []
        """The norm of each step's right gradient."""
        self.reached: set[str] = set()
        """The parameters that received a gradient."""
        self.first = list(job.membership[0]) if job.membership else list(range(samples))
        """The samples of the first step."""
        self.step = 0
        self._model = model
        self._trained = named_parameters_of(model)
        self._is_plain = all(isinstance(one, Plain) for one in parameters_of(model))
        self._at_step = at_step

    def at(self, step: int) -> None:
        """Set the step, counted from 0, of the following computations."""
        self.step = step
        self._at_step(step)

    def compute(self, loss_of: Callable[[int, int], tuple[torch.Tensor, int]]) -> None:
        """Compute every sample. One without predictions has weight 0.

        Args:
            loss_of: called with the sample and its step; returns the mean loss and its number of tokens.
        """
        membership = self.job.membership
        events = EventLog(self.job.run)
        done, due = 0, sum(map(len, membership))
        strays = sorted(set(range(len(self.means))) - {index for members in membership for index in members})
        self.norms = []
        for step, members in enumerate([*membership, strays]):
            self.at(step if members is not strays else 0)
            totals = None if self.reader.coordinates.complete else _Totals(self._model)
            for index in members:
                self._model.zero_grad(set_to_none=True)
                self._keep(index, *loss_of(index, step), totals)
                done += 1
                if done % PROGRESS_EVERY == 0 or done == due:
                    events.emit(ReferenceProgress(done, due + len(strays)))
            if members is not strays:
                self.norms.append(totals.norm() if totals is not None else self._norm_of(list(members)))
            del totals
        self.at(0)

    def _keep(self, index: int, loss: torch.Tensor, tokens: int, totals: _Totals | None) -> None:
        self.tokens[index] = tokens
        if not tokens:
            return
        torch.autograd.backward(loss)
        self.means[index] = float(loss.detach())
        self.gradients[index] = self._read()
        self.reached |= {name for name, one in self._trained.items() if one.grad is not None}
        if totals is not None:
            totals.add(tokens)

    def _read(self) -> npt.NDArray[np.floating[Any]]:
        if self._is_plain:
            return self.reader.read_plain(self._trained)
        return self.reader.read(self._model)[0]

    def weigh(self, tokens: npt.NDArray[np.int64]) -> None:
        """Use these sample weights from here on, ``[samples]``."""
        self.tokens = tokens
        self.norms = [self._norm_of(list(members)) for members in self.job.membership]

    def mean_of(self, members: list[int]) -> npt.NDArray[np.float64]:
        """``sum(c_i g_i) / sum(c_i)`` over these samples, in float64, ``[coordinates]``."""
        tokens = self.tokens[members]
        shares = (tokens / max(tokens.sum(), 1)).astype(np.float64)
        mean = np.zeros(self.gradients.shape[1])
        for share, index in zip(shares, members, strict=True):  # one by one: a copy of all in float64 would be large
            mean += share * self.gradients[index].astype(np.float64)
        return mean

    def loss_of(self, members: list[int]) -> float:
        """``sum(c_i l_i) / sum(c_i)`` over these samples."""
        tokens = self.tokens[members]
        return float((self.means[members] * tokens).sum() / max(tokens.sum(), 1))

    def _norm_of(self, members: list[int]) -> float:
        return float(np.linalg.norm(self.mean_of(members)))


class _Totals:
    """The whole gradient of a step, for its norm, if only some of its entries are kept."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._tokens = 0
        self._sums: dict[str, torch.Tensor] = {}

    def add(self, tokens: int) -> None:
        """Add the gradient in ``.grad``, of a sample with this many tokens."""
        self._tokens += tokens
        for parameter in parameters_of(self._model):
            if parameter.requires_grad:
                gradient = parameter.gradient()
                if parameter.name not in self._sums:
                    wide = torch.promote_types(gradient.dtype, torch.float32)
                    self._sums[parameter.name] = torch.zeros_like(gradient, dtype=wide)
                self._sums[parameter.name].add_(gradient, alpha=tokens)

    def norm(self) -> float:
        """The norm of the token-weighted mean."""
        squares = [torch.linalg.vector_norm(total, dtype=torch.float64).square() for total in self._sums.values()]
        return float(torch.stack(squares).sum().sqrt()) / max(self._tokens, 1)

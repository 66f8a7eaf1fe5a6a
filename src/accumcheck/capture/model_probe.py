"""Finds out how the model computes its loss, by a few extra forwards on a small batch, outside of any training.

Does the loss change when the token count passed to the model doubles? Which line of which file calls which loss
function? The answers come from the installed model itself; no model or release is known by name here.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from accumcheck.capture.losses import TOKEN_COUNT, loss_in
from accumcheck.capture.places import place
from accumcheck.record import CountAnswer, LossProbe

_CLOSE = 0.02
"""How near to 1 or to 1/2 a ratio of losses must be; bfloat16 has three digits."""


def probe_model(model: torch.nn.Module, batch: Mapping[str, Any], count: int) -> LossProbe:
    """How the model computes its loss; None for what could not be seen, and for `keeps_apart`, a separate probe.

    Args:
        model: in the mode in which it is trained.
        batch: its inputs, on its device.
        count: a token count to pass; any positive number will do.
    """
    found = LossProbe()
    # a model may raise anything: a failed probe must not break a run
    with torch.no_grad(), contextlib.suppress(Exception), _same_random_numbers(model):
        found = _traced(model, batch)
    with torch.no_grad(), contextlib.suppress(Exception):
        found = replace(found, token_count=_answer_to_count(model, batch, count))
    return found


# --- does it separate the texts of one row ----------------------------------------------------------------------------


def keeps_apart(model: torch.nn.Module, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool | None:
    """Whether a text's logits are the same alone and after another text in one row, where positions begin again.

    Args:
        model: returns logits for every position.
        first: one text on the model's device, fields of shape ``[length]``, including ``input_ids`` and
            ``position_ids``.
        second: another.

    Returns:
        None if the model could not be probed.
    """
    with torch.no_grad(), contextlib.suppress(Exception), _same_random_numbers(model):
        fields = ("input_ids", "position_ids")
        row = {name: torch.cat([first[name], second[name]])[None] for name in fields}
        alone = model(**{name: second[name][None] for name in fields}).logits
        behind = model(**row).logits[:, -alone.shape[1] :]
        return float((behind - alone).norm()) <= _CLOSE * float(alone.norm())
    return None


# --- does it divide by the count it is passed -------------------------------------------------------------------------


def _answer_to_count(model: torch.nn.Module, batch: Mapping[str, Any], count: int) -> CountAnswer | None:
    """What the loss does when the count doubles: ``divides``, ``ignores``, ``partly`` (one term does), ``rejects``."""
    parameters = inspect.signature(model.forward).parameters
    if TOKEN_COUNT not in parameters and all(one.kind is not one.VAR_KEYWORD for one in parameters.values()):
        return "rejects"
    device = next(model.parameters()).device
    as_tensor: Callable[[int], Any] = lambda number: torch.tensor(number, device=device)  # noqa: E731
    failure: Exception | None = None
    for kind in (as_tensor, int):  # some releases accept only one of the two
        try:
            once, twice = (_loss(model, {**batch, TOKEN_COUNT: kind(number)}) for number in (count, 2 * count))
        except Exception as error:
            failure = error
            continue
        if once is None or twice is None or once == 0:
            return None
        ratio = twice / once
        return "ignores" if abs(ratio - 1) < _CLOSE else "divides" if abs(ratio - 0.5) < _CLOSE else "partly"
    return "rejects" if isinstance(failure, TypeError) and TOKEN_COUNT in str(failure) else None


def _loss(model: torch.nn.Module, batch: Mapping[str, Any]) -> float | None:
    with _same_random_numbers(model):
        loss = loss_in(model(**batch))
    return None if loss is None else float(loss)


@contextlib.contextmanager
def _same_random_numbers(model: torch.nn.Module) -> Iterator[None]:
    """The same random numbers each time, for a model that draws some; the process's own generators are not advanced."""
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


# --- which line computes it -------------------------------------------------------------------------------------------


class _LossCalls(TorchFunctionMode):
    """Sees every torch call while active; keeps those that reduce to one number, with the line of the call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[LossProbe] = []
        self.numbers: list[tuple[torch.Tensor, LossProbe]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of ``func``."""
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            name = getattr(func, "__name__", "")
            if "reduction" in (kwargs or {}):
                self.calls.append(_seen(name, (kwargs or {})["reduction"]))
            elif result.ndim == 0 and result.is_floating_point():
                self.numbers.append((result, _seen(name, None)))
        return result


def _traced(model: torch.nn.Module, batch: Mapping[str, Any]) -> LossProbe:
    """The first loss function that a forward calls, or, if it calls none, the call that produced the loss."""
    seen = _LossCalls()
    with seen:
        loss = loss_in(model(**batch))
    made = [call for number, call in seen.numbers if number is loss]
    return (seen.calls[:1] or made[-1:] or [LossProbe()])[0]


def _seen(function: str, reduction: str | None) -> LossProbe:
    """The call being made: its line, and the line of the ``forward`` around it."""
    calls, forwards = [], []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if not _is_torchs(frame):
            where = place(frame.f_code.co_filename, frame.f_lineno)
            calls.append(where)
            if frame.f_code.co_name == "forward" and isinstance(frame.f_locals.get("self"), torch.nn.Module):
                forwards.append(where)
        frame = frame.f_back
    call = calls[0] if calls else None
    return LossProbe(
        function=function,
        reduction=reduction,
        place=forwards[0] if forwards else call,
        call_place=call,
    )


def _is_torchs(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] == "torch"

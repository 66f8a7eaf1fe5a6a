"""From events to optimizer steps: which micro-batches a window was made of, and what was applied at its end.

A window is what one process does for one optimizer step: forwards, backward passes, and the steps of as many optimizers
as take part. A group is what contributes to the gradient together: forwards, and the backward passes that follow them
before the next forward.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from accumcheck.capture.clipping import Clip
from accumcheck.capture.losses import Watched

Rows = tuple[int, ...]


@dataclass
class Call:
    """One outermost forward: the module, the rows it was fed (none if its input was not data), and what became of it.

    ``passage``: None for a micro-batch that the stack reported, whatever forwards it has.
    """

    module: int
    rows: Rows
    passage: Watched | None = None

    @property
    def used(self) -> bool | None:
        """Whether it contributes to the gradient; None if that cannot be seen."""
        return True if self.passage is None else self.passage.used


@dataclass
class Group:
    """Forwards, and whether a backward pass has followed them.

    ``told``: its rows were reported by the stack, not read from forwards; ``phase``: how many optimizers had stepped in
    its window before it began. It separates what two optimizers of one window are fed one after the other.
    """

    calls: list[Call] = field(default_factory=list)
    backward: bool = False
    told: bool = False
    phase: int = 0

    @property
    def counted(self) -> list[Call]:
        """The forwards that a gradient came back to: the others contribute nothing.

        All of them if none is known to be used: the gradient then came back another way.
        """
        used = [call for call in self.calls if call.used] or [call for call in self.calls if call.used is None]
        return used or self.calls


@dataclass(frozen=True, slots=True)
class Part:
    """One micro-batch: its rows, the passage of its loss if there is exactly one, and its groups."""

    rows: Rows
    passage: Watched | None
    groups: tuple[int, ...]


Join = Callable[[Sequence[Rows]], Rows]
"""From the different rows of several forwards to the rows of the micro-batch that they form together."""


def one_after_the_other(fed: Sequence[Rows]) -> Rows:
    """The rows of all forwards."""
    return tuple(number for rows in fed for number in rows)


def micro_batches_of(groups: Sequence[Group], k: int, join: Join = one_after_the_other) -> list[Part]:
    """Which groups form one micro-batch.

    Usually each group is one. A window of ``m * k`` groups has ``m`` backward passes for each micro-batch if they are
    fed the same rows, as with two losses that are differentiated one after the other. A window of one group with ``k``
    forwards of one module is a sum of ``k`` losses, differentiated at its end. If several optimizers of a window are
    fed one after the other, as in a GAN, micro-batch j is the j-th of each.

    Args:
        groups: of the window, in order.
        k: the requested accumulation steps.
        join: for a micro-batch that is fed in several forwards, such as the three of a triplet.
    """
    if len(groups) == 1 and k > 1 and not groups[0].told:
        calls = groups[0].counted
        if len(calls) == k and len({call.module for call in calls}) == 1:
            return [Part(call.rows, call.passage, ()) for call in calls]
    phases = [
        _pieces([at for at, group in enumerate(groups) if group.phase == phase], groups, k)
        for phase in sorted({group.phase for group in groups})
    ]
    if len({len(pieces) for pieces in phases}) == 1:
        together = [[at for piece in turn for at in piece] for turn in zip(*phases, strict=True)]
    else:
        together = [list(piece) for pieces in phases for piece in pieces]
    return [_part(groups, piece, join) for piece in together]


def _pieces(places: Sequence[int], groups: Sequence[Group], k: int) -> list[Sequence[int]]:
    """The groups at these places, grouped by micro-batch."""
    times = len(places) // k if len(places) % k == 0 else 1
    pieces = [places[start : start + times] for start in range(0, len(places), times)] if times > 1 else []
    if not pieces or any(len({fed for at in piece if (fed := _fed([groups[at]]))}) > 1 for piece in pieces):
        return [[at] for at in places]
    return pieces


def _part(groups: Sequence[Group], piece: Sequence[int], join: Join) -> Part:
    chosen = [groups[at] for at in piece]
    passages = [call.passage for group in chosen for call in group.counted if call.passage is not None]
    with_loss = [passage for passage in passages if passage.loss is not None]
    one = with_loss if len(with_loss) == 1 else passages if len(passages) == 1 else []
    fed = _fed(chosen)
    rows = fed[0] if len(fed) == 1 else join(fed) if fed else ()
    return Part(rows, one[0] if one else None, tuple(piece))


def _fed(groups: Sequence[Group]) -> tuple[Rows, ...]:
    """The rows of all forwards; rows that several forwards share count once."""
    return tuple(dict.fromkeys(call.rows for group in groups for call in group.counted if call.rows))


@dataclass(frozen=True, slots=True)
class Closed:
    """A window that has ended: its groups, the clips after the last group, and the clips between groups."""

    groups: tuple[Group, ...]
    clips: tuple[Clip, ...]
    clipped_within: tuple[Clip, ...]


class Window:
    """The open window. It ends when every optimizer that steps in it has stepped and the next forward begins.

    An optimizer's second step also begins a new window, to which everything fed since the last step belongs.
    """

    def __init__(self) -> None:
        self.sees_gradients = True
        """Whether `backward` will be called: for a sharded model, hooks do not see gradients."""
        self.groups: list[Group] = []
        self._boundary = 0
        self._stepped: list[Hashable] = []
        self._clips: list[tuple[int, Clip]] = []

    @property
    def has_stepped(self) -> bool:
        """Whether any optimizer has."""
        return bool(self._stepped)

    def stepped(self, who: Hashable) -> bool:
        """Whether this one has."""
        return who in self._stepped

    def call(self, call: Call, *, told: bool = False) -> None:
        """A forward begins; ``told``: it is a whole micro-batch reported by the stack."""
        if not self.groups or self.groups[-1].backward or (told and self.groups[-1].calls):
            self.groups.append(Group(told=told, phase=len(self._stepped)))
        self.groups[-1].calls.append(call)
        self.groups[-1].backward |= not self.sees_gradients

    def backward(self) -> bool:
        """A gradient has been computed; returns whether it is the group's first."""
        if not self.groups:
            self.groups.append(Group(phase=len(self._stepped)))
        first = not self.groups[-1].backward
        self.groups[-1].backward = True
        return first

    def drop(self, start: int) -> int:
        """Forget the groups from a place on; returns how many of them produced a gradient."""
        dropped, self.groups = self.groups[start:], self.groups[:start]
        return sum(group.backward for group in dropped)

    def clipped(self, clip: Clip) -> None:
        """The gradient so far has been clipped."""
        self._clips.append((self.done, clip))

    def step(self, who: Hashable) -> None:
        """An optimizer has stepped."""
        self._stepped.append(who)
        self._boundary = self.done

    def close(self) -> Closed:
        """End the window: what came after the last step belongs to the next."""
        groups, self.groups = self.groups[: self._boundary], self.groups[self._boundary :]
        with_gradient = tuple(group for group in groups if group.backward or group.told)
        mine = [(at, clip) for at, clip in self._clips if at <= self._boundary]
        self._clips = [(at - self._boundary, clip) for at, clip in self._clips if at > self._boundary]
        last = self._boundary
        self._stepped, self._boundary = [], 0
        for group in self.groups:
            group.phase = 0
        return Closed(
            with_gradient,
            tuple(clip for at, clip in mine if at == last),
            tuple(clip for at, clip in mine if at < last),
        )

    @property
    def done(self) -> int:
        """Number of groups so far: they are complete once another forward begins."""
        return len(self.groups)

    @property
    def boundary(self) -> int:
        """Number of groups at the last step."""
        return self._boundary

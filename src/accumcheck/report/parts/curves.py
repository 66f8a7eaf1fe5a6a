"""The curves of every split over the steps, in percent of a picture's width and height."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accumcheck.report import numbers
from accumcheck.report.parts.scale import Scale, Tick, scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.record import Report

HEIGHT = 190
"""Height of a picture in pixels, to keep labels at a readable distance."""
_LABEL_GAP = 100 * 15 / HEIGHT
_SAME_PLACE = 100 * 3 / HEIGHT
_MOST_MARKS = 12
_MOST_LABELS = 9

_ATTENTION = ("warn", "fail", "error")
"""Tones of curves that are never drawn below others or share a label with them."""

Series = tuple[str, str, list[tuple[int, float | None]]]
"""The name of a curve, its tone, and its values by step."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One split, or the reference: ``places`` from the left and the top, ``path`` through them as SVG writes it.

    ``tone``: a verdict, or ``reference``; ``marks``: the places to mark; ``values``: the same in words.
    """

    name: str
    tone: str
    path: str
    places: tuple[tuple[float, float], ...]
    marks: tuple[tuple[float, float], ...]
    values: str


@dataclass(frozen=True, slots=True)
class Label:
    """The label at the end of curves, ``at`` in percent from the top."""

    text: str
    tone: str
    at: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture; ``x`` and ``y`` are its ticks, from the left and from the top.

    ``broken``: the steps at which curves have no finite value, and which curves.
    """

    name: str
    about: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    labels: tuple[Label, ...]
    broken: tuple[Tick, ...]


def step_charts(report: Report) -> list[Chart]:
    """Loss and gradient norm of every split that ran, and of the reference, over the optimizer steps."""
    ran = [split for split in report.splits if split.steps]
    losses: list[Series] = [
        (str(one.split), one.verdict, [(step.step, step.loss) for step in one.steps]) for one in ran
    ]
    norms: list[Series] = [
        (str(one.split), one.verdict, [(step.step, step.grad_norm) for step in one.steps]) for one in ran
    ]
    losses.append(("reference", "reference", [(one.step, one.loss) for one in report.reference]))
    norms.append(("reference", "reference", [(one.step, one.grad_norm) for one in report.reference]))
    return _drawn(
        ("Loss", "as the stack reported it, by optimizer step", _on_top(losses)),
        ("Gradient norm", "of what the optimizer received, by optimizer step", _on_top(norms)),
    )


def update_charts(report: Report) -> list[Chart]:
    """Learning rate and change of the weights of every split, over the optimizer steps; nothing where none was seen."""
    ran = [split for split in report.splits if split.updates]
    rates: list[Series] = [
        (str(one.split), one.verdict, [(it.step, next(iter(it.learning_rates), None)) for it in one.updates])
        for one in ran
    ]
    changes: list[Series] = [
        (
            str(one.split),
            one.verdict,
            [(it.step, None if it.weight_change is None else it.weight_change.norm) for it in one.updates],
        )
        for one in ran
    ]
    return _drawn(
        ("Learning rate", "of the first parameter group, by optimizer step", _on_top(rates)),
        ("Change of the weights", "its norm, by optimizer step, before it was taken back", _on_top(changes)),
    )


def _on_top(series: Sequence[Series]) -> list[Series]:
    """Drawing order: passing splits, then the reference, then splits that need attention, so that none is hidden."""
    return sorted(series, key=lambda one: one[1] in _ATTENTION)


def trajectory_charts(report: Report) -> list[Chart]:
    """Loss and gradient norm as logged over the free-running trajectory; empty if there was none."""
    ran = [split for split in report.splits if split.trajectory]
    losses = [(str(one.split), one.verdict, [(point.step, point.loss) for point in one.trajectory]) for one in ran]
    norms = [(str(one.split), one.verdict, [(point.step, point.grad_norm) for point in one.trajectory]) for one in ran]
    return _drawn(
        ("Loss", "as logged, with the real optimizer", losses),
        ("Gradient norm", "as logged, with the real optimizer", norms),
    )


def _drawn(*wanted: tuple[str, str, Sequence[Series]]) -> list[Chart]:
    charts = []
    for name, about, series in wanted:
        values = [value for *_, points in series for _, value in points if value is not None and math.isfinite(value)]
        steps = sorted({step for *_, points in series for step, _ in points})
        if values and steps:
            charts.append(_chart(name, about, series, steps, values))
    return charts


def _chart(
    name: str,
    about: str,
    series: Sequence[Series],
    steps: Sequence[int],
    values: Sequence[float],
) -> Chart:
    up = scale_of(values)
    along = (
        Scale(steps[0], steps[-1], logarithmic=False) if len(steps) > 1 else Scale(steps[0] - 1, steps[0] + 1, False)
    )
    curves = tuple(_curve(label, tone, points, along, up) for label, tone, points in series if points)
    return Chart(
        name=name,
        about=about + (", logarithmic" if up.logarithmic else ""),
        x=tuple(Tick(along.at(step), str(step)) for step in _some(steps)),
        y=tuple(Tick(round(100 - tick.at, 2), tick.label) for tick in up.ticks()),
        curves=curves,
        labels=tuple(_labels(curves)),
        broken=tuple(_broken(series, along)),
    )


def _curve(name: str, tone: str, points: Sequence[tuple[int, float | None]], along: Scale, up: Scale) -> Curve:
    path, places, pen_down = [], [], False
    for step, value in points:
        if value is None or not math.isfinite(value):
            pen_down = False
            continue
        place = (along.at(step), round(100 - up.at(value), 2))
        path.append(f"{'L' if pen_down else 'M'}{place[0]:g} {place[1]:g}")
        places.append(place)
        pen_down = True
    return Curve(
        name=name,
        tone=tone,
        path=" ".join(path),
        places=tuple(places),
        marks=tuple(places) if len(points) <= _MOST_MARKS else tuple(places[-1:]),
        values=", ".join(numbers.aligned([value for _, value in points[:_MOST_MARKS]])),
    )


def _labels(curves: Sequence[Curve]) -> list[Label]:
    """One label for curves that coincide, but not for good and bad ones together; labels keep order and distance."""
    last = max((place[0] for curve in curves for place in curve.places), default=0.0)
    whole = [curve for curve in curves if curve.places and curve.places[-1][0] == last]  # others are in ``broken``
    groups: list[list[Curve]] = []
    for curve in sorted(whole, key=lambda curve: (curve.places[-1][1], curve.tone != "reference")):
        group = next((group for group in groups if _named_together(group[0], curve)), None)
        if group is None:
            groups.append([curve])
        else:
            group.append(curve)
    labels: list[Label] = []
    for group in groups[:: math.ceil(len(groups) / _MOST_LABELS) or 1]:
        first = next((curve for curve in group if curve.tone == "reference"), group[0])
        end = first.places[-1][1]
        at = max(end, labels[-1].at + _LABEL_GAP) if labels else end
        labels.append(Label(first.name + (f" +{len(group) - 1}" if len(group) > 1 else ""), first.tone, at))
    over = max(0.0, labels[-1].at - 100) if labels else 0.0
    return [Label(one.text, one.tone, round(one.at - over, 2)) for one in labels]


def _named_together(one: Curve, other: Curve) -> bool:
    """Whether two curves coincide, and neither or both of them need attention."""
    return (one.tone in _ATTENTION) == (other.tone in _ATTENTION) and _alike(one, other)


def _alike(one: Curve, other: Curve) -> bool:
    return len(one.places) == len(other.places) and all(
        here[0] == there[0] and abs(here[1] - there[1]) < _SAME_PLACE
        for here, there in zip(one.places, other.places, strict=True)
    )


def _broken(series: Sequence[Series], along: Scale) -> list[Tick]:
    names: dict[int, list[str]] = {}
    for name, _, points in series:
        for step, value in points:
            if numbers.is_bad(value):
                names.setdefault(step, []).append(name)
    return [
        Tick(along.at(step), of[0] if len(of) == 1 else f"{len(of)} splits")
        for step, of in sorted(names.items())[:_MOST_MARKS]
    ]


def _some(steps: Sequence[int]) -> Sequence[int]:
    """All steps if there are few; otherwise the first, the last and some between."""
    last = len(steps) - 1
    return steps if last < 8 else [steps[round(index * last / 4)] for index in range(5)]

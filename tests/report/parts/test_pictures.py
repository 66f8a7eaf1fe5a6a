"""Where things stand in the pictures of the HTML page: axes, curves, sample weights."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from accumcheck.record import SampleWeights
from accumcheck.report.parts.curves import step_charts, trajectory_charts
from accumcheck.report.parts.scale import Scale, ratio_scale, scale_of
from accumcheck.report.parts.weights_picture import weights_picture
from tests.report import examples


def test_places_by_difference_and_by_ratio() -> None:
    assert [Scale(10, 20, logarithmic=False).at(value) for value in (10, 12.5, 20, 5, 99)] == [0, 25, 100, 0, 100]
    assert [Scale(1, 100, logarithmic=True).at(value) for value in (1, 10, 100)] == [0, 50, 100]


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "expected"),
    [
        (0.0, 10.0, False, ["0", "2", "4", "6", "8", "10"]),
        (10.829, 10.842, False, ["10.830", "10.835", "10.840"]),
        (-1.0, 1.0, False, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        (0.9, 40.0, True, ["1", "2", "5", "10", "20"]),
        (0.5, 2000.0, True, ["1", "10", "100", "1000"]),
        (0.0, 5.3e-05, False, ["0", "2e-05", "4e-05"]),
        (2.4e-05, 5.1e-05, False, ["3e-05", "4e-05", "5e-05"]),
        (0.66, 1.5, True, ["0.8", "1.0", "1.2", "1.4"]),
    ],
)
def test_ticks_are_few_and_round(low: float, high: float, logarithmic: bool, expected: list[str]) -> None:
    assert [tick.label for tick in Scale(low, high, logarithmic).ticks()] == expected


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [], [-1e-30], [1e300, 1e-300], [5.0, 5.0 + 1e-12]])
def test_any_values_have_an_axis_with_room(values: list[float]) -> None:
    scale = scale_of(values)
    assert scale.low < scale.high
    assert all(0 < scale.at(value) < 100 for value in values)
    assert len(scale.ticks()) <= 7


def test_curves_that_agree_to_the_noise_floor_are_not_zoomed_apart() -> None:
    assert abs(scale_of([5.0, 5.0 + 1e-6]).at(5.0) - scale_of([5.0, 5.0 + 1e-6]).at(5.0 + 1e-6)) < 0.1


def test_one_is_always_on_the_axis_of_weights() -> None:
    for values in ([31.0, 123.0], [0.01], [1.0], []):
        assert 0 < ratio_scale(values).at(1.0) < 100


def test_a_curve_per_split_and_the_reference() -> None:
    loss, norm = step_charts(examples.llava_449())
    assert (loss.name, norm.name) == ("Loss", "Gradient norm")
    assert [curve.name for curve in loss.curves] == ["1x128x1", "reference", "4x16x2", "4x8x4", "8x1x16", "4x1x32"]
    assert {curve.tone for curve in loss.curves} == {"pass", "fail", "reference"}
    assert [tick.label for tick in loss.x] == ["1", "2", "3"]
    assert [place[0] for place in loss.curves[0].places] == [0, 50, 100]
    heights = [curve.places[0][1] for curve in loss.curves]
    assert heights[1] == heights[0] > heights[2] > heights[3] > heights[4] > heights[5]  # from the top
    assert loss.about.endswith("logarithmic")
    # x 2 is as far everywhere: from 1 to 2, and from 2 to 4 times
    assert heights[0] - heights[2] == pytest.approx(heights[2] - heights[3], abs=0.1)


def test_a_split_that_fails_is_seen_where_it_lies_on_the_reference() -> None:
    report = examples.clean()
    report = replace(report, splits=(*report.splits[:-1], replace(report.splits[-1], verdict="fail")))
    loss, _ = step_charts(report)
    last = str(report.splits[-1].split)
    assert [curve.tone for curve in loss.curves] == ["pass", "pass", "reference", "fail"]  # drawn last, on top
    assert [(label.text, label.tone) for label in loss.labels] == [("reference +2", "reference"), (last, "fail")]


def test_labels_keep_a_distance_and_say_how_many_lie_on_each_other() -> None:
    loss, _ = step_charts(examples.llava_449())
    assert [label.text for label in loss.labels] == ["4x1x32", "8x1x16", "4x8x4", "4x16x2", "reference +1"]
    (label,) = step_charts(examples.clean())[0].labels
    assert label.text == "reference +3"
    many = step_charts(examples.many())[0].labels
    assert [label.text for label in many] == ["1x16x2 +38", "reference +1"]
    for labels in (loss.labels, many):
        assert all(after.at - before.at >= 7.8 for before, after in pairwise(labels))
        assert max(label.at for label in labels) <= 100


def test_values_that_are_no_numbers_leave_a_gap_and_are_named() -> None:
    loss, norm = step_charts(examples.not_a_number())
    broken = next(curve for curve in loss.curves if curve.name == "4x16x2")
    assert len(broken.places) == 1
    assert broken.path.count("M") == 1
    assert [(tick.at, tick.label) for tick in loss.broken] == [(50, "4x16x2"), (100, "4x16x2")]
    assert [(tick.at, tick.label) for tick in norm.broken] == [(50, "4x16x2")]
    gap = next(curve for curve in norm.curves if curve.name == "4x16x2")
    assert gap.path.count("M") == 2  # two pieces
    assert "4x16x2" not in " ".join(label.text for label in loss.labels)


def test_nothing_is_drawn_of_nothing() -> None:
    assert step_charts(examples.no_model()) == []
    assert trajectory_charts(examples.clean()) == []
    report = examples.clean()
    lost = tuple(replace(step, loss=math.nan, grad_norm=None) for step in report.splits[0].steps)
    assert step_charts(replace(report, reference=(), splits=(replace(report.splits[0], steps=lost),))) == []


def test_long_trajectories_are_marked_at_their_end_only() -> None:
    loss, _ = trajectory_charts(examples.with_trajectory())
    assert {len(curve.places) for curve in loss.curves} == {100}
    assert {len(curve.marks) for curve in loss.curves} == {1}
    assert [tick.label for tick in loss.x] == ["1", "26", "51", "75", "100"]


def weights(low: float, high: float, *values: float) -> SampleWeights:
    return SampleWeights(1.0, low, high, dropped=(), duplicated=(), residual=0.0, condition=1.0, values=values)


def test_a_dot_per_sample_from_the_first_at_the_top() -> None:
    report = examples.clean()
    found = replace(report, splits=(replace(report.splits[0], sample_weights=weights(0.5, 2.0, 0.5, 1.0, 2.0)),))
    picture = weights_picture(found)
    assert picture is not None
    # the axis goes from 0.5 / 1.5 to 2 * 1.5, by ratio: 1 in the middle
    assert picture.right == 50
    assert picture.none is None
    (strip,) = picture.strips
    step = 100 * math.log(2) / math.log(9)
    assert strip.dots == f"M{50 - step:.4g} 10h0M50 50h0M{50 + step:.4g} 90h0"
    assert strip.words == "scale 1.00, 0.50..2.00"


def test_weights_of_nothing_or_less_stand_apart() -> None:
    report = examples.clean()
    dropped = replace(weights(-1e-9, 1.0, 1.0, -1e-9), dropped=(1,))
    picture = weights_picture(replace(report, splits=(replace(report.splits[0], sample_weights=dropped),)))
    assert picture is not None
    assert picture.none == 3
    assert picture.strips[0].dots.endswith("M3 90h0")
    assert picture.strips[0].words == "scale 1.00, 0.00..1.00, 1 dropped"
    assert all(tick.at > 9 for tick in picture.ticks)


def test_without_single_weights_there_is_a_bar_and_without_any_no_picture() -> None:
    picture = weights_picture(examples.llava_449())
    assert picture is not None
    assert not picture.single
    assert [strip.name for strip in picture.strips] == ["1x128x1", "4x16x2", "4x8x4", "8x1x16", "4x1x32"]
    bar, scale = picture.strips[1].bar, picture.strips[1].scale
    assert bar is not None
    assert scale is not None
    assert picture.right < bar[0] < scale < bar[1]
    assert weights_picture(examples.no_reference()) is None
    broken = replace(examples.clean().splits[0], sample_weights=weights(math.nan, 1.0))
    assert weights_picture(replace(examples.clean(), splits=(broken,))) is None


def test_many_samples_are_thinned() -> None:
    report = examples.clean()
    many = weights(1.0, 1.0, *([1.0] * 10_000))
    picture = weights_picture(replace(report, splits=(replace(report.splits[0], sample_weights=many),)))
    assert picture is not None
    assert 500 <= picture.strips[0].dots.count("M") <= 600


def test_a_split_whose_weights_are_not_known_is_in_the_picture_all_the_same() -> None:
    report = examples.clean()
    lost = replace(report.splits[1], verdict="fail", sample_weights=None)
    picture = weights_picture(replace(report, splits=(report.splits[0], lost)))
    assert picture is not None
    strip = picture.strips[1]
    assert (strip.name, strip.tone, strip.dots, strip.bar) == (str(lost.split), "fail", "", None)
    assert strip.words == "weights could not be recovered"


def test_what_rounding_leaves_of_zero_is_zero() -> None:
    report = examples.clean()
    weights = SampleWeights(1.0, -2e-7, 2.0, (0,), (), 1.0, 0.0, (3e-7, -2e-7, 2.0, 1.0))
    picture = weights_picture(replace(report, splits=(replace(report.splits[0], sample_weights=weights),)))
    assert picture is not None
    assert picture.none is not None
    assert picture.strips[0].dots.startswith(f"M{picture.none:g} 10h0M{picture.none:g} ")
    assert next(tick.label for tick in picture.ticks) not in ("1e-07", "1e-05")

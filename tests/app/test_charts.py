"""Lines over time: where they run, where they break, and what the axis names."""

import pytest

from app import charts
from app.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

UP = (0.1, 1, 10, 100)


def test_a_line_runs_from_left_to_right_and_larger_values_stand_higher() -> None:
    plot = charts.over_time({"p50": [(0, 1), (10, 10)]}, begins=0, ends=10, across=[0, 10], up=UP)

    assert plot.lines[0].path == f"M{LEFT} {HEIGHT - BOTTOM}L{WIDTH - RIGHT} {TOP}"
    assert [tick.value for tick in plot.up] == [1, 10]
    assert [tick.at for tick in plot.across] == [LEFT, WIDTH - RIGHT]


def test_where_nothing_was_measured_the_line_breaks_and_a_lone_point_is_a_dot() -> None:
    points = [(0, 1.0), (1, 2.0), (2, None), (3, 5.0), (4, None), (5, 1.0), (6, 1.0)]

    line = charts.over_time({"p50": points}, begins=0, ends=6, across=[], up=UP).lines[0]

    assert line.path.count("M") == 2
    assert len(line.dots) == 1


@pytest.mark.parametrize("values", [[], [0.0], [0.05], [1], [1e9], [0.2, 5000]])
def test_whatever_is_drawn_stays_inside_the_picture(values: list[float]) -> None:
    points = [(number, value) for number, value in enumerate(values)]

    plot = charts.over_time({"p50": points}, begins=0, ends=10, across=[5], up=UP)

    assert len(plot.up) >= 2
    for tick in plot.up:
        assert TOP <= tick.at <= HEIGHT - BOTTOM
    numbers = [float(part) for line in plot.lines for part in line.path.replace("M", " ").replace("L", " ").split()]
    assert all(0 <= one <= WIDTH for one in numbers)


def said(value: float) -> str:
    return f"{value:g}"


def test_the_side_of_a_plot_has_round_values_around_what_is_drawn_and_zero() -> None:
    plot = charts.curves({"uses": [(0, 3), (1, 41)]}, across=[(0, "Mon"), (1, "Tue")], label=said)

    assert [mark.label for mark in plot.up] == ["0", "20", "40", "60"]
    assert plot.base == HEIGHT - BOTTOM
    assert plot.curves[0].end == (WIDTH - RIGHT, pytest.approx(plot.base - (plot.base - TOP) * 41 / 60, abs=0.1))


def test_counts_have_no_fractions_at_the_side() -> None:
    plot = charts.curves({"uses": [(0, 0), (1, 2)]}, across=[], label=said, whole=True)

    assert [mark.label for mark in plot.up] == ["0", "1", "2"]


def test_standing_bars_hang_below_zero_where_they_are_negative() -> None:
    plot = charts.columns([("Jan", [2.0]), ("Feb", [-1.0]), ("Mar", [None])], label=said)

    above, below = plot.boxes
    assert above.y + above.height == pytest.approx(plot.base)
    assert below.y == plot.base
    assert [mark.label for mark in plot.across] == ["Jan", "Feb", "Mar"]


def test_of_many_bars_only_some_are_named() -> None:
    plot = charts.columns([(str(day), [1.0]) for day in range(31)], label=said)

    assert len(plot.boxes) == 31
    assert len(plot.across) <= charts.NAMES_MOST
    assert not plot.shows_values


def test_the_parts_of_a_whole_fill_its_bar() -> None:
    boxes = charts.shares([("sent", 900), ("held back", 100), ("none", 0)], label=said)

    assert boxes[0].width + boxes[1].width == WIDTH
    assert boxes[1].x == boxes[0].width
    assert boxes[2].width == 0


@pytest.mark.parametrize(("low", "high", "crosses"), [(0.27, 2.58, False), (-0.29, 2.98, True), (-3.0, -1.0, False)])
def test_an_interval_is_seen_to_have_zero_in_it_or_not(low: float, high: float, crosses: bool) -> None:
    plot = charts.interval((low + high) / 2, low, high, label=said)

    assert (plot.low < plot.zero < plot.high) is crosses
    assert 0 < plot.low < plot.estimate < plot.high < WIDTH


def test_lying_bars_start_at_zero_and_have_room_for_their_values() -> None:
    plot = charts.rows([("Kadıköy", 30.0), ("Moda", 0.0)], label=said)

    assert [box.name for box in plot.boxes] == ["Kadıköy", "Moda"]
    assert plot.boxes[0].x + plot.boxes[0].width <= WIDTH - charts.ROW_VALUE
    assert plot.height == 2 * charts.ROW_HEIGHT


@pytest.mark.parametrize("values", [[], [0.0], [-5.0], [1e-9], [1e12, -3.0]])
def test_any_values_make_a_plot_within_its_picture(values: list[float]) -> None:
    plot = charts.curves({"a": list(enumerate(values))}, across=[], label=said)

    assert all(TOP <= y <= HEIGHT - BOTTOM for x, y in [one.end for one in plot.curves if one.end])

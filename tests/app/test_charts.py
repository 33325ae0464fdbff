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

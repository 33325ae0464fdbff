"""Plots as plain figures for an SVG: where each line runs, where each mark stands. No markup, no words, no colours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 34
SPANS_MOST = 2


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A mark on an axis: where it is in the picture, and the value it stands for."""

    at: float
    value: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series: an SVG path with a gap where nothing was measured, and the points that have no neighbour."""

    name: str
    path: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Lines over time, seconds on a logarithmic scale; the picture is `width` by `height`."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def over_time(
    series: Mapping[str, Sequence[tuple[float, float | None]]],
    *,
    begins: float,
    ends: float,
    across: Sequence[float],
    up: Sequence[float],
) -> Plot:
    """Draw series of (moment, value or None) between two moments.

    Args:
        across: the moments to name below. up: candidates for the values to name at the side, growing; those are taken
            that enclose what is drawn.
    """
    values = [value for points in series.values() for _, value in points if value is not None]
    scale = _enclosing(values, up)

    def x(moment: float) -> float:
        return round(LEFT + (moment - begins) / (ends - begins) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        low, high = math.log(scale[0]), math.log(scale[-1])
        share = (math.log(min(max(value, scale[0]), scale[-1])) - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    return Plot(
        lines=tuple(
            _line(name, [(x(at), y(v)) if v is not None else None for at, v in p]) for name, p in series.items()
        ),
        across=tuple(Tick(at=x(moment), value=moment) for moment in across),
        up=tuple(Tick(at=y(value), value=value) for value in scale),
    )


def _enclosing(values: Sequence[float], candidates: Sequence[float]) -> Sequence[float]:
    """The candidates from the last below the least value to the first above the greatest; two at least."""
    least, most = min(values, default=candidates[0]), max(values, default=candidates[-1])
    first = max((place for place, one in enumerate(candidates) if one <= least), default=0)
    last = min((place for place, one in enumerate(candidates) if one >= most), default=len(candidates) - 1)
    last = max(last, first + 1)
    return candidates[first : last + 1] if last < len(candidates) else candidates[-2:]


def _line(name: str, points: Sequence[tuple[float, float] | None]) -> Line:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    path = "".join(f"M{_pairs(run)}" for run in runs if len(run) >= SPANS_MOST)
    dots = tuple(run[0] for run in runs if len(run) == 1)
    return Line(name=name, path=path, dots=dots)


def _pairs(run: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:g} {y:g}" for x, y in run)

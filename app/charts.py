"""Plots as plain figures for an SVG: where each line runs, where each mark stands. No markup, no words, no colours."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 34
SPANS_MOST = 2
NAMES_MOST = 6
VALUES_MOST = 12
HEADROOM = 1.08  # for the values above standing bars
ROW_HEIGHT, ROW_NAME, ROW_VALUE = 46, 20, 84
SHARE_HEIGHT = 40

Label = Callable[[float], str]


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


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark on an axis with its words."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One series: its line, the points that have no neighbour, and where it ends, for a name beside it."""

    name: str
    path: str
    dots: tuple[tuple[float, float], ...]
    end: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A picture with marks along both axes. `base` is where zero is, or the lower edge."""

    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    base: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True, kw_only=True)
class Curves(Frame):
    """Lines over something that goes on, such as time."""

    curves: tuple[Curve, ...]


@dataclass(frozen=True, kw_only=True)
class Box:
    """One bar with its value in words; `series` counts from 0."""

    x: float
    y: float
    width: float
    height: float
    label: str
    series: int = 0
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Columns(Frame):
    """Standing bars, one group for each place of the axis. `names` are those of the series."""

    boxes: tuple[Box, ...]
    names: tuple[str, ...]
    shows_values: bool


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Lying bars below one another, each under its name: for names that are long, such as stores."""

    boxes: tuple[Box, ...]
    zero: float
    height: float
    width: int = WIDTH


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its limits on a scale that shows zero."""

    low: float
    high: float
    estimate: float
    zero: float
    marks: tuple[Mark, ...]
    width: int = WIDTH
    height: int = 84
    middle: int = 30
    bottom: int = 54


def curves(
    series: Mapping[str, Sequence[tuple[float, float | None]]],
    *,
    across: Sequence[tuple[float, str]],
    label: Label,
    whole: bool = False,
) -> Curves:
    """Draw series of (place, value or None) on a linear scale that has zero in it.

    Args:
        across: the places to name below. whole: the values are counts, so the scale has no fractions.
    """
    places = [place for points in series.values() for place, _ in points] + [place for place, _ in across]
    first, last = min(places, default=0.0), max(places, default=1.0)
    scale, y = _upwards([value for points in series.values() for _, value in points if value is not None], whole)

    def x(place: float) -> float:
        return round(LEFT + (place - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT), 1)

    drawn = []
    for name, points in series.items():
        placed = [(x(at), y(value)) if value is not None else None for at, value in points]
        line = _line(name, placed)
        end = next((one for one in reversed(placed) if one is not None), None)
        drawn.append(Curve(name=name, path=line.path, dots=line.dots, end=end))
    return Curves(
        curves=tuple(drawn),
        across=tuple(Mark(at=x(place), label=text) for place, text in across),
        up=tuple(Mark(at=y(value), label=label(value)) for value in scale),
        base=y(max(0.0, scale[0])),
    )


def columns(
    groups: Sequence[tuple[str, Sequence[float | None]]],
    *,
    label: Label,
    names: Sequence[str] = ("",),
    whole: bool = False,
) -> Columns:
    """Draw standing bars: for each group its name and a value (or None) of each series.

    Where there are many groups only some of their names are written.
    """
    drawn = [value for _, values in groups for value in values if value is not None]
    scale, y = _upwards([*drawn, max([0.0, *drawn]) * HEADROOM], whole)
    room = (WIDTH - LEFT - RIGHT) / max(len(groups), 1)
    thick = min(room * 0.72 / len(names), 48.0)
    zero = y(0.0)
    boxes = []
    for place, (_, values) in enumerate(groups):
        begins = LEFT + room * (place + 0.5) - thick * len(names) / 2
        for number, value in enumerate(values):
            if value is not None:
                box = Box(
                    x=round(begins + thick * number, 1), y=min(y(value), zero), width=round(thick * 0.94, 1),
                    height=round(abs(y(value) - zero), 1), label=label(value), series=number, name=groups[place][0],
                )  # fmt: skip
                boxes.append(box)
    every = max(1, math.ceil(len(groups) / NAMES_MOST))
    return Columns(
        boxes=tuple(boxes),
        names=tuple(names),
        shows_values=len(boxes) <= VALUES_MOST,
        across=tuple(
            Mark(at=round(LEFT + room * (place + 0.5), 1), label=name)
            for place, (name, _) in enumerate(groups)
            if place % every == 0
        ),
        up=tuple(Mark(at=y(value), label=label(value)) for value in scale),
        base=zero,
    )


def rows(items: Sequence[tuple[str, float]], *, label: Label) -> Rows:
    """Draw lying bars in the given order; those below zero run to the left of it."""
    values = [value for _, value in items]
    least, most = min([0.0, *values]), max([0.0, *values])
    span = (most - least) or 1.0
    room = WIDTH - ROW_VALUE

    def x(value: float) -> float:
        return round((value - least) / span * room, 1)

    boxes = tuple(
        Box(
            x=min(x(value), x(0)), y=place * ROW_HEIGHT + ROW_NAME, width=max(round(abs(x(value) - x(0)), 1), 1.0),
            height=ROW_HEIGHT - ROW_NAME - 8, label=label(value), name=name,
        )
        for place, (name, value) in enumerate(items)
    )  # fmt: skip
    return Rows(boxes=boxes, zero=x(0), height=len(items) * ROW_HEIGHT)


def shares(parts: Sequence[tuple[str, float]], *, label: Label) -> tuple[Box, ...]:
    """One lying bar of a whole, cut into its parts in order; nothing of it has no width."""
    total = math.fsum(value for _, value in parts) or 1.0
    boxes, begins = [], 0.0
    for number, (name, value) in enumerate(parts):
        wide = value / total * WIDTH
        boxes.append(
            Box(
                x=round(begins, 1), y=0, width=round(wide, 1), height=SHARE_HEIGHT, label=label(value), series=number,
                name=name,
            )
        )  # fmt: skip
        begins += wide
    return tuple(boxes)


def interval(estimate: float, low: float, high: float, *, label: Label) -> Interval:
    """Draw an estimate and its limits, on a scale that reaches beyond zero and both of them."""
    scale = _round_values(min(0.0, low), max(0.0, high), whole=False)

    def x(value: float) -> float:
        side = 28
        return round(side + (value - scale[0]) / (scale[-1] - scale[0]) * (WIDTH - 2 * side), 1)

    return Interval(
        low=x(low),
        high=x(high),
        estimate=x(estimate),
        zero=x(0.0),
        marks=tuple(Mark(at=x(value), label=label(value)) for value in scale),
    )


def _upwards(values: Sequence[float], whole: bool) -> tuple[list[float], Callable[[float], float]]:
    """Round values for the side, zero among them, and where each value stands."""
    scale = _round_values(min([0.0, *values]), max([0.0, *values]), whole=whole)

    def y(value: float) -> float:
        share = (value - scale[0]) / (scale[-1] - scale[0])
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    return scale, y


def _round_values(least: float, most: float, *, whole: bool) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that enclose both; between three and seven of them."""
    if most <= least:
        most = least + 1.0
    rough = (most - least) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * 0.999)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]

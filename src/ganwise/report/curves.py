"""Curves and dots as numbers for the template: paths in a square of 1000 units that the page stretches, ticks in percent.

Text is left to HTML, so that it stays readable at every width; lines keep their thickness through non-scaling strokes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ganwise.report.words import tick

MOST, SMOOTH, FEWEST = 300, 60, 5
"""Points of a line as recorded, of the medians drawn over it, and the fewest that a median is taken of."""
UNITS = 1000
GAPS = {False: 8.5, True: 4.5}
"""Least distance of two labels in percent of the height, of small plots and of tall ones."""
Points = Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """From values to 0..1. With a ``shift`` as log(value + shift), which holds zero too; a negative value counts as zero."""

    low: float
    high: float
    shift: float | None = None

    def _f(self, value: float) -> float:
        if self.shift is None:
            return value
        above = max(value, 0.0) + self.shift
        return math.log(above) if above > 0 else -math.inf

    def at(self, value: float) -> float:
        low, high = self._f(self.low), self._f(self.high)
        return (self._f(value) - low) / (high - low) if high > low else 0.5

    def ticks(self, apart: float = 0.16) -> list[float]:
        """Round values, no two closer together than a share of the axis."""
        kept: list[float] = []
        for value in sorted(self._round(), key=_plainness):
            if 0 <= self.at(value) <= 1 and all(abs(self.at(value) - self.at(k)) >= apart for k in kept):
                kept.append(value)
        return sorted(kept)

    def _round(self) -> list[float]:
        if self.shift is None:
            step = _step(self.high - self.low)
            first = math.ceil(self.low / step - 1e-9)
            return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]
        bottom = max(self.low, self.shift / 2, self.high / 1e9)
        decades = range(math.floor(math.log10(bottom)), math.ceil(math.log10(self.high)) + 1)
        return [0.0, *(m * 10.0**d for d in decades for m in (1, 2, 5))]


def _plainness(value: float) -> tuple[int, float]:
    """Zero and powers of ten come first where not all ticks fit."""
    digit = f"{abs(value):e}"[0]
    return (0 if value == 0 else 1 if digit == "1" else 2, value)


def _step(span: float) -> float:
    rough = (span or 1.0) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    return next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= rough * 0.999)


def axis(values: Iterable[float], log: bool | None = None, shift: float = 0.0, pad: float = 0.04) -> Axis:
    """An axis that holds the values; logarithmic, where not told, if they span a factor of 30 and none is negative."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    positive = [v for v in found if v > 0]
    if log is None:
        log = len(positive) == len(found) and high > 30 * low
    if log and positive:
        floor = max(min(positive), high / 1e6)
        return Axis(floor / 1.2, high * 1.2, 0.0) if not shift else Axis(max(low, 0.0) * 0.8, high * 1.1, shift)
    margin = (high - low) * pad or abs(high) * 0.1 or 0.5
    return Axis(low - margin, high + margin)


class Line(NamedTuple):
    """What is drawn: ``color`` numbers the palette; with ``dots`` each point is marked, with ``smooth`` the medians stand out."""

    name: str
    color: int
    points: Points
    dots: bool = False
    smooth: bool = False
    strong: bool = False
    dashed: bool = False
    label: bool = True


class Tick(NamedTuple):
    """A label, and where it stands, in percent; one that names a line stands ``after`` its end."""

    text: str
    at: float
    color: int = -1
    after: float = 100.0


class Stroke(NamedTuple):
    """One path: its data and its classes."""

    d: str
    classes: str


class Plot(NamedTuple):
    """All that the template's macro needs."""

    title: str
    x_label: str
    note: str
    strokes: list[Stroke]
    x: list[Tick]
    y: list[Tick]
    ends: list[Tick]
    rules: list[Tick]
    since: Tick | None = None


def plot(
    title: str,
    lines: Sequence[Line],
    x_label: str,
    *,
    y: Axis | None = None,
    rules: Sequence[tuple[str, float]] = (),
    times: float = 1.0,
    tall: bool = False,
    since: float | None = None,
) -> Plot | None:
    """Lines in one frame; None where there is nothing finite to draw. ``times`` scales the tick labels only.

    ``since`` is where on the horizontal axis an alarm begins.
    """
    kept = [line._replace(points=_finite(line.points)) for line in lines]
    kept = [line for line in kept if line.points]
    if not kept:
        return None
    across = Axis(0.0, max(p[0] for line in kept for p in line.points) or 1.0)
    up = y or axis([p[1] for line in kept for p in line.points])
    strokes = [s for line in kept for s in _strokes(line, across, up)]
    ends = [_end(line, across, up) for line in kept if line.label]
    marks = [Tick(text, 100 - 100 * up.at(value)) for text, value in rules if 0 <= up.at(value) <= 1]
    return Plot(
        title,
        x_label,
        "log scale" if up.shift is not None else "",
        strokes,
        [Tick(tick(v), 100 * across.at(v)) for v in across.ticks(0.2)],
        [Tick(tick(v, times), 100 - 100 * up.at(v)) for v in up.ticks(0.14)],
        _apart(ends, GAPS[tall]),
        marks,
        None if since is None else Tick("alarm", 100 * _inside(across.at(since))),
    )


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _end(line: Line, across: Axis, up: Axis) -> Tick:
    """The name of a line, beside its last point; near the edge all names line up."""
    x, y = line.points[-1][0], (medians(line.points) if line.smooth else line.points)[-1][1]
    after = 100 * across.at(x)
    return Tick(line.name, 100 - 100 * _inside(up.at(y)), line.color, 100.0 if after > 85 else round(after, 1))


def _inside(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _strokes(line: Line, across: Axis, up: Axis) -> list[Stroke]:
    base = f"c{line.color}" + (" strong" if line.strong else "") + (" dashed" if line.dashed else "")
    places = [(across.at(x), _inside(up.at(y))) for x, y in thin(line.points)]
    if line.smooth:
        over = [(across.at(x), _inside(up.at(y))) for x, y in medians(line.points)]
        return [Stroke(_path(places), f"raw {base}"), Stroke(_path(over), f"line {base}")]
    strokes = [Stroke(_path(places), f"line {base}")]
    if line.dots or len(places) == 1:
        strokes.append(Stroke("".join(f"M{_xy(p)}h0" for p in places), f"dot {base}"))
    return strokes


def _path(places: Points) -> str:
    return "M" + " ".join(_xy(p) for p in places)


def _xy(place: tuple[float, float]) -> str:
    return f"{place[0] * UNITS:.0f},{UNITS - place[1] * UNITS:.0f}"


def thin(points: Points, most: int = MOST) -> Points:
    """At most so many points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(points) <= most:
        return points
    kept: list[tuple[float, float]] = []
    for part in _stretches(points, most // 2):
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def medians(points: Points, most: int = SMOOTH) -> Points:
    """The median of each stretch."""
    most = min(most, len(points) // FEWEST)
    if most < 2:
        return points
    return [(median(p[0] for p in part), median(p[1] for p in part)) for part in _stretches(points, most)]


def _stretches(points: Points, count: int) -> list[Points]:
    bounds = [round(i * len(points) / count) for i in range(count + 1)]
    return [points[a:b] for a, b in pairwise(bounds) if b > a]


def _apart(labels: Sequence[Tick], gap: float) -> list[Tick]:
    """Labels moved until none covers another, as little as a pass down and a pass up can do."""
    ordered = sorted(labels, key=lambda t: t.at)
    placed: list[float] = []
    for label in ordered:
        placed.append(max(label.at, placed[-1] + gap) if placed else label.at)
    limit = 100.0
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    return [label._replace(at=round(at, 1)) for label, at in zip(ordered, placed, strict=True)]

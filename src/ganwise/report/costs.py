"""Score against cost: what quality took, and all that was spent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from ganwise.report.curves import UNITS, Axis, Plot, Stroke, Tick
from ganwise.report.gather import Candidate, Study, number
from ganwise.report.lanes import validated
from ganwise.report.words import metric, tick

APART = (5.5, 6.0)
"""Percent of the picture, across and up, that two labels keep from each other."""
WIDE = 30
"""The factor between the least and the largest value from which an axis is logarithmic."""


class Dot(NamedTuple):
    """A candidate: ``final`` with a score on the test part, else with that on validation."""

    name: str
    label: str
    color: int
    x: float
    y: float
    final: bool


def scatter(study: Study, palette: Mapping[str, int]) -> Plot | None:
    """Every candidate's score against the seconds that a run of it took; None with less than two to draw."""
    dots = [dot for c in study.candidates if (dot := _dot(study, c, palette[c.name])) is not None]
    if len(dots) < 2:
        return None
    what = metric(study.metric)
    across, up = _axis([dot.x for dot in dots]), _axis([dot.y for dot in dots])
    places = [(across.at(dot.x), up.at(dot.y)) for dot in dots]
    strokes = [
        Stroke(f"M{x * UNITS:.0f},{UNITS - y * UNITS:.0f}h0", f"dot c{dot.color}{' strong' if dot.final else ' hollow'}")
        for dot, (x, y) in zip(dots, places, strict=True)
    ]
    logs = [name for name, axis in (("score", up), ("seconds", across)) if axis.shift is not None]
    return Plot(
        f"{what.label} against the seconds of a run",
        "CPU seconds of training, mean over seeds",
        f"log scale of {' and '.join(logs)}" if logs else "",
        strokes,
        [Tick(tick(v), 100 * across.at(v)) for v in across.ticks(0.15)],
        [Tick(tick(v, what.times), 100 - 100 * up.at(v)) for v in up.ticks(0.14)],
        _labels(dots, places),
        [],
    )


def _dot(study: Study, candidate: Candidate, color: int) -> Dot | None:
    x = number((candidate.row.get("cost") or {}).get("seconds"))
    tested = number((candidate.row.get("summary") or {}).get(study.metric))
    y = validated(study, candidate) if tested is None and study.result.get("ladder") else tested
    if not x or y is None:
        return None
    rank = candidate.row.get("rank") or ""
    label = f"{rank} {candidate.name}".strip() if tested is not None else str(rank)
    return Dot(candidate.name, label, color, x, y, tested is not None)


def _axis(values: list[float]) -> Axis:
    low, high = min(values), max(values)
    if low > 0 and high > WIDE * low:
        reach = (high / low) ** 0.06
        return Axis(low / reach, high * reach, 0.0)
    margin = 0.08 * (high - low) or abs(high) * 0.1 or 0.5
    return Axis(max(low - margin, 0.0) if low >= 0 else low - margin, high + margin)


def _labels(dots: list[Dot], places: list[tuple[float, float]]) -> list[Tick]:
    """Right of each dot; where another label is in the way a little higher or lower, finalists first."""
    kept: list[Tick] = []
    for dot, (x, y) in sorted(zip(dots, places, strict=True), key=lambda pair: not pair[0].final):
        tries = [Tick(dot.label, 100 - 100 * y + step * APART[1] / 2, dot.color, 100 * x) for step in (0, -1, 1, -2, 2, -3, 3)]
        free = (one for one in tries if all(_clear(one, other) for other in kept) and 0 <= one.at <= 100)
        if (one := next(free, None)) is not None:
            kept.append(one._replace(at=round(one.at, 1), after=round(one.after, 1)))
    return kept


def _clear(one: Tick, other: Tick) -> bool:
    first, second = sorted((one, other), key=lambda tick: tick.after)
    width = max(APART[0], 1.4 * len(first.text))
    return second.after - first.after >= width or math.fabs(one.at - other.at) >= APART[1]


class Cost(NamedTuple):
    """What a run of a candidate took on average; ``name`` is empty of the sum over all runs."""

    name: str
    runs: int
    seconds: float | None
    images: float | None
    steps: float | None
    flops: float | None


def costs(study: Study) -> list[Cost]:
    """A row for each candidate, and the whole race's last; none of a single run."""
    rows = [_cost(c.name, len(c.runs), c.row.get("cost") or {}) for c in study.candidates]
    total = study.result.get("cost")
    return [*rows, _cost("", len(study.runs), total)] if total and not study.single else []


def _cost(name: str, runs: int, told: Mapping[str, object]) -> Cost:
    return Cost(name, runs, *(number(told.get(unit)) for unit in ("seconds", "images", "steps", "flops")))

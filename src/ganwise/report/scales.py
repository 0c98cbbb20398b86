"""Dots on scales: where a candidate lies between a Gaussian mixture and real data, better always to the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from ganwise.report.curves import Axis, Tick, axis
from ganwise.report.gather import Candidate, Study, number
from ganwise.report.words import MAIN, Reach, figure, metric, tick

WIDE = 10.0
"""The factor between two scores from which a scale is logarithmic."""


class Span(NamedTuple):
    """A dot, its interval and the seeds around it, in percent of the scale; None where it has no score."""

    at: float
    low: float
    high: float
    seeds: list[float]


class Measure(NamedTuple):
    """One metric of one candidate on its own scale."""

    label: str
    says: str
    value: str
    interval: str
    span: Span
    mixture: Tick | None
    real: Tick | None
    conditions: str


def measures(candidate: Candidate) -> list[Measure]:
    """The numbers of the verdict."""
    return [m for name in (candidate.metric, *MAIN) if (m := _measure(candidate, name)) is not None]


def _measure(candidate: Candidate, name: str) -> Measure | None:
    reach = Reach.of(candidate, name)
    if reach is None:
        return None
    what = metric(name)
    sticks = [v for v in (reach.real, reach.mixture) if v is not None]
    scale = _axis_of(reach, sticks)
    place = _placer(scale, what.lower)
    low, high = (figure(v, what.times) for v in (reach.low, reach.high))
    real, mixture = (None if v is None else Tick(figure(v, what.times), round(place(v), 1)) for v in (reach.real, reach.mixture))
    row = candidate.values(name)[0]
    conditions = f"n = {row.get('n', '?')}; {row.get('features', '')}; {row.get('protocol', '')}"
    span = _span(reach, (reach.low, reach.high), place)
    return Measure(what.label, what.says, figure(reach.value, what.times), f"{low} to {high}", span, mixture, real, conditions)


def _axis_of(reach: Reach, sticks: Sequence[float]) -> Axis:
    """Holds the interval too, unless that would squeeze the rest into a third."""
    core = [reach.value, *sticks, *reach.seeds]
    width = max(core) - min(core)
    ends = [v for v in (reach.low, reach.high) if min(core) - width <= v <= max(core) + width]
    return axis([*core, *ends], log=False, pad=0.1)


def _placer(scale: Axis, lower: bool) -> Callable[[float], float]:
    def place(value: float) -> float:
        share = min(max(scale.at(value), 0.0), 1.0)
        return round(100 * (1 - share if lower else share), 1)

    return place


def _span(reach: Reach, ends: tuple[float, float], place: Callable[[float], float]) -> Span:
    low, high = sorted(place(v) for v in ends)
    return Span(place(reach.value), low, high, [place(v) for v in reach.seeds])


class Standings(NamedTuple):
    """The ranking metric of all candidates on one scale."""

    label: str
    ticks: list[Tick]
    mixture: Tick | None
    real: Tick | None
    spans: dict[str, Span]
    log: bool


def standings(study: Study) -> Standings | None:
    """None where nothing was scored. Logarithmic, as the ranking compares, where scores spread wide."""
    name, what = study.metric, metric(study.metric)
    found = {c.name: reach for c in study.candidates if (reach := Reach.of(c, name)) is not None}
    if not found:
        return None
    ranges = {c.name: _interval(c, found[c.name]) for c in study.candidates if c.name in found}
    any_reach = next(iter(found.values()))
    sticks = [v for v in (any_reach.real, any_reach.mixture) if v is not None]
    seeds = [v for reach in found.values() for v in reach.seeds]
    centers = seeds + sticks
    log = what.lower and max(seeds) > WIDE * max(min(seeds), max(seeds) / 1000)
    whole = centers if log else centers + [v for pair in ranges.values() for v in pair if v < 2 * max(centers)]
    scale = axis(whole, log=log, shift=_noise(study) if log else 0.0)
    place = _placer(scale, what.lower)
    spans = {n: _span(r, ranges[n], place) for n, r in found.items()}
    real, mixture = (None if v is None else Tick(figure(v, what.times), place(v)) for v in (any_reach.real, any_reach.mixture))
    ticks = [Tick(tick(v, what.times), place(v)) for v in scale.ticks(0.17)]
    return Standings(what.label, ticks, mixture, real, spans, log)


def _interval(candidate: Candidate, reach: Reach) -> tuple[float, float]:
    """The ranking's interval of the mean over seeds; where one seed gave none, that of the score itself."""
    interval = candidate.row.get("interval") or {}
    low, high = number(interval.get("low")), number(interval.get("high"))
    return (low, high) if low is not None and high is not None and len(reach.seeds) > 1 else (reach.low, reach.high)


def interval(candidate: Candidate) -> str:
    """The ranking metric's interval in words."""
    reach = Reach.of(candidate, candidate.metric)
    if reach is None:
        return ""
    low, high = (figure(v, metric(candidate.metric).times) for v in _interval(candidate, reach))
    return f"{low} to {high}"


def _noise(study: Study) -> float:
    """The size of score that the test set can't tell from zero, as the ranking has it."""
    rows = [s for c in study.candidates for s in c.values(study.metric)]
    halves: Sequence[float] = [
        (high - low) / 2
        for s in rows
        if (low := number(s.get("low"))) is not None and (high := number(s.get("high"))) is not None
    ]
    return max(median(halves), 1e-12) if halves else 1e-3

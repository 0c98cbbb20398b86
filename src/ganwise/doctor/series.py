"""Sequences of one signal, and what lasts in them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import median

from ganwise.doctor.thresholds import (
    BEGAN_OPENS,
    CHUNK_RECORDS,
    CHUNKS,
    OPENS,
    TOLERANCE,
    WARM_UP_SHARE,
    WARM_UP_STEPS,
    WINDOW_RECORDS,
    WINDOW_SHARE,
    WINDOW_STEPS,
)
from ganwise.doctor.traits import Traits
from ganwise.types import Record

Series = list[tuple[int, float]]


def series(records: Sequence[Record], name: str) -> Series:
    """The finite values of one signal with their steps."""
    values = ((record.step, record.signals.get(name)) for record in records)
    return [(step, value) for step, value in values if value is not None and isfinite(value)]


def warmed_up(records: Sequence[Record], traits: Traits) -> int:
    """The first step whose looks count."""
    least = 0 if traits.coarse else WARM_UP_STEPS
    return max(least, round(WARM_UP_SHARE * records[-1].step)) if records else least


def opened(records: Sequence[Record], traits: Traits) -> int:
    """The first step at which samples should be diverse."""
    usual = warmed_up(records, traits)
    return max(usual, BEGAN_OPENS) if traits.dial and not traits.coarse else usual


def recovering(records: Sequence[Record], traits: Traits) -> bool:
    """Whether a minimax run is so young that a generator to which D leaves no slope may come back, as healthy ones do."""
    return traits.saturates and traits.running and bool(records) and records[-1].step < OPENS


def lasting(values: Series, limit: float, share_only: bool = False) -> int | None:
    """The step since which nearly all values are at most ``limit``; None where that is no full window up to the end.

    The window is a share of the run, and with ``share_only`` not bounded in steps.
    """
    last = values[-1][0] if values else 0
    begin = last - (WINDOW_SHARE * last if share_only else min(WINDOW_STEPS, WINDOW_SHARE * last))
    if len(values) >= WINDOW_RECORDS:  # of a signal that is seldom recorded the window is longer
        begin = min(begin, values[-WINDOW_RECORDS][0])
    recent = [value > limit for step, value in values if step >= begin]
    if len(recent) < WINDOW_RECORDS or values[0][0] > begin or sum(recent) > TOLERANCE * len(recent):
        return None
    since, healthy = last, 0
    for seen, (step, value) in enumerate(reversed(values), 1):
        healthy += value > limit
        if value <= limit and healthy <= TOLERANCE * seen:
            since = step
    return since


def lasting_above(values: Series, limit: float, share_only: bool = False) -> int | None:
    """``lasting`` for values of at least ``limit``."""
    return lasting([(step, -value) for step, value in values], -limit, share_only)


def judged(records: Sequence[Record], traits: Traits, name: str) -> Series:
    """A signal from the step on whose looks count."""
    start = warmed_up(records, traits)
    return [(step, value) for step, value in series(records, name) if step >= start]


def smoothed(values: Series) -> Series:
    """Means of about ``CHUNKS`` parts of equal length, each with its last step: what a noisy signal does. Few values stay."""
    size = max(CHUNK_RECORDS if len(values) >= CHUNKS else 1, len(values) // CHUNKS)
    starts = range(len(values) % size, len(values), size)
    return [(values[i + size - 1][0], sum(v for _, v in values[i : i + size]) / size) for i in starts]


def typical(values: Series, since: int) -> float:
    """The median of a signal from a step on."""
    return median(value for step, value in values if step >= since)


def level(values: Series, since: int) -> float:
    """What a noisy signal that has lasted is at: the median of its averages, by which it was judged too, so that both agree."""
    return typical(smoothed(values), since)


def together(records: Sequence[Record], traits: Traits, *names: str) -> list[tuple[int, tuple[float, ...]]]:
    """The warmed-up records that hold all of several signals, as steps and values."""
    start = warmed_up(records, traits)
    rows = ((r.step, tuple(r.signals.get(name, float("nan")) for name in names)) for r in records if r.step >= start)
    return [(step, values) for step, values in rows if all(map(isfinite, values))]

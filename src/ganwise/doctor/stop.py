"""When to end a run: once it is unlikely that a better model than the best so far will come.

The bounds are conformal (vovk2005conformal): of each of 64 published runs the most extreme value was taken that the statistic had
shown while a model still to come was better by more than ``GAIN``; the bound is the third largest of them. Of a new run that is
exchangeable with those the chance to exceed it while better is to come is at most 3 / (64 + 1), whatever the distribution. Runs
of another kind have no such guarantee: docs/doctor.md shows what a bound from one data set did on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import median
from typing import Any, NamedTuple

from ganwise.doctor.balance import leads
from ganwise.doctor.progress import metric
from ganwise.doctor.series import Series, lasting_above
from ganwise.doctor.thresholds import LEAD, RECENT, STOP_AGE, STOP_NOISE, STOP_RATIO, STOP_RUNS, STOP_SPARED, STOP_WON
from ganwise.doctor.traits import Traits
from ganwise.recipe import Recipe
from ganwise.types import Record

RATE = STOP_SPARED / (STOP_RUNS + 1)
"""The chance at most that the rule ends a run, like those it was calibrated on, of which a better model was to come."""


class Advice(NamedTuple):
    """Whether to stop ``now``; ``at`` is the step at which the rule first said so, ``best`` that of the model to keep.

    ``basis`` is a metric's name, ``losses``, ``values`` or ``none``; ``rate`` bounds the chance of a false alarm.
    """

    now: bool
    basis: str
    because: str
    at: int | None = None
    best: int | None = None
    rate: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The ``stop`` of the doctor's JSON."""
        return self._asdict()


def advise(records: Sequence[Record], recipe: Recipe | None = None, *, loss: str = "", coarse: bool = False) -> Advice:
    """Whether to end the run of which ``records`` is all so far: by its metric, or by its losses where none was evaluated."""
    if broken := _broken(records):
        return Advice(
            True, "values", f"no number has been finite since step {broken:,}: nothing is learned any more", broken, None, 0.0
        )
    name, values = metric(records)
    if name:
        return by_metric(name, values)
    return _by_losses(records, Traits.of(recipe, True, loss, coarse))


def _broken(records: Sequence[Record]) -> int | None:
    """The step since which a loss has not been finite, up to the end."""
    since = None
    for record in reversed(records):
        losses = [record.signals[name] for name in ("loss_d", "loss_g") if name in record.signals]
        if losses and all(map(isfinite, losses)):
            break
        since = record.step if losses else since
    return since


def statistic(values: Series, end: int) -> tuple[float, int]:
    """The best of the last evaluations over the best of all up to the evaluation ``end``, and how old that best is.

    What noise alone makes of it counts for nothing: the typical step between two evaluations is taken off first.
    """
    numbers = [value for _, value in values[: end + 1]]
    best = min(numbers)
    steps = [abs(b - a) for a, b in zip(numbers[len(numbers) // 2 :], numbers[len(numbers) // 2 + 1 :], strict=False)]
    noise = STOP_NOISE * median(steps) if steps else 0.0
    recent = min(numbers[-RECENT:])
    return (recent - noise) / best if best > 0 else 0.0, len(numbers) - 1 - numbers.index(best)


def by_metric(name: str, values: Series) -> Advice:
    """The rule for a metric of which lower is better, with its evaluations so far."""
    fired = [_over(values, end) for end in range(len(values))]
    first = len(fired)
    while first and fired[first - 1]:
        first -= 1
    step, best = min(values, key=lambda pair: pair[1])
    ratio, _ = statistic(values, len(values) - 1)
    if not fired[-1]:
        return Advice(
            False, name, f"{name} is {max(ratio, 1):.2f} times its best; the rule ends a run above {STOP_RATIO}", best=step
        )
    because = f"{name} was {best:.4g} at step {step:,} and the last {RECENT} evaluations are at least {ratio:.2f} times that"
    return Advice(True, name, f"{because} (bound {STOP_RATIO})", values[first][0], step, RATE)


def _over(values: Series, end: int) -> bool:
    ratio, age = statistic(values, end) if end >= RECENT else (0.0, 0)
    return age >= STOP_AGE and ratio > STOP_RATIO


def _by_losses(records: Sequence[Record], traits: Traits) -> Advice:
    """The rule for runs without a metric: D has won for longer than in runs that still got better."""
    values = leads(records, traits)
    if not values or traits.coarse:
        return Advice(False, "none", "neither a metric nor losses that tell when to stop: evaluate samples along the way")
    since = lasting_above(values, LEAD, share_only=True)
    won = values[-1][0] - since if since is not None else 0
    if since is None or won <= STOP_WON:
        said = f"D has won for {won:,} steps" if won else "D has not won"
        return Advice(False, "losses", f"{said}; without a metric the rule ends a run after {STOP_WON:,}")
    because = f"D has won since step {since:,}, {won:,} steps (bound {STOP_WON:,}): keep the model of about that step"
    return Advice(True, "losses", because, since + STOP_WON, since, RATE)

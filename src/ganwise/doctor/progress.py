"""Non-convergence: quality that falls, players that circle, a measure of the loss's own that goes the wrong way."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median, pstdev

from ganwise.doctor import remedies
from ganwise.doctor.series import Series, judged, lasting_above, series, smoothed, typical
from ganwise.doctor.thresholds import AGED, CYCLE, CYCLES, EARLY_RECORDS, ESTIMATE, LAST, NEVER_FID, RECENT, UNDAMPED, WORSE
from ganwise.doctor.traits import Traits
from ganwise.types import Finding, Record, Verdict

METRICS = ("fid", "kid", "sliced_wasserstein")
"""Lower is better, and records or logs may hold them."""
_POINTS = 200  # of a signal in which periods are sought
Sign = tuple[Verdict, int, str, tuple[str, ...]]


def non_convergence(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Samples that have become worse for good or never became any good; swings of one period that do not die down."""
    for look in (_worse, _never, _last, _circling, _estimate):
        if sign := look(records, traits):
            severity, since, evidence, sources = sign
            cures = remedies.prescribe(traits.recipe, *remedies.steadied(traits))
            return Finding("non_convergence", severity, since, evidence, cures, sources)
    return None


def metric(records: Sequence[Record]) -> tuple[str, Series]:
    """The first metric that was evaluated along the way, with its values; an empty name where none was."""
    for name in METRICS:
        if len(values := series(records, name)) > RECENT:
            return name, values
    return "", []


def _worse(records: Sequence[Record], traits: Traits) -> Sign | None:
    """The best of the last evaluations is far worse than the best of all, which is past."""
    name, values = metric(records)
    if not values:
        return None
    index, best = min(enumerate(value for _, value in values), key=lambda pair: pair[1])
    recent = min(value for _, value in values[-RECENT:])
    if best <= 0 or len(values) - 1 - index < AGED or recent <= WORSE * best:
        return None
    since = next(step for i, (step, _) in enumerate(values) if i > index and min(v for _, v in values[i:]) > WORSE * best)
    evidence = f"{name} was {best:.4g} at step {values[index][0]:,} and has not been below {recent:.4g} in the last {RECENT}"
    return "failing", since, f"{evidence} evaluations: keep the model of that step", ("motwani2020selection", "kang2023studiogan")


def _never(records: Sequence[Record], traits: Traits) -> Sign | None:
    name, values = metric(records)
    best = min((value for _, value in values), default=0.0)
    if name != "fid" or best <= NEVER_FID:
        return None
    evidence = f"fid never fell below {best:.4g} in {len(values)} evaluations (limit {NEVER_FID:g}): the run has learned nothing"
    return "failing", values[0][0], evidence, ("motwani2020selection",)


def _last(records: Sequence[Record], traits: Traits) -> Sign | None:
    """One evaluation, the last, is far worse: it may be the beginning, or chance."""
    name, values = metric(records)
    step, best = min(values, key=lambda pair: pair[1], default=(0, 0.0))
    if not values or best <= 0 or values[-1][1] <= LAST * best:
        return None
    evidence = f"{name} was {best:.4g} at step {step:,} and is {values[-1][1]:.4g} in the last evaluation (limit {LAST} times)"
    return "warning", values[-1][0], f"{evidence}: evaluate again", ("kang2023studiogan",)


def _circling(records: Sequence[Record], traits: Traits) -> Sign | None:
    """Swings at one period, as two players make that chase each other around an equilibrium."""
    for name in ("score_real", "score_fake", "loss_d", "loss_g"):
        values = _evenly(judged(records, traits, name))
        if len(values) < 4 * EARLY_RECORDS:
            continue
        numbers = [value for _, value in values]
        lag, strength = period([b - a for a, b in zip(_trend(numbers), numbers, strict=True)])
        half = len(numbers) // 2
        kept = pstdev(numbers[half:]) >= UNDAMPED * pstdev(numbers[:half])
        if strength >= CYCLE and len(numbers) >= CYCLES * lag and kept:
            steps = (values[-1][0] - values[0][0]) * lag // (len(values) - 1)
            evidence = f"{name} swings with a period of about {steps:,} steps (autocorrelation {strength:.2f}; limit {CYCLE})"
            return "warning", values[0][0], f"{evidence} and does not calm down", ("mescheder2018converge",)
    return None


def _evenly(values: Series) -> Series:
    """At most twice ``_POINTS`` means of neighbors."""
    size = max(1, len(values) // _POINTS)
    starts = range(len(values) % size, len(values), size)
    return [(values[i + size - 1][0], fmean(v for _, v in values[i : i + size])) for i in starts]


def _trend(values: Sequence[float]) -> list[float]:
    """The straight line of least squares."""
    n, mean = len(values), fmean(values)
    middle = (n - 1) / 2
    slope = sum((i - middle) * (v - mean) for i, v in enumerate(values)) / sum((i - middle) ** 2 for i in range(n))
    return [mean + slope * (i - middle) for i in range(n)]


def period(values: Sequence[float]) -> tuple[int, float]:
    """The lag of the highest autocorrelation after it has first fallen below zero, and that correlation; (1, 0) without one."""
    n, power = len(values), sum(value * value for value in values)
    if power <= 0:
        return 1, 0.0
    correlations = [
        sum(a * b for a, b in zip(values, values[lag:], strict=False)) / power * n / (n - lag) for lag in range(1, n // 2)
    ]
    fallen = next((i for i, c in enumerate(correlations) if c < 0), None)
    if fallen is None:
        return 1, 0.0
    best = max(range(fallen, len(correlations)), key=lambda i: correlations[i])
    return best + 1, correlations[best]


def _estimate(records: Sequence[Record], traits: Traits) -> Sign | None:
    """The loss's own measure of convergence grows: M_global, or a critic's estimate of the distance."""
    names = {"m_global": 1.0} if traits.dial else {"loss_d": -1.0} if traits.loss == "wasserstein" else {}
    for name, sign in names.items():
        values = smoothed([(step, sign * value) for step, value in judged(records, traits, name)])
        early = median(value for _, value in values[: max(3, len(values) // 5)]) if len(values) >= EARLY_RECORDS else 0.0
        since = lasting_above(values, ESTIMATE * early, share_only=True) if early > 0 else None
        if since is not None:
            now = typical(values, since)
            what = "M_global" if name == "m_global" else "the critic's estimate of the distance"
            return "warning", since, f"{what} has grown from {early:.3g} to {now:.3g} since step {since:,}", _measured(traits)
    return None


def _measured(traits: Traits) -> tuple[str, ...]:
    return ("berthelot2017began",) if traits.dial else ("arjovsky2017wgan",)

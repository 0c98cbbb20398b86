"""Mode collapse: in the spread and coverage of fakes while training, and in the scores afterward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganwise.doctor import remedies
from ganwise.doctor.series import lasting, opened, series, smoothed, typical
from ganwise.doctor.thresholds import COLLAPSED, COVERED, DROPPED, NARROW, OPEN, OPENS, UNCOVERED, WINDOW_RECORDS
from ganwise.doctor.traits import Traits
from ganwise.types import Finding, Record, Score, Verdict

_SOURCES = ("motwani2020selection", "goodfellow2014gan")
_SPREADS = {"spread": "", "spread_features": ", in features"}


def mode_collapse(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Fakes that lie far closer together than real samples do, up to the end of the records; or that cover less than they did."""
    for name, where in _SPREADS.items():
        if found := _narrow(records, traits, name, where):
            return found
    return _uncovering(records, traits)


def _narrow(records: Sequence[Record], traits: Traits, name: str, where: str) -> Finding | None:
    start = opened(records, traits)
    values = [(step, value) for step, value in series(records, name) if step >= start]
    if len(values) < WINDOW_RECORDS:
        return None
    wide = max(value for _, value in values) >= OPEN
    early = traits.running and not wide and values[-1][0] < OPENS
    grades: tuple[tuple[float, Verdict], ...] = ((COLLAPSED, "warning" if early else "failing"), (NARROW, "warning"))
    for limit, severity in grades:
        since = lasting(values, limit)
        if since is not None:
            now = typical(values, since)
            apart = f"two fakes are {now:.2f} times as far apart as two real samples{where}"
            return _finding(traits, severity, since, f"{apart} (median since step {since:,}; limit {limit})")
    return None


def _uncovering(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Coverage that was there and has gone: undertrained samples never had it."""
    start = opened(records, traits)
    values = smoothed([(step, value) for step, value in series(records, "coverage") if step >= start])
    best = max((value for _, value in values), default=0.0)
    since = lasting(values, DROPPED * best) if best >= COVERED else None
    if since is None:
        return None
    now = typical(values, since)
    return _finding(traits, "failing", since, f"coverage is {now:.2f} since step {since:,}, it was {best:.2f} at its best")


def prototypes(scores: Mapping[str, Score], traits: Traits, step: int) -> Finding | None:
    """Samples as good as a mixture's by KID that cover far less of the data: KID alone can't see it."""
    if not {"kid", "coverage"} <= set(scores):
        return None
    kid, coverage = scores["kid"], scores["coverage"]
    limit = UNCOVERED * coverage.yardsticks.get("mixture", 0.0)
    if not (kid.value <= kid.yardsticks.get("mixture", 0.0) and coverage.value < limit):  # NaN is neither
        return None
    evidence = (
        f"coverage is {coverage.value:.2f} (limit {limit:.2f}, half of a Gaussian mixture's) though KID is no worse than its"
    )
    return _finding(traits, "failing", step, evidence, ("naeem2020density",))


def _finding(traits: Traits, severity: Verdict, since: int, evidence: str, sources: tuple[str, ...] = _SOURCES) -> Finding:
    return Finding(
        "mode_collapse", severity, since, evidence, remedies.prescribe(traits.recipe, *remedies.varied(traits)), sources
    )

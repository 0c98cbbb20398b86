"""Vanishing gradients."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ganwise.doctor import remedies
from ganwise.doctor.series import judged, lasting, lasting_above, recovering, series, smoothed
from ganwise.doctor.thresholds import (
    DEAD,
    EARLY_RECORDS,
    EARLY_SHARE,
    FADING,
    FLAT,
    FLAT_CRITIC,
    ROUNDING,
    SURE,
    UNITS,
    WINDOW_RECORDS,
)
from ganwise.doctor.traits import Traits
from ganwise.types import Finding, Record, Verdict

_SOURCES = ("arjovsky2017principled", "motwani2020selection")


def vanishing_gradient(records: Sequence[Record], traits: Traits) -> Finding | None:
    """A player's gradient at zero, or orders of magnitude below its own early median while D is nearly always right."""
    for player, name in (("generator", "grad_g"), ("discriminator", "grad_d")):
        found = _fading(records, traits, player, name)
        if found:
            return found
    return _flat(records, traits) or _silent(records, traits) or _dead(records, traits)


def _fading(records: Sequence[Record], traits: Traits, player: str, name: str) -> Finding | None:
    values, looked = series(records, name), judged(records, traits, name)
    early = [value for step, value in values if step <= EARLY_SHARE * values[-1][0]]
    if len(looked) < WINDOW_RECORDS:
        return None
    usual = median(early) if len(early) >= EARLY_RECORDS else 0.0  # a gradient of zero needs no comparison
    for limit in (DEAD, FADING):
        since = lasting(looked, limit * usual)
        now = [value for step, value in looked if since is not None and step >= since]
        sure = traits.critic or not any(now) or _sure(records, since or 0)
        if since is None or sure is False:
            continue
        evidence = f"the {player}'s gradient norm is {median(now):.2g} since step {since:,}, early it was {usual:.2g} (medians)"
        evidence += "" if sure else "; accuracy is not recorded, so that this may be convergence"
        severity: Verdict = "failing" if limit == DEAD and sure else "warning"
        return _finding(traits, severity, since, evidence)
    return None


def _sure(records: Sequence[Record], since: int) -> bool | None:
    """Whether D is nearly always right since a step; None where no record tells."""
    names = ("accuracy_real", "accuracy_fake")
    values = [[value for step, value in series(records, name) if step >= since] for name in names]
    return min(median(one) for one in values) >= SURE if all(values) else None


def _flat(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Nearly every fake lies where the generator's loss has no slope."""
    values = smoothed(judged(records, traits, "saturated"))
    since = lasting_above(values, FLAT)
    if since is None:
        return None
    evidence = f"for {median(v for s, v in values if s >= since):.0%} of the fakes the generator's loss has no slope since step"
    severity: Verdict = "warning" if recovering(records, traits) else "failing"
    return _finding(traits, severity, since, f"{evidence} {since:,} (limit {FLAT:.0%})")


def _dead(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Nearly all ReLU units of a player are off whatever comes in: no gradient passes them."""
    for player, name in (("generator", "dead_g"), ("discriminator", "dead_d")):
        values = judged(records, traits, name)
        since = lasting_above(values, UNITS, share_only=True)
        if since is not None:
            now = median(v for s, v in values if s >= since)
            evidence = f"{now:.0%} of the {player}'s units are never set off since step {since:,} (limit {UNITS:.0%})"
            return _finding(traits, "failing", since, evidence)
    return None


def _silent(records: Sequence[Record], traits: Traits) -> Finding | None:
    """A critic that tells nothing apart any more: its estimate has fallen by orders of magnitude, as clipped weights make it."""
    losses = judged(records, traits, "loss_d")
    early = [abs(value) for step, value in series(records, "loss_d") if losses and step <= EARLY_SHARE * losses[-1][0]]
    critic = traits.loss == "wasserstein" or (not traits.loss and not traits.recipe and drifts(losses))
    if not critic or len(losses) < WINDOW_RECORDS:
        return None
    usual = sum(early) / len(early) if len(early) >= EARLY_RECORDS else 0.0
    values = smoothed([(step, abs(value)) for step, value in losses])
    since = lasting(values, max(FLAT_CRITIC * usual, ROUNDING), share_only=True)
    if since is None:
        return None
    now = median(v for s, v in values if s >= since)
    return _finding(traits, "failing", since, f"the critic's |loss| is {now:.2g} since step {since:,}, early it was {usual:.2g}")


def drifts(losses: Sequence[tuple[int, float]]) -> bool:
    """Whether D's loss is that of a critic by its looks: below zero a good part of the time, which no bounded loss is."""
    return sum(value < 0 for _, value in losses) > 0.1 * len(losses)


def _finding(traits: Traits, severity: Verdict, since: int, evidence: str) -> Finding:
    return Finding(
        "vanishing_gradient",
        severity,
        since,
        evidence,
        remedies.prescribe(traits.recipe, *remedies.awake(traits)),
        _SOURCES,
    )

"""Imbalance: one player has won."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ganwise.doctor import remedies
from ganwise.doctor.gradients import drifts
from ganwise.doctor.series import Series, judged, lasting, lasting_above, level, recovering, smoothed, together, typical
from ganwise.doctor.thresholds import (
    BLIND,
    DEAD,
    LEAD,
    MARGIN,
    OVERFIT,
    PACES,
    PINNED,
    PINNED_STEPS,
    SIGNED,
    SURE,
    WINDOW_RECORDS,
)
from ganwise.doctor.traits import Traits
from ganwise.types import Finding, Record, Remedy, Verdict

Sign = tuple[Verdict, int, str, tuple[Remedy, ...], tuple[str, ...]]
_FRAMEWORK = ("motwani2020selection",)
_PRACTICE = ("chintala2016ganhacks", "motwani2020selection")


def imbalance(records: Sequence[Record], traits: Traits) -> Finding | None:
    """A discriminator that is always right, or fooled, or knows its data by heart; a controller at its stop."""
    for look in (_pinned, _leading, _sure, _blind, _overfit, _unpaced):
        if sign := look(records, traits):
            severity, since, evidence, cures, sources = sign
            return Finding("imbalance", severity, since, evidence, remedies.prescribe(traits.recipe, *cures), sources)
    return None


def _leading(records: Sequence[Record], traits: Traits) -> Sign | None:
    """D's loss near nothing while G's is not. A ratio of the two needs neither the loss's name nor its scale.

    With log losses D's is about exp(-s) and G's about s at a gap of s between logits, so that the ratio grows with the gap alone.
    """
    values = leads(records, traits)
    since = lasting_above(values, LEAD, share_only=True)
    if since is None:
        return None
    now = typical(values, since)
    evidence = f"D's loss is {min(now, 9999):.0f} times smaller than G's since step {since:,} (limit {LEAD:g}): D has won"
    severity: Verdict = "warning" if recovering(records, traits) and now < 1 / DEAD else "failing"
    return severity, since, evidence, remedies.weaker(traits), _PRACTICE


def leads(records: Sequence[Record], traits: Traits) -> Series:
    """G's loss over D's, of averaged losses; of the minimax game, whose G's loss vanishes too, D's at a draw over D's.

    Empty where the losses' ratio says nothing: of critics, of energies, and of unknown losses that fall below zero.
    """
    rows = together(records, traits, "loss_d", "loss_g")
    own = [(step, d) for step, (d, _) in rows]
    silent = traits.critic or traits.energy or traits.loss in ("f-gan", "feature-matching")
    if silent or len(rows) < WINDOW_RECORDS or drifts(own):
        return []
    even = traits.even if traits.saturates else None
    losses = zip(smoothed(own), smoothed([(step, g) for step, (_, g) in rows]), strict=True)
    least = MARGIN if traits.loss == "hinge" else 0.0
    return [(step, (even or g) / max(d, 1e-12) if even or g > least else 0.0) for (step, d), (_, g) in losses]


def _sure(records: Sequence[Record], traits: Traits) -> Sign | None:
    """Nearly always right on real and on fake samples alike: there is nothing left that the generator could do by chance."""
    if traits.critic:
        return None
    right = [(step, min(pair)) for step, pair in together(records, traits, "accuracy_real", "accuracy_fake")]
    likely = [(step, min(real, 1 - fake)) for step, (real, fake) in together(records, traits, "prob_real", "prob_fake")]
    for values, what in ((right, "is right on {:.1%} of real and fake samples"), (likely, "is {:.1%} sure of both kinds")):
        since = lasting_above(smoothed(values), SURE, share_only=True)
        if since is not None:
            now = typical(values, since)
            evidence = f"D {what.format(now)} since step {since:,} (limit {SURE:.0%}; medians)"
            severity: Verdict = "failing" if _spotless(records, traits, since) else "warning"
            return severity, since, evidence, remedies.weaker(traits), _FRAMEWORK
    return None


def _spotless(records: Sequence[Record], traits: Traits, since: int) -> bool:
    """Right on held-out samples too: no D that knows its data by heart, but supports that do not meet."""
    held = [value for step, value in judged(records, traits, "accuracy_held") if step >= since]
    return len(held) >= WINDOW_RECORDS and fmean(held) >= SURE and not recovering(records, traits)


def _blind(records: Sequence[Record], traits: Traits) -> Sign | None:
    """Fooled by nearly every fake: the generator has found a hole, not the data.

    A D that scores fakes below real samples has only its zero in the wrong place, as in the first steps of healthy runs.
    """
    sign = -1 if traits.energy else 1
    scores = together(records, traits, "score_real", "score_fake")
    gaps = smoothed([(step, sign * (fake - real)) for step, (real, fake) in scores])
    if traits.critic or (gaps and lasting_above(gaps, 0.0) is None):
        return None
    values = smoothed(judged(records, traits, "accuracy_fake"))
    since = lasting(values, BLIND, share_only=True)
    if since is None:
        return None
    now = typical(values, since)
    evidence = f"D sees {now:.1%} of the fakes since step {since:,} (limit {BLIND:.0%}): G has won"
    return "failing", since, evidence, remedies.keener(traits), _PRACTICE


def _overfit(records: Sequence[Record], traits: Traits) -> Sign | None:
    """Right on the images that it is trained with, and not on others."""
    pairs = together(records, traits, "accuracy_real", "accuracy_held")
    values = smoothed([(step, real - held) for step, (real, held) in pairs])
    since = lasting_above(values, OVERFIT)
    if since is not None:
        now = typical(values, since)
        evidence = f"D's accuracy on training samples is {now:.2f} over that on held-out ones since step {since:,}"
        return "warning", since, f"{evidence} (limit {OVERFIT})", remedies.original(traits), ("brock2019biggan", "karras2020ada")
    signs = smoothed(judged(records, traits, "sign_real"))
    since = lasting_above(signs, SIGNED, share_only=True)
    if since is None:
        return None
    now = typical(signs, since)
    evidence = f"the mean sign of D's scores of training images is {now:.2f} since step {since:,} (limit {SIGNED})"
    return "warning", since, evidence, remedies.original(traits), ("karras2020ada",)


def _pinned(records: Sequence[Record], traits: Traits) -> Sign | None:
    """BEGAN's k at one of its stops."""
    values = judged(records, traits, "k")
    last = values[-1][0] if values else 0
    for low, since in ((True, lasting(values, PINNED)), (False, lasting_above(values, 1 - PINNED))):
        if since is not None and (last - since >= PINNED_STEPS or traits.coarse):
            evidence = f"k is at {0 if low else 1} since step {since:,}: the controller can't hold the balance"
            return "failing", since, evidence, remedies.released(traits, low), ("berthelot2017began",)
    return None


def _unpaced(records: Sequence[Record], traits: Traits) -> Sign | None:
    """One player moves many times as far as the other, by its own measure; of critics that is no sign, which are clipped."""
    if traits.critic:
        return None
    rows = [(step, d / g) for step, (d, g) in together(records, traits, "update_d", "update_g") if d > 0 and g > 0]
    for faster, since in (("D", lasting_above(smoothed(rows), PACES)), ("G", lasting(smoothed(rows), 1 / PACES))):
        if since is not None:
            now = level(rows, since)
            times = now if faster == "D" else 1 / now
            evidence = (
                f"{faster}'s weights move {times:.0f} times as far as the other player's since step {since:,} (limit {PACES:g})"
            )
            cures = remedies.weaker(traits) if faster == "D" else remedies.keener(traits)
            return "failing", since, evidence, cures, _FRAMEWORK
    return None

"""Values that are not finite, and training that jumps, swings or grows without bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isfinite
from statistics import fmean, median, pstdev

from ganwise.doctor import remedies
from ganwise.doctor.diversity import mode_collapse
from ganwise.doctor.gradients import drifts, vanishing_gradient
from ganwise.doctor.series import Series, judged, lasting_above, level, series, smoothed, warmed_up
from ganwise.doctor.thresholds import (
    BLOWN,
    CHUNKS,
    EARLY_RECORDS,
    EARLY_SHARE,
    ERRATIC,
    GRADIENT,
    GROWN,
    HASTY,
    LARGE,
    RESTLESS,
    RUNAWAY,
    SPIKE,
    SPIKES,
    STEEP,
    SWOLLEN,
    WINDOW_RECORDS,
    WINDOW_SHARE,
)
from ganwise.doctor.traits import Traits
from ganwise.types import Finding, Record, Verdict

_PRACTICE = ("chintala2016ganhacks", "motwani2020selection")
PLAYERS = {"d": "discriminator", "g": "generator"}
Sign = tuple[Verdict, int, str]


def not_finite(records: Sequence[Record], traits: Traits) -> Finding | None:
    """A signal that is not a number or infinite, at the first step that shows one."""
    for record in records:
        broken = [f"{name} is {value}" for name, value in record.signals.items() if not isfinite(value)]
        if broken:
            cures = remedies.prescribe(traits.recipe, *remedies.broken(traits))
            evidence = f"{', '.join(broken)} at step {record.step:,}"
            return Finding("not_finite", "failed", record.step, evidence, cures, ("chintala2016ganhacks",))
    return None


def instability(records: Sequence[Record], traits: Traits) -> Finding | None:
    """The first sign of: losses or gradients that grow, singular values that grow, steps too long, swings, spikes."""
    for look in (_growing, _blown, _swelling, _hasty, _restless, _spiking):
        if sign := look(records, traits):
            severity, since, evidence = sign
            cures = remedies.prescribe(traits.recipe, *remedies.steadied(traits))
            return Finding("instability", severity, since, evidence, cures, _PRACTICE)
    return None


def _early(records: Sequence[Record], name: str) -> float | None:
    """The median of |signal| in the early part; None where that holds too little."""
    values = series(records, name)
    early = [abs(value) for step, value in values if step <= EARLY_SHARE * values[-1][0]]
    return median(early) if len(early) >= EARLY_RECORDS else None


def _above(values: Series, limit: float, words: Callable[[float], str], severity: Verdict = "failing") -> Sign | None:
    """A sign where the averaged values stay above a limit up to the end."""
    since = lasting_above(smoothed(values), limit)
    if since is None:
        return None
    return severity, since, f"{words(level(values, since))} since step {since:,} (limit {limit:.3g})"


def _growing(records: Sequence[Record], traits: Traits) -> Sign | None:
    for key, player in PLAYERS.items():
        early = _early(records, f"grad_{key}")
        most = RUNAWAY if traits.recipe else inf
        limit = most if early is None else min(most, max(GRADIENT, GROWN * early))
        said = "early too few were recorded" if early is None else f"early it was {early:.2g}"
        grown = _above(
            judged(records, traits, f"grad_{key}"),
            limit,
            lambda now, player=player, said=said: f"the {player}'s gradient norm is {now:.2g} ({said})",  # type: ignore[misc]
        )
        if grown:
            return grown
    return None


def _blown(records: Sequence[Record], traits: Traits) -> Sign | None:
    """Losses far above where they began; a critic's scores, and so its losses, may drift."""
    if traits.critic or traits.energy or drifts(judged(records, traits, "loss_d")):
        return None
    early = _early(records, "loss_d")
    if not early:
        return None
    limit = max(BLOWN * early, BLOWN)
    return _above(judged(records, traits, "loss_d"), limit, lambda now: f"D's loss is {now:.3g}, early it was {early:.2g}")


def _swelling(records: Sequence[Record], traits: Traits) -> Sign | None:
    slopes = judged(records, traits, "sigma_d")
    steep = _above(slopes, STEEP, lambda now: f"the discriminator's top singular value is {now:.3g}")
    if steep:
        return steep
    for key, player in PLAYERS.items():
        early = _early(records, f"sigma_{key}")
        if early:
            swollen = _above(
                judged(records, traits, f"sigma_{key}"),
                SWOLLEN * early,
                lambda now, player=player, early=early: f"the {player}'s top singular value is {now:.2g}, early {early:.2g}",  # type: ignore[misc]
            )
            if swollen:
                return swollen
    return None


def _hasty(records: Sequence[Record], traits: Traits) -> Sign | None:
    """Updates too long for the weights, which a critic's clipping makes of any; at the start they leave large weights behind."""
    early = [record for record in records if record.step <= warmed_up(records, traits)]
    for key, player in PLAYERS.items():
        grown = [value for _, value in series(early, f"sigma_{key}")]
        if grown and max(grown) > LARGE:
            said = f"the {player}'s top singular value is {max(grown):.3g} while the run warms up (limit {LARGE:g})"
            return _harm(records, traits), early[0].step, f"{said}: its first steps were too long"
        moves = [] if traits.critic else [value for _, value in series(early, f"update_{key}")]
        if len(moves) >= WINDOW_RECORDS and median(moves) > HASTY:
            said = f"one update moves the {player} by {median(moves):.1%} of its weights' norm while the run warms up"
            return _harm(records, traits), early[0].step, f"{said} (limit {HASTY:.0%})"
        hasty = _above(
            [] if traits.critic else judged(records, traits, f"update_{key}"),
            HASTY,
            lambda now, player=player: f"one update moves the {player} by {now:.1%} of its weights' norm",  # type: ignore[misc]
            "warning",
        )
        if hasty:
            return hasty
    return None


def _harm(records: Sequence[Record], traits: Traits) -> Verdict:
    """How bad too long first steps were: some runs come through them, and in others the generator is dead or collapsed since."""
    harmed = (look(records, traits) for look in (vanishing_gradient, mode_collapse))
    return "failing" if any(found and found.severity == "failing" for found in harmed) else "warning"


def _restless(records: Sequence[Record], traits: Traits) -> Sign | None:
    """D's loss deviates from its mean by as much as that mean: it is near nothing and jumps again and again.

    Asked where losses are all there is: small batches alone do that to the loss of a D that is nearly always right.
    """
    values = judged(records, traits, "loss_d")
    if traits.critic or traits.energy or drifts(values) or judged(records, traits, "accuracy_fake"):
        return None
    swings = unrest(values)
    grades: tuple[tuple[float, Verdict], ...] = ((ERRATIC, "failing"), (RESTLESS, "warning"))
    for limit, severity in grades:
        high = [step for step, swing in swings if swing < limit]
        since = next((step for step, _ in swings if not high or step > high[-1]), None)
        if since is not None:
            said = f"D's loss has a deviation of {swings[-1][1]:.2f} times its mean since step {since:,} (limit {limit:g})"
            return severity, since, f"{said}: a working run's has low variance"
    return None


def unrest(values: Series) -> Series:
    """Deviation over mean within parts, each value the median of the parts of a window."""
    size = max(2 * EARLY_RECORDS, len(values) // CHUNKS)
    parts = [values[i : i + size] for i in range(len(values) % size, len(values), size)]
    swings = [(part[-1][0], _variation([value for _, value in part])) for part in parts]
    width = max(WINDOW_RECORDS, round(WINDOW_SHARE * len(swings)))
    return [(swings[i][0], median(swing for _, swing in swings[i + 1 - width : i + 1])) for i in range(width - 1, len(swings))]


def _variation(values: Sequence[float]) -> float:
    mean = fmean(values)
    return pstdev(values) / mean if mean > 0 else 0.0


def _spiking(records: Sequence[Record], traits: Traits) -> Sign | None:
    """Gradients that jump again and again far above what was usual just before."""
    for key, player in PLAYERS.items():
        values = judged(records, traits, f"grad_{key}")
        spikes = _spikes(values)
        last = values[-1][0] if values else 0
        if len(spikes) >= SPIKES and spikes[-1] >= last / 2:
            said = f"the {player}'s gradient norm jumped {len(spikes)} times to over {SPIKE:g} times its running median"
            return "warning", spikes[0], f"{said}, last at step {spikes[-1]:,}"
    return None


def _spikes(values: Series, width: int = 25) -> list[int]:
    """Steps whose value is far above the median of the values before it."""
    found = []
    for i in range(max(WINDOW_RECORDS, width), len(values)):
        usual = median(value for _, value in values[i - width : i])
        if usual > 0 and values[i][1] > SPIKE * usual:
            found.append(values[i][0])
    return found

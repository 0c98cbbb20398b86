"""Diagnosis of a run from its records: pure detectors, each with its thresholds, their origin, and remedies for the recipe.

Thresholds marked (L) are from the literature or practice, (O) are ours, to be calibrated on runs known to be good or bad.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from statistics import median
from typing import Any, NamedTuple

from ganwise import ramp
from ganwise.catalog import LOSSES, check, own_divergence
from ganwise.recipe import Choice, Recipe, change
from ganwise.types import Finding, Problem, Record, Remedy, Score, Unusable, Value, Verdict

WARM_UP_STEPS, WARM_UP_SHARE = 200, 0.1  # (O) neither is judged: the first steps of healthy runs look like sick ones
WINDOW_STEPS, WINDOW_SHARE, WINDOW_RECORDS = 500, 0.2, 3  # (O) a sign has to last this long, of a short run a fifth
TOLERANCE = 0.1  # (O) share of records in a lasting sign that may look healthy
EARLY_SHARE, EARLY_RECORDS = 0.2, 5  # (O) the part of a run that later gradients are compared with
COLLAPSED, NARROW = 0.25, 0.5  # (O) spread of fakes over spread of real samples: failing, warning
OPENS = 1_500  # (O) steps: fakes of the original GAN on digits spread .12 until 600 and .8 at 1,400, least squares' later
OPEN = 0.5  # (O) spread that counts as having been diverse
BEGAN_OPENS = 3_000  # (O) steps: BEGAN draws one face for every latent for 1,500 to 3,000 steps, then diversity opens
DEAD, FADING = 1e-3, 1e-2  # (O) of the early median gradient; five orders of magnitude in 4,000 steps are reported (L)
SURE = 0.99  # (O) accuracy of a discriminator that has won
FASTEST = 1e-3  # (O) the largest learning rate in the catalog: half of an absurd one would still be absurd
UNCOVERED = 0.5  # (O) of the Gaussian mixture's coverage: ten prototypes have .16 against its .81 at a better KID, a real GAN .88
COPYING, COPIES = 0.95, 0.8  # (O) nearest training image against that of test images: warning, failing

_VANISHING = ("arjovsky2017principled", "motwani2020selection")
_COLLAPSE = ("motwani2020selection", "goodfellow2014gan")

Changes = dict[str, Value]
Series = list[tuple[int, float]]


class Traits(NamedTuple):
    """What detectors need to know about the recipe; the defaults hold where there is none."""

    critic: bool = False  # the loss measures convergence: accuracy says nothing about it
    saturates: bool = False
    dial: bool = False  # its gamma trades diversity for sharpness, and diversity opens late
    divergent: bool = False  # it takes a divergence as its argument
    recipe: Recipe | None = None
    running: bool = False  # more records are to come

    @classmethod
    def of(cls, recipe: Recipe | None, running: bool = False) -> Traits:
        if recipe is None or recipe.loss.name not in LOSSES:
            return cls(running=running)
        loss, own = LOSSES[recipe.loss.name], own_divergence(recipe.loss.name)
        measures, saturates = (bool(loss.traits.get(trait)) for trait in ("measures_convergence", "saturates"))
        return cls(measures, saturates, "gamma" in loss.options, own is None, recipe, running)


Detector = Callable[[Sequence[Record], Traits], Finding | None]


class Watch(NamedTuple):
    """A detector, the signals of which it needs at least one, and the step from which it reads them."""

    problem: Problem
    reads: tuple[str, ...]
    start: Callable[[Sequence[Record], Traits], int]
    detect: Detector


class Diagnosis(NamedTuple):
    """``unknown`` says that too little was recorded to call the run healthy."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    not_judged: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        findings = [
            {**one._asdict(), "remedies": [{**r._asdict(), "change": dict(r.change)} for r in one.remedies]}
            for one in self.findings
        ]
        return {"verdict": self.verdict, "findings": findings, "not_judged": list(self.not_judged)}


def diagnose(
    records: Sequence[Record], recipe: Recipe | None = None, scores: Sequence[Score] = (), *, running: bool = False
) -> Diagnosis:
    """What is wrong with a run, so far as its records and scores tell. Without a recipe nothing is assumed about the loss.

    Of a ``running`` one it is only a warning that its samples have not become diverse yet.
    """
    traits = Traits.of(recipe, running)
    findings = tuple(found for watch in WATCHES if (found := watch.detect(records, traits)))
    findings += examine({score.metric: score for score in scores}, traits, records[-1].step if records else 0)
    gaps = {watch.problem: gap for watch in WATCHES if (gap := _gap(watch, records, traits))}
    not_judged = tuple(f"{problem}: {gap}" for problem, gap in gaps.items())
    return Diagnosis(_verdict(findings, len(gaps)), findings, not_judged)


def _verdict(findings: Sequence[Finding], gaps: int) -> Verdict:
    """The worst finding. Finite numbers alone prove no health, so that a run judged on nothing else is unknown."""
    severities = {finding.severity for finding in findings}
    for worst in ("failed", "failing", "warning"):
        if worst in severities:
            return worst
    return "unknown" if gaps >= len(WATCHES) - 1 else "healthy"


def _gap(watch: Watch, records: Sequence[Record], traits: Traits) -> str | None:
    """Why a problem can't be judged; None where it can."""
    if not watch.reads:
        return None if any(record.signals for record in records) else "nothing is recorded"
    start = watch.start(records, traits)
    counts = [sum(step >= start for step, _ in series(records, name)) for name in watch.reads]
    if max(counts) >= WINDOW_RECORDS:
        return None
    return f"fewer than {WINDOW_RECORDS} records from step {start:,} on hold {' or '.join(watch.reads)}"


def series(records: Sequence[Record], name: str) -> Series:
    """The finite values of one signal with their steps."""
    values = ((record.step, record.signals.get(name)) for record in records)
    return [(step, value) for step, value in values if value is not None and isfinite(value)]


def warmed_up(records: Sequence[Record], traits: Traits) -> int:
    """The first step whose looks count."""
    return max(WARM_UP_STEPS, round(WARM_UP_SHARE * records[-1].step)) if records else WARM_UP_STEPS


def opened(records: Sequence[Record], traits: Traits) -> int:
    """The first step at which samples should be diverse."""
    usual = warmed_up(records, traits)
    return max(usual, BEGAN_OPENS) if traits.dial else usual


def lasting(values: Series, limit: float) -> int | None:
    """The step since which nearly all values are at most ``limit``; None where that is no full window up to the end."""
    last = values[-1][0] if values else 0
    begin = last - min(WINDOW_STEPS, WINDOW_SHARE * last)
    recent = [value > limit for step, value in values if step >= begin]
    if len(recent) < WINDOW_RECORDS or values[0][0] > begin or sum(recent) > TOLERANCE * len(recent):
        return None
    since, healthy = last, 0
    for seen, (step, value) in enumerate(reversed(values), 1):
        healthy += value > limit
        if value <= limit and healthy <= TOLERANCE * seen:
            since = step
    return since


def not_finite(records: Sequence[Record], traits: Traits) -> Finding | None:
    """A signal that is not a number or infinite, at the first step that shows one."""
    for record in records:
        broken = [f"{name} is {value}" for name, value in record.signals.items() if not isfinite(value)]
        if broken:
            remedies = prescribe(traits.recipe, *_broken(traits))
            evidence = f"{', '.join(broken)} at step {record.step:,}"
            return Finding("not_finite", "failed", record.step, evidence, remedies, ("chintala2016ganhacks",))
    return None


def vanishing_gradient(records: Sequence[Record], traits: Traits) -> Finding | None:
    """A player's gradient at zero, or orders of magnitude below its own early median while D is nearly always right."""
    for player, name in (("generator", "grad_g"), ("discriminator", "grad_d")):
        found = _fading(records, traits, player, name)
        if found:
            return found
    return None


def _fading(records: Sequence[Record], traits: Traits, player: str, name: str) -> Finding | None:
    values = series(records, name)
    judged = [(step, value) for step, value in values if step >= warmed_up(records, traits)]
    early = [value for step, value in values if step <= EARLY_SHARE * values[-1][0]]
    if len(judged) < WINDOW_RECORDS or len(early) < EARLY_RECORDS:
        return None
    usual = median(early)
    for limit in (DEAD, FADING):
        since = lasting(judged, limit * usual)
        now = [value for step, value in judged if since is not None and step >= since]
        sure = traits.critic or not any(now) or _sure(records, since or 0)
        if since is None or sure is False:
            continue
        evidence = f"the {player}'s gradient norm is {median(now):.2g} since step {since:,}, early it was {usual:.2g} (medians)"
        evidence += "" if sure else "; accuracy is not recorded, so that this may be convergence"
        severity: Verdict = "failing" if limit == DEAD and sure else "warning"
        return Finding("vanishing_gradient", severity, since, evidence, prescribe(traits.recipe, *_awake(traits)), _VANISHING)
    return None


def _sure(records: Sequence[Record], since: int) -> bool | None:
    """Whether D is nearly always right since a step; None where no record tells."""
    names = ("accuracy_real", "accuracy_fake")
    values = [[value for step, value in series(records, name) if step >= since] for name in names]
    return min(median(one) for one in values) >= SURE if all(values) else None


def mode_collapse(records: Sequence[Record], traits: Traits) -> Finding | None:
    """Fakes that lie far closer together than real samples do, up to the end of the records."""
    start = opened(records, traits)
    judged = [(step, value) for step, value in series(records, "spread") if step >= start]
    if len(judged) < WINDOW_RECORDS:
        return None
    wide = max(value for _, value in judged) >= OPEN
    early = traits.running and not wide and judged[-1][0] < OPENS
    grades: tuple[tuple[float, Verdict], ...] = ((COLLAPSED, "warning" if early else "failing"), (NARROW, "warning"))
    for limit, severity in grades:
        since = lasting(judged, limit)
        if since is not None:
            now = median(value for step, value in judged if step >= since)
            apart = f"two fakes are {now:.2f} times as far apart as two real samples"
            evidence = f"{apart} (median since step {since:,}; limit {limit})"
            return Finding("mode_collapse", severity, since, evidence, prescribe(traits.recipe, *_varied(traits)), _COLLAPSE)
    return None


def examine(scores: Mapping[str, Score], traits: Traits, step: int) -> tuple[Finding, ...]:
    """What only the scores of the finished model show: a few perfect prototypes, or copies of the training images."""
    return tuple(found for look in (_prototypes, _copies) if (found := look(scores, traits, step)))


def _prototypes(scores: Mapping[str, Score], traits: Traits, step: int) -> Finding | None:
    """Samples as good as a mixture's by KID that cover far less of the data: KID alone can't see it."""
    if not {"kid", "coverage"} <= set(scores):
        return None
    kid, coverage = scores["kid"], scores["coverage"]
    limit = UNCOVERED * coverage.yardsticks.get("mixture", 0.0)
    if kid.value > kid.yardsticks.get("mixture", 0.0) or coverage.value >= limit:
        return None
    evidence = (
        f"coverage is {coverage.value:.2f} (limit {limit:.2f}, half of a Gaussian mixture's) though KID is no worse than its"
    )
    return Finding("mode_collapse", "failing", step, evidence, prescribe(traits.recipe, *_varied(traits)), ("naeem2020density",))


def _copies(scores: Mapping[str, Score], traits: Traits, step: int) -> Finding | None:
    """Both signs are asked for: blurred samples are near to every image, and few test images make the other one noisy."""
    if not {"memorization", "novelty"} <= set(scores) or scores["novelty"].features != "pixels[0,1]":
        return None
    near, new = scores["memorization"].value, scores["novelty"].value
    if max(near, new) >= COPYING:
        return None
    evidence = f"the nearest training image is {near:.2f} times as far away as for a test image, and {new:.2f} times when the "
    evidence += f"nearest test image is taken into account ({scores['novelty'].protocol})"
    severity: Verdict = "failing" if max(near, new) < COPIES else "warning"
    gamma = next((r.options["gamma"] for r in _regularizers(traits) if r.name == "r1" and "gamma" in r.options), None)
    stronger = Remedy(
        {"regularizers.r1.gamma": ramp.scaled(gamma, 2.0)} if gamma else {},
        "a stronger penalty keeps the discriminator from learning the training images by heart",
        ("karras2020ada",),
    )
    varied = Remedy(
        {"augmentation.name": "ada"} if traits.recipe and not traits.recipe.augmentation else {},
        "random changes of all images that the discriminator sees, real or made, leave it nothing to learn by heart",
        ("karras2020ada", "zhao2020diffaugment"),
    )
    remedies = prescribe(traits.recipe, stronger, varied, _tamed(traits.recipe))
    return Finding("memorization", severity, step, evidence, remedies, ("karras2020ada",))


def _regularizers(traits: Traits) -> tuple[Choice, ...]:
    return traits.recipe.regularizers if traits.recipe else ()


def prescribe(recipe: Recipe | None, *remedies: Remedy) -> tuple[Remedy, ...]:
    """The remedies that make of this recipe others that the catalog accepts, each another; all where there is no recipe."""
    found: dict[Recipe | int, Remedy] = {}
    for number, remedy in enumerate(one for one in remedies if one.change):
        made = number if recipe is None else _changed(recipe, remedy.change)
        if made is not None and made != recipe:
            found.setdefault(made, remedy)
    return tuple(found.values())


def _changed(recipe: Recipe, changes: Mapping[str, Value]) -> Recipe | None:
    """The recipe after a remedy; None where the catalog refuses it."""
    try:
        changed = change(recipe, changes)
        check(changed)
    except Unusable:
        return None
    return changed


def _slower(recipe: Recipe | None, *players: str) -> Remedy:
    """Half the learning rate of each player named, a sane one at most; nothing where the rate is unknown."""
    changes: Changes = {}
    if recipe:
        rates = {one: getattr(recipe.schedule, one).learning_rate for one in players}
        changes = {f"schedule.{one}.learning_rate": ramp.scaled(rate, 0.5, FASTEST) for one, rate in rates.items()}
    because = "smaller steps: tuning the learning rate changes more than changing the loss"
    return Remedy(changes, because, ("lucic2018equal", "motwani2020selection"))


def _penalized(recipe: Recipe | None, loss: str | None = None) -> Changes:
    """R1 put in the place of what does not go with it, and another loss where one is named."""
    names = {r.name for r in recipe.regularizers} if recipe else set()
    changes: Changes = {"loss.name": loss} if loss else {}
    changes["regularizers.r1"] = True
    if "weight-clipping" in names:
        changes["regularizers.weight-clipping"] = False
    if recipe and recipe.architecture.options.get("discriminator_norm") == "batch":
        changes["architecture.discriminator_norm"] = "none"
    return changes


def _tamed(recipe: Recipe | None) -> Remedy:
    because = "a zero-centered penalty on real data bounds the discriminator's slope, and training then converges locally"
    return Remedy(_penalized(recipe), because, ("mescheder2018converge",))


def _broken(traits: Traits) -> tuple[Remedy, ...]:
    """Against values that are not finite."""
    sturdy = Remedy(
        {"divergence.name": "gan"} if traits.divergent else {},
        "conjugates with an exponential or a pole overflow; that of the original GAN's divergence does not",
        ("nowozin2016fgan",),
    )
    return sturdy, _slower(traits.recipe, "discriminator", "generator"), _tamed(traits.recipe)


def _awake(traits: Traits) -> tuple[Remedy, ...]:
    """Against vanishing gradients: a loss that stays alive first, a weaker discriminator last."""
    recipe = traits.recipe
    alive = Remedy(
        {"loss.name": "non-saturating"} if traits.saturates or not recipe else {},
        "a loss whose gradient does not vanish when the discriminator wins is the cure to prefer",
        ("goodfellow2014gan", "motwani2020selection"),
    )
    clipped = recipe is not None and any(r.name == "weight-clipping" for r in recipe.regularizers)
    unclipped = Remedy(
        {"regularizers.weight-clipping": False, "regularizers.gradient-penalty": True} if clipped else {},
        "clipped weights let gradients die layer by layer; a gradient penalty keeps the slope near one",
        ("gulrajani2017wgangp",),
    )
    several = recipe is not None and recipe.schedule.discriminator_steps > 1 and not traits.critic
    fewer = Remedy(
        {"schedule.discriminator_steps": 1} if several else {},
        "a discriminator that moves as often as the generator wins later",
        ("motwani2020selection",),
    )
    return alive, unclipped, _tamed(recipe), fewer, _slower(recipe, "discriminator")


def _varied(traits: Traits) -> tuple[Remedy, ...]:
    """Against collapse: BEGAN has its own dial; elsewhere losses of pairs with a penalty, then smaller steps."""
    recipe = traits.recipe
    smaller = _slower(recipe, "discriminator", "generator")
    if traits.dial:
        return Remedy({"loss.gamma": 0.7}, "a higher gamma is BEGAN's dial toward diversity", ("berthelot2017began",)), smaller
    covering = Remedy(
        {"divergence.name": "kl"} if traits.divergent else {},
        "Kullback-Leibler of data from model covers every mode",
        ("nowozin2016fgan",),
    )
    pairs = Remedy(
        _penalized(recipe, "relativistic"),
        "losses that judge fakes one by one have bad minima that drop modes; losses of pairs have none, and R1 steadies them",
        ("sun2020landscape", "huang2024r3gan"),
    )
    return _tamed(recipe), covering, pairs, smaller


WATCHES: tuple[Watch, ...] = (
    Watch("not_finite", (), lambda records, traits: 0, not_finite),
    Watch("vanishing_gradient", ("grad_g", "grad_d"), warmed_up, vanishing_gradient),
    Watch("mode_collapse", ("spread",), opened, mode_collapse),
)

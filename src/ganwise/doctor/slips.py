"""Settings that no recipe of the catalog comes near: in a sick run they are the first thing to set right."""

from __future__ import annotations

from math import inf

from ganwise import ramp
from ganwise.catalog import AUTO, options
from ganwise.doctor.thresholds import BATCH, FASTEST, FASTEST_SGD, FEWEST, HEAVY, HURRIED, LOPSIDED, STRAYED
from ganwise.doctor.traits import Traits
from ganwise.recipe import Choice, Recipe
from ganwise.types import Remedy, Value

USUAL = {"adam": FASTEST, "rmsprop": FASTEST, "sgd": FASTEST_SGD}

Changes = dict[str, Value]
PLAYERS = ("discriminator", "generator")


def slip(recipe: Recipe) -> Remedy | None:
    """All of them set right at once; None where there is none. Not a finding: odd settings may work, a sick run's come first."""
    changes = {**_rates(recipe), **_momenta(recipe), **_batch(recipe), **_options(recipe)}
    because = "settings far from those of any recipe in the catalog come before all finer causes"
    return Remedy(changes, because, ("lucic2018equal", "motwani2020selection")) if changes else None


def _most(rate: float | str) -> float:
    return ramp.ends(rate)[1]


def _rates(recipe: Recipe) -> Changes:
    """No rate above the usual; where the players' rates lie far apart, the faster one's for both, and a step each."""
    schedule, critic = recipe.schedule, Traits.of(recipe).critic
    rates = {one: getattr(schedule, one).learning_rate for one in PLAYERS}
    usual = {one: USUAL[getattr(schedule, one).name] for one in PLAYERS}
    slow, fast = sorted(PLAYERS, key=lambda one: _most(rates[one]))
    if schedule.discriminator.name != schedule.generator.name or _most(rates[fast]) < LOPSIDED * _most(rates[slow]):
        slips = [one for one in PLAYERS if _most(rates[one]) > HURRIED * usual[one]]
        return {f"schedule.{one}.learning_rate": ramp.scaled(rates[one], 1.0, usual[one]) for one in slips}
    even: Changes = {f"schedule.{one}.learning_rate": ramp.scaled(rates[fast], 1.0, usual[one]) for one in PLAYERS}
    steps = [f"schedule.{one}_steps" for one in PLAYERS if getattr(schedule, f"{one}_steps") > 1]
    return even | dict.fromkeys(() if critic else steps, 1)


def _momenta(recipe: Recipe) -> Changes:
    players = {one: getattr(recipe.schedule, one) for one in PLAYERS}
    heavy = [one for one, settings in players.items() if settings.name != "adam" and ramp.ends(settings.momentum)[1] >= HEAVY]
    return {f"schedule.{one}.momentum": 0.0 for one in heavy}


def _batch(recipe: Recipe) -> Changes:
    return {"schedule.batch": BATCH} if recipe.schedule.batch < FEWEST else {}


def _options(recipe: Recipe) -> Changes:
    """Options of the loss and the regularizers, back to their defaults; a measured margin, back to being measured."""
    changes = {f"loss.{name}": value for name, value in _strayed("loss", recipe.loss).items()}
    for pick in recipe.regularizers:
        changes |= {f"regularizers.{pick.name}.{name}": value for name, value in _strayed("regularizers", pick).items()}
    return changes


def _strayed(axis: str, pick: Choice) -> Changes:
    defaults = options(axis, Choice(name=pick.name))  # type: ignore[arg-type]
    return {name: defaults[name] for name, value in pick.options.items() if _strays(value, defaults[name])}


def _strays(value: Value, default: Value) -> bool:
    if default == AUTO:
        return value != AUTO
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isinstance(default, (int, float)) or not default:
        return False
    ratio = abs(value / default)
    return max(ratio, 1 / ratio if ratio else inf) > STRAYED

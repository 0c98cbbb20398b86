"""The named GANs ranked for this application, and the diverse short list of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ganwise.catalog import AUGMENTATIONS, AUTO, RECIPES, own_divergence, unlabeled, unshaped
from ganwise.knowledge import Rule
from ganwise.recipe import Choice, Recipe
from ganwise.select.judge import Reason, reasons, removal, score
from ganwise.select.space import Tags, tags_of_recipe, variants
from ganwise.shapes import takes
from ganwise.types import Shape, Value

PER_IDEA = 2  # of one divergence on the short list: a race of variants shows little. The bare baseline does not count


class Candidate(NamedTuple):
    """A named GAN with an architecture that fits the data."""

    name: str
    recipe: Recipe
    rank: int
    score: float
    reasons: tuple[Reason, ...]


class Excluded(NamedTuple):
    """A named GAN that is not considered, and the rule that says so."""

    name: str
    rule: str
    because: str
    sources: tuple[str, ...]


class Option(NamedTuple):
    """A candidate before it has a rank."""

    name: str
    recipe: Recipe
    tags: Tags
    score: float
    lead: bool  # with the architecture of first choice; others only fill places that are left
    kept: bool
    removed: Reason | None


def options(shape: Shape, rules: Sequence[Rule], facts: Mapping[str, Value]) -> list[Option]:
    """Every named GAN with every architecture that fits, best first; equals stay in the catalog's order."""
    found = [option for name in RECIPES if not _unlabeled(name, facts) for option in _of_recipe(name, shape, rules)]
    found += [option for one in found for option in _augmented(one, rules)]
    return sorted(found, key=lambda option: -option.score)


def _unlabeled(name: str, facts: Mapping[str, Value]) -> str | None:
    """Why the data's labels don't suffice for a named GAN."""
    recipe = RECIPES[name].recipe
    return unlabeled(recipe, int(facts["n_classes"]), float(facts["labeled_share"])) if recipe else None


def _of_recipe(name: str, shape: Shape, rules: Sequence[Rule]) -> list[Option]:
    made = [(recipe, tags_of_recipe(name, recipe)) for recipe in variants(name, shape)]
    made.sort(key=lambda pair: -_architecture_score(pair[1], rules))
    kept = any(frozenset({f"recipe.{name}"}) in rule.effects.get("keeps", ()) for rule in rules)
    found = []
    for place, (recipe, tags) in enumerate(made):
        label = f"{name}-{recipe.architecture.name}" if place else name
        probe = place == 1 and kept and recipe.regularizers  # the strong default asks question 1 in earnest
        found.append(_option(label, recipe, tags, rules, lead=place == 0 or bool(probe), kept=kept and place == 0))
    return found


def _option(label: str, recipe: Recipe, tags: Tags, rules: Sequence[Rule], lead: bool, kept: bool) -> Option:
    asked = ([rule for rule in rules if rule.question == question] for question in (1, 2, 3, 4))
    removed = next((reason for some in asked if (reason := removal(some, tags))), None)
    return Option(label, recipe, tags, score(rules, tags), lead, kept, removed)


def _augmented(option: Option, rules: Sequence[Rule]) -> list[Option]:
    """The strong default also with the augmentation that rules prefer most for these data, where they prefer any."""
    if not (option.kept and option.recipe.regularizers):
        return []
    tags = {name: frozenset({f"augmentation.{name}"}) for name in AUGMENTATIONS}
    best = max(tags, key=lambda name: score(rules, tags[name]), default=None)
    if best is None or score(rules, tags[best]) <= 0:
        return []
    recipe = option.recipe.model_copy(update={"augmentation": Choice(name=best)})
    return [_option(f"{option.name}-{best}", recipe, option.tags | tags[best], rules, lead=True, kept=False)]


def _architecture_score(tags: Tags, rules: Sequence[Rule]) -> float:
    return score((rule for rule in rules if rule.question == 1 and "requires" not in rule.effects), tags)


def shorten(ranked: Sequence[Option], limit: int) -> list[Option]:
    """At most ``limit`` of the options that survived, few of one idea, with those that a rule keeps."""
    picked = [option for option in ranked if option.kept][:limit] if limit > 1 else []
    ideas = Counter(_idea(option.recipe) for option in picked if option.recipe.regularizers)
    for option in sorted(ranked, key=lambda option: not option.lead):
        idea = _idea(option.recipe)
        if option in picked or option.removed or ideas[idea] >= PER_IDEA or len(picked) >= limit:
            continue
        picked.append(option)
        ideas[idea] += 1
    return [option for option in ranked if option in picked]


def _idea(recipe: Recipe) -> str:
    """The divergence that its loss minimizes, or f-gan for all that take one."""
    return own_divergence(recipe.loss.name) or recipe.loss.name


def candidates(picked: Sequence[Option], rules: Sequence[Rule]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(option.name, option.recipe, rank, option.score, reasons(rules, option.tags))
        for rank, option in enumerate(picked, 1)
    )


def excluded(ranked: Sequence[Option], shape: Shape, facts: Mapping[str, Value]) -> tuple[Excluded, ...]:
    """Each named GAN of which no variant survived."""
    found = []
    for name, entry in RECIPES.items():
        mine = [option for option in ranked if f"recipe.{name}" in option.tags]
        reason = next((option.removed for option in mine if option.lead), None)
        if why := _unlabeled(name, facts):
            found.append(Excluded(name, "labels", why, entry.sources))
        elif not mine and entry.recipe:
            found.append(Excluded(name, "shape", _misshapen(entry.recipe, shape), entry.sources))
        elif reason and all(option.removed and not option.kept for option in mine):
            found.append(Excluded(name, reason.rule, reason.because, reason.sources))
    return tuple(found)


def _misshapen(recipe: Recipe, shape: Shape) -> str:
    named = recipe.architecture.name
    why = unshaped(recipe, shape) or (takes(named, shape) if named != AUTO else None)
    return why or f"no architecture that it allows makes data of shape {shape}"

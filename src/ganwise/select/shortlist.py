"""The named GANs ranked for this application, and the diverse short list of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ganwise.catalog import AUTO, RECIPES
from ganwise.knowledge import Rule
from ganwise.recipe import Recipe
from ganwise.select.judge import Reason, reasons, removal, score
from ganwise.select.space import Tags, tags_of_recipe, variants
from ganwise.shapes import takes
from ganwise.types import Shape

PER_LOSS = 2  # of one loss on the short list: a race of variants of one idea shows little. The bare baseline does not count


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
    first: bool  # choice of architecture
    kept: bool
    removed: Reason | None


def options(shape: Shape, rules: Sequence[Rule]) -> list[Option]:
    """Every named GAN with every architecture that fits, best first; equals stay in the catalog's order."""
    found = [option for name in RECIPES for option in _of_recipe(name, shape, rules)]
    return sorted(found, key=lambda option: -option.score)


def _of_recipe(name: str, shape: Shape, rules: Sequence[Rule]) -> list[Option]:
    made = [(recipe, tags_of_recipe(name, recipe)) for recipe in variants(name, shape)]
    made.sort(key=lambda pair: -_architecture_score(pair[0], rules))
    found = []
    for place, (recipe, tags) in enumerate(made):
        first = place == 0
        removed = next((r for q in (1, 2, 3, 4) if (r := removal(rules, q, tags))), None)
        kept = first and any(frozenset({f"recipe.{name}"}) in rule.effects.get("keeps", ()) for rule in rules)
        label = name if first else f"{name}-{recipe.architecture.name}"
        found.append(Option(label, recipe, tags, score(rules, tags), first, kept, removed))
    return found


def _architecture_score(recipe: Recipe, rules: Sequence[Rule]) -> float:
    tags = frozenset({f"architecture.{recipe.architecture.name}"})
    return score((rule for rule in rules if rule.question == 1 and "requires" not in rule.effects), tags)


def shorten(ranked: Sequence[Option], limit: int) -> list[Option]:
    """At most ``limit`` of the options that survived, few of one loss, with those that a rule keeps."""
    kept = [option for option in ranked if option.kept][:limit] if limit > 1 else []
    picked, losses, seconds = list(kept), Counter[str](), 0
    losses.update(option.recipe.loss.name for option in kept if option.recipe.regularizers)
    for option in ranked:
        loss = option.recipe.loss.name
        crowded = losses[loss] >= PER_LOSS or (not option.first and seconds >= limit // 3)
        if option in picked or option.removed or crowded or len(picked) >= limit:
            continue
        picked.append(option)
        losses[loss] += 1
        seconds += not option.first
    return [option for option in ranked if option in picked]


def candidates(picked: Sequence[Option], rules: Sequence[Rule]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(option.name, option.recipe, rank, option.score, reasons(rules, option.tags))
        for rank, option in enumerate(picked, 1)
    )


def excluded(ranked: Sequence[Option], shape: Shape) -> tuple[Excluded, ...]:
    """Each named GAN of which no variant survived."""
    found = []
    for name, entry in RECIPES.items():
        mine = [option for option in ranked if f"recipe.{name}" in option.tags]
        reason = next((option.removed for option in mine if option.first), None)
        if not mine and entry.recipe:
            found.append(Excluded(name, "shape", _misshapen(entry.recipe, shape), entry.sources))
        elif reason and all(option.removed and not option.kept for option in mine):
            found.append(Excluded(name, reason.rule, reason.because, reason.sources))
    return tuple(found)


def _misshapen(recipe: Recipe, shape: Shape) -> str:
    named = recipe.architecture.name
    return (takes(named, shape) if named != AUTO else None) or f"no architecture that it allows makes data of shape {shape}"

"""The named GANs ranked for this application, and the diverse short list of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from ganwise.catalog import AUGMENTATIONS, AUTO, RECIPES, own_divergence, unlabeled, unshaped
from ganwise.knowledge import Disagreement, Rule, disagreements
from ganwise.recipe import Choice, Recipe
from ganwise.select.cost import Cost, cost
from ganwise.select.evidence import Measured, Row, as_reasons, similar, weigh
from ganwise.select.fitting import Fitted, fit
from ganwise.select.judge import Reason, reasons, removal, score
from ganwise.select.profile import Profile
from ganwise.select.space import Tags, tags_of_recipe, variants
from ganwise.select.watch import Watch, watch
from ganwise.shapes import takes
from ganwise.types import Shape, Value

Role = Literal["", "strong default", "cheap baseline"]
DEFAULT: Role = "strong default"
BASELINE: Role = "cheap baseline"
AGAINST = ("avoids", "requires", "rules_out")
PER_IDEA = 2  # of one idea on the short list; the bare baseline does not count


class Candidate(NamedTuple):
    """A named GAN with an architecture that fits the data.

    ``recipe`` has numbers that fit the data, ``fitted`` says which and why. ``reasons`` are for and against, ``against`` those
    that lower the score; what a measurement says stands among them as ``measured:...``, and ``measured`` has ties too.
    ``disputes`` names the disagreements between sources that touch it, ``watch`` what its kind is prone to.
    """

    name: str
    recipe: Recipe
    rank: int
    score: float
    reasons: tuple[Reason, ...]
    against: tuple[Reason, ...] = ()
    role: Role = ""
    fitted: tuple[Fitted, ...] = ()
    cost: Cost | None = None
    watch: tuple[Watch, ...] = ()
    disputes: tuple[str, ...] = ()
    measured: tuple[Measured, ...] = ()


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
    measured: tuple[Measured, ...] = ()


def options(shape: Shape, rules: Sequence[Rule], facts: Mapping[str, Value], rows: Sequence[Row] = ()) -> list[Option]:
    """Every named GAN with every architecture that fits, best first; equals stay in the catalog's order.

    ``rows`` are measurements: they move scores, and remove nothing.
    """
    found = [option for name in RECIPES if not _unlabeled(name, facts) for option in _of_recipe(name, shape, rules)]
    found += [option for one in found for option in _augmented(one, shape, rules)]
    if groups := similar(rows, "image" if len(shape) > 1 else "vector", shape, int(facts["n"])):
        found = [_measured(option, groups) for option in found]
    return sorted(found, key=lambda option: -option.score)


def _measured(option: Option, groups: Sequence[Sequence[Row]]) -> Option:
    seen = weigh(option.name, option.recipe, option.tags, groups)
    return option._replace(measured=seen, score=option.score + sum(one.points for one in seen))


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


def _augmented(option: Option, shape: Shape, rules: Sequence[Rule]) -> list[Option]:
    """The strong default also with the augmentation that rules prefer most for these data, where they prefer any."""
    if not (option.kept and option.recipe.regularizers):
        return []
    tags = {name: frozenset({f"augmentation.{name}"}) for name in AUGMENTATIONS}
    best = max(tags, key=lambda name: score(rules, tags[name]), default=None)
    if best is None or score(rules, tags[best]) <= 0:
        return []
    recipe = option.recipe.model_copy(update={"augmentation": Choice(name=best)})
    if unshaped(recipe, shape):
        return []
    return [_option(f"{option.name}-{best}", recipe, option.tags | tags[best], rules, lead=True, kept=False)]


def _architecture_score(tags: Tags, rules: Sequence[Rule]) -> float:
    return score((rule for rule in rules if rule.question == 1 and "requires" not in rule.effects), tags)


def shorten(ranked: Sequence[Option], limit: int) -> list[Option]:
    """At most ``limit`` of the options that survived, few of one idea: the strong default, a cheap baseline, what rules keep."""
    found = roles(ranked)
    kept = [option for option in ranked if option.name in found]
    kept += [option for option in ranked if option.kept and option not in kept]
    picked = kept[:limit] if limit > 1 else []
    ideas = Counter(idea(option.recipe) for option in picked if found.get(option.name) != BASELINE)
    for option in sorted(ranked, key=lambda option: not option.lead):
        mine = idea(option.recipe)
        if option in picked or option.removed or ideas[mine] >= PER_IDEA or len(picked) >= limit:
            continue
        picked.append(option)
        ideas[mine] += 1
    return [option for option in ranked if option in picked]


def distinct(ranked: Sequence[Option], shape: Shape, facts: Mapping[str, Value]) -> list[Option]:
    """Without those that, fitted to the data, are the same recipe as a better one: such a pair would race against itself."""
    first: dict[Recipe, Option] = {}
    for option in ranked:
        first.setdefault(fit(option.recipe, shape, facts)[0], option)
    return list(first.values())


def roles(ranked: Sequence[Option]) -> dict[str, Role]:
    """The strong default and the cheap baseline among options, best first: of those that a rule keeps, else of all that survive.

    A default has a regularizer; a baseline has none, reads no labels and is not augmented. Where neither a rule nor the data
    leave one, there is none.
    """
    found: dict[str, Role] = {}
    able_to: tuple[tuple[Role, Callable[[Recipe], bool]], ...] = ((DEFAULT, _regularized), (BASELINE, _bare))
    for role, suits in able_to:
        able = [one for one in ranked if suits(one.recipe) and (one.kept or not one.removed)]
        able.sort(key=lambda one: (not one.kept, not one.lead))
        found |= {one.name: role for one in able[:1]}
    return found


def _regularized(recipe: Recipe) -> bool:
    return bool(recipe.regularizers)


def _bare(recipe: Recipe) -> bool:
    return not (recipe.regularizers or recipe.conditioning or recipe.augmentation)


def idea(recipe: Recipe) -> str:
    """What a loss plays for: the divergence that it minimizes, or f-gan for all that take one.

    Under equal tuning, losses of one divergence differ by less than seeds do (lucic2018equal), and architecture, conditioning
    and augmentation are variants of one idea: a race of them shows little. Losses of different divergences fail differently.
    """
    return own_divergence(recipe.loss.name) or recipe.loss.name


def candidates(
    picked: Sequence[Option], rules: Sequence[Rule], shape: Shape, facts: Mapping[str, Value], profile: Profile | None = None
) -> tuple[Candidate, ...]:
    """The options as they are handed out, with their ranks; ``profile`` is of this machine and moves no rank."""
    named = roles(picked)
    return tuple(_candidate(option, rank, rules, shape, facts, named, profile) for rank, option in enumerate(picked, 1))


def _candidate(
    option: Option,
    rank: int,
    rules: Sequence[Rule],
    shape: Shape,
    facts: Mapping[str, Value],
    named: Mapping[str, Role],
    profile: Profile | None,
) -> Candidate:
    recipe, fitted = fit(option.recipe, shape, facts)
    why = told(option, rules)
    return Candidate(
        option.name,
        recipe,
        rank,
        option.score,
        why,
        against=tuple(reason for reason in why if reason.effect in AGAINST),
        role=named.get(option.name, ""),
        fitted=fitted,
        cost=cost(recipe, shape, int(facts["n_classes"]), int(facts.get("n_train", facts["n"])), profile),
        watch=watch(option.tags, facts),
        disputes=tuple(one.name for one in disagreements() if _touches(one, option.tags, facts)),
        measured=option.measured,
    )


def told(option: Option, rules: Sequence[Rule]) -> tuple[Reason, ...]:
    """Why an option has its score: the rules, then what was measured; the weightiest first."""
    return tuple(sorted((*reasons(rules, option.tags), *as_reasons(option.measured)), key=lambda reason: -abs(reason.points)))


def _touches(one: Disagreement, tags: Tags, facts: Mapping[str, Value]) -> bool:
    return all(condition.holds(facts) for condition in one.when) and any(target <= tags for target in one.touches)


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

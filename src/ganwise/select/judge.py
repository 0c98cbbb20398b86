"""Rules applied to what a GAN has: which effects they have on it, what it scores, and whether they remove it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from ganwise.knowledge import Effect, Rule, Strength, rules
from ganwise.select.space import Tags
from ganwise.types import Unusable, Value

WEIGHTS: Mapping[Strength, float] = {"theorem": 4.0, "replicated": 3.0, "reported": 2.0, "folklore": 1.0}
"""By how much one rule moves a score. Ours: only their order carries meaning."""

WANTED = 2.0  # what the user asks for weighs more than what is true in general; ours
_SIGNS: Mapping[Effect, float] = {"prefers": 1.0, "avoids": -1.0, "requires": -2.0, "rules_out": -2.0, "keeps": 0.0}


class Reason(NamedTuple):
    """One rule's effect on one GAN; ``points`` are what it adds to the score."""

    rule: str
    effect: Effect
    because: str
    sources: tuple[str, ...]
    points: float = 0.0
    strength: str = ""


class Undecided(NamedTuple):
    """A rule that could not be applied, since facts are unknown."""

    rule: str
    unknown: tuple[str, ...]


def known_rules(own: Sequence[Rule] = (), without: Sequence[str] = ()) -> list[Rule]:
    """Every rule of ours and of the user's ``own``, less those switched off.

    Raises:
        Unusable: A name in ``without`` that no rule has, or a rule of the user's named as another.
    """
    ours = {rule.name for rule in rules()}
    names = ours | {rule.name for rule in own}
    for name in without:
        if name not in names:
            raise Unusable(f"--without {name}: no such rule: {_likely(name, names)}")
    kept = [rule for rule in rules() if rule.name not in without]
    kept += [rule for rule in own if rule.name not in without or rule.name in ours]
    for name, count in Counter(rule.name for rule in kept).items():
        if count > 1:
            raise Unusable(f"rule {name}: the name is taken; give yours another, or put it in place with --without {name}")
    return kept


def _likely(name: str, names: Iterable[str]) -> str:
    """As `ganwise.catalog.closest`, without the list of all: there are too many."""
    found = get_close_matches(name, names, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(found)}?" if found else "ganwise select DATA --explain names those that apply"


def apply(
    facts: Mapping[str, Value], own: Sequence[Rule] = (), without: Sequence[str] = ()
) -> tuple[list[Rule], list[Undecided]]:
    """The rules that fire on these facts, and those that lack one."""
    judged = [(rule, *rule.judge(facts)) for rule in known_rules(own, without)]
    undecided = [Undecided(rule.name, unknown) for rule, _, unknown in judged if unknown]
    return [rule for rule, fires, _ in judged if fires], undecided


def effects(rule: Rule, tags: Tags) -> list[Effect]:
    """What ``rule`` does to a GAN with these tags; ``requires`` stands here only where it is not met."""
    return [
        effect
        for effect, targets in rule.effects.items()
        if any(map(tags.issuperset, targets)) != (effect == "requires")  # asked a hundred thousand times
    ]


def named(rules: Iterable[Rule]) -> Tags:
    """The tags that rules speak about. Few: a thousand GANs reduced to these are some dozens of kinds, judged once each."""
    return frozenset(tag for rule in rules for targets in rule.effects.values() for target in targets for tag in target)


def weight(rule: Rule, effect: Effect) -> float:
    wanted = any(condition.fact.startswith("want.") for condition in rule.when)
    return _SIGNS[effect] * WEIGHTS[rule.strength] * (WANTED if wanted else 1.0)


def score(rules: Iterable[Rule], tags: Tags) -> float:
    return sum(weight(rule, effect) for rule in rules for effect in effects(rule, tags))


def reasons(rules: Iterable[Rule], tags: Tags) -> tuple[Reason, ...]:
    """Every effect on a GAN with these tags, the weightiest first."""
    found = [_reason(rule, effect) for rule in rules for effect in effects(rule, tags)]
    return tuple(sorted(found, key=lambda reason: -abs(reason.points)))


def _reason(rule: Rule, effect: Effect) -> Reason:
    return Reason(rule.name, effect, rule.because, rule.sources, weight(rule, effect), rule.strength)


def removal(asked: Sequence[Rule], tags: Tags) -> Reason | None:
    """Why the rules of a question remove a GAN: one rules it out, or those against it outweigh those for it."""
    felt = [(rule, effect) for rule in asked for effect in effects(rule, tags)]
    if not felt:
        return None
    hard = [(rule, effect) for rule, effect in felt if effect in ("rules_out", "requires")]
    net = sum(weight(rule, effect) for rule, effect in felt)
    if not hard and net >= 0:
        return None
    rule, effect = min(hard or felt, key=lambda item: weight(*item))
    return _reason(rule, effect)

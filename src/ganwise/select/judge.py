"""Rules applied to what a GAN has: which effects they have on it, what it scores, and whether they remove it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ganwise.knowledge import Effect, Rule, Strength, rules
from ganwise.select.space import Tags
from ganwise.types import Value

WEIGHTS: Mapping[Strength, float] = {"theorem": 4.0, "replicated": 3.0, "reported": 2.0, "folklore": 1.0}
"""By how much one rule moves a score. Ours: only their order carries meaning."""

WANTED = 2.0  # what the user asks for weighs more than what is true in general; ours
_SIGNS: Mapping[Effect, float] = {"prefers": 1.0, "avoids": -1.0, "requires": -2.0, "rules_out": -2.0, "keeps": 0.0}


class Reason(NamedTuple):
    """One rule's effect on one GAN."""

    rule: str
    effect: Effect
    because: str
    sources: tuple[str, ...]


class Undecided(NamedTuple):
    """A rule that could not be applied, since facts are unknown."""

    rule: str
    unknown: tuple[str, ...]


def apply(facts: Mapping[str, Value]) -> tuple[list[Rule], list[Undecided]]:
    """The rules that fire on these facts, and those that lack one."""
    judged = [(rule, *rule.judge(facts)) for rule in rules()]
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
    found = [(abs(weight(rule, effect)), rule, effect) for rule in rules for effect in effects(rule, tags)]
    found.sort(key=lambda item: -item[0])
    return tuple(Reason(rule.name, effect, rule.because, rule.sources) for _, rule, effect in found)


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
    return Reason(rule.name, effect, rule.because, rule.sources)

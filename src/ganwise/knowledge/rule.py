"""What a rule of the knowledge base is, and how one is read from TOML. Comparisons only: logic lives in computed facts."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

from ganwise.catalog import AXES, RECIPES, closest
from ganwise.types import Unusable, Value

Effect = Literal["prefers", "avoids", "requires", "rules_out", "keeps"]
Strength = Literal["theorem", "replicated", "reported", "folklore"]
Target = frozenset[str]
"""Tags that a GAN has all of: ``{"loss.wasserstein", "regularizers.weight-clipping"}``."""

EFFECTS: tuple[Effect, ...] = get_args(Effect)
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
SCHEDULES = (
    *("schedule.one-step", "schedule.several-steps", "schedule.lazy", "schedule.averaged", "schedule.two-rates"),
    "schedule.large-batch",
)
NORMS = ("norm.generator-batch", "norm.discriminator-batch")

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"([\w.-]+) (==|!=|<=|>=|<|>) ([\w.-]+)")


class Condition(NamedTuple):
    """One comparison of a fact with a value."""

    fact: str
    compare: str
    value: Value

    def holds(self, facts: Mapping[str, Value]) -> bool | None:
        """None where the fact is unknown."""
        known = facts.get(self.fact)
        if known is None or (isinstance(known, str) != isinstance(self.value, str)):
            return None
        return _COMPARE[self.compare](known, self.value)


class Rule(NamedTuple):
    """Where ``when`` holds, ``effects`` follow. ``question`` is 1 to 4 of the framework's, or 0: how it is trained.

    ``fires_on`` and ``silent_on`` are the rule's own positive and negative case.
    """

    name: str
    question: int
    when: tuple[Condition, ...]
    effects: Mapping[Effect, tuple[Target, ...]]
    strength: Strength
    because: str
    sources: tuple[str, ...]
    fires_on: Mapping[str, Value]
    silent_on: Mapping[str, Value]

    def judge(self, facts: Mapping[str, Value]) -> tuple[bool, tuple[str, ...]]:
        """Whether the rule fires, and the unknown facts that kept it from being decided."""
        held = [(condition, condition.holds(facts)) for condition in self.when]
        if any(outcome is False for _, outcome in held):
            return False, ()
        unknown = tuple(condition.fact for condition, outcome in held if outcome is None)
        return not unknown, unknown


class Disagreement(NamedTuple):
    """Sources that contradict each other about ``touches``; shown, not hidden."""

    name: str
    when: tuple[Condition, ...]
    touches: tuple[Target, ...]
    says: str
    sources: tuple[str, ...]


def read_rule(row: Mapping[str, Any], where: str) -> Rule:
    """The rule that a TOML table holds.

    Raises:
        Unusable: A field is missing, unknown or of the wrong kind, or names what the catalog lacks.
    """
    here = f"{where}: rule {row.get('name', '?')}"
    _same_fields(row, ("name", "question", "when", "strength", "because", "sources", "fires_on", "silent_on"), EFFECTS, here)
    _same_kinds(row, here)
    effects = {effect: tuple(read_target(t, here) for t in row[effect]) for effect in EFFECTS if effect in row}
    if not effects or type(row["question"]) is not int or row["question"] not in range(5) or row["strength"] not in STRENGTHS:
        raise Unusable(f"{here}: needs an effect, a question from 0 to 4 and a strength of {', '.join(STRENGTHS)}")
    if row["strength"] == "folklore" and effects.keys() & {"requires", "rules_out"}:
        raise Unusable(f"{here}: folklore may prefer or avoid, not require or rule out")
    return Rule(
        row["name"],
        row["question"],
        tuple(read_condition(c, here) for c in row["when"]),
        effects,
        row["strength"],
        row["because"],
        tuple(row["sources"]),
        row["fires_on"],
        row["silent_on"],
    )


def read_disagreement(row: Mapping[str, Any], where: str) -> Disagreement:
    here = f"{where}: disagreement {row.get('name', '?')}"
    _same_fields(row, ("name", "when", "touches", "says", "sources"), (), here)
    when = tuple(read_condition(c, here) for c in row["when"])
    return Disagreement(
        row["name"], when, tuple(read_target(t, here) for t in row["touches"]), row["says"], tuple(row["sources"])
    )


def _same_fields(row: Mapping[str, Any], wanted: Sequence[str], optional: Sequence[str], here: str) -> None:
    known = (*wanted, *optional)
    for name in (one for one in row if one not in known):  # first, since a field that is lacking may be one misspelled
        raise Unusable(f"{here}: unknown field '{name}': {closest(name, known)}")
    for name in (one for one in wanted if one not in row):
        raise Unusable(f"{here}: lacks the field '{name}'")


_WORDS = ("when", "sources", *EFFECTS)


def _same_kinds(row: Mapping[str, Any], here: str) -> None:
    """Words are words, lists are lists of words, cases are tables of facts."""
    for name in ("name", "because", "strength"):
        if not isinstance(row[name], str) or not row[name].strip():
            raise Unusable(f"{here}: {name} = {row[name]!r} is no text")
    for name in (one for one in _WORDS if one in row):
        if not isinstance(row[name], list) or not row[name] or not all(isinstance(word, str) for word in row[name]):
            raise Unusable(f'{here}: {name} = {row[name]!r} is no list of texts, as in {name} = ["..."]')
    for name in ("fires_on", "silent_on"):
        if not isinstance(row[name], dict):
            raise Unusable(f"{here}: {name} = {row[name]!r} is no table of facts, as in {name} = {{ side = 32 }}")
        for fact, value in row[name].items():
            if not isinstance(value, str | int | float):
                raise Unusable(f"{here}: {name}: {fact} = {value!r} is no single value, as in {{ side = 32 }}")


def read_condition(text: str, here: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    if not found:
        raise Unusable(f"{here}: '{text}' is no condition; expected a comparison such as side <= 28 or want.speed == true")
    fact, compare, value = found.groups()
    return Condition(fact, compare, _value(value))


def _value(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def read_target(text: str, here: str) -> Target:
    """The tags of ``loss.wasserstein + regularizers.weight-clipping``."""
    tags = frozenset(text.split(" + "))
    for tag in sorted(tags - tags_of_catalog()):
        raise Unusable(f"{here}: '{tag}' is nothing that a GAN can have: {closest(tag, tags_of_catalog())}")
    return tags


@cache
def tags_of_catalog() -> frozenset[str]:
    """Every tag that a rule may name."""
    entries = {f"{axis}.{name}" for axis, rows in AXES.items() for name in rows}
    traits = {f"trait.{trait}" for rows in AXES.values() for entry in rows.values() for trait in entry.traits}
    return frozenset({*entries, *traits, *(f"recipe.{name}" for name in RECIPES), "regularizers.none", *SCHEDULES, *NORMS})

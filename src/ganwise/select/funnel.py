"""From every combination to those that the four answers leave, with the arithmetic of each stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from ganwise.knowledge import Rule
from ganwise.select.judge import Reason, named, removal
from ganwise.select.space import Combination, Tags, combinable, factors, possible
from ganwise.types import Shape


class Removed(NamedTuple):
    """How many combinations one rule removed."""

    rule: str
    combinations: int
    because: str
    sources: tuple[str, ...]


class Stage(NamedTuple):
    """The search space after one step: ``left`` combinations remain."""

    name: str
    left: int
    arithmetic: str
    removed: tuple[Removed, ...]


Space = list[tuple[Combination, Tags]]


class Narrowed(NamedTuple):
    """``spaces`` holds what each question had to judge."""

    stages: list[Stage]
    left: Space
    spaces: dict[int, Space]


def narrow(shape: Shape, rules: Sequence[Rule]) -> Narrowed:
    """Every stage, and the combinations that survive all. The counts are of this catalog, not of any paper."""
    axes = factors()
    total, fitting, left = prod(axes), len(combinable()), possible(shape)
    product = "{} architectures x {} losses x {} regularizations x {} divergences".format(*axes)
    stages = [
        Stage("every combination", total, f"{product} = {total:,}", ()),
        Stage("that exist", fitting, f"{total:,} - {total - fitting:,} whose parts exclude each other = {fitting:,}", ()),
        Stage("that make this shape", len(left), _minus(fitting, fitting - len(left), "of another shape"), ()),
    ]
    spaces = {}
    for question in (1, 2, 3, 4):
        stage, after = _ask(question, left, rules)
        spaces[question] = left
        stages.append(stage)
        left = after
    return Narrowed(stages, left, spaces)


def _ask(question: int, before: Space, rules: Sequence[Rule]) -> tuple[Stage, Space]:
    """One question's rules applied. Where they contradict each other, so that nothing would be left, they remove nothing."""
    asked = [rule for rule in rules if rule.question == question]
    spoken = named(asked)
    kinds = {tags & spoken for _, tags in before}
    verdicts = {kind: removal(asked, kind) for kind in kinds}
    judged = [(pair, verdicts[pair[1] & spoken]) for pair in before]
    after = [pair for pair, reason in judged if reason is None]
    name = f"question {question}"
    if before and not after:
        return Stage(name, len(before), "the rules that apply contradict each other: nothing removed", ()), before
    removed = _count([reason for _, reason in judged if reason])
    return Stage(name, len(after), _minus(len(before), len(before) - len(after), _spread(after)), removed), after


def _count(reasons: list[Reason]) -> tuple[Removed, ...]:
    by_rule = {reason.rule: reason for reason in reasons}
    counts = Counter(reason.rule for reason in reasons).most_common()
    return tuple(Removed(rule, count, by_rule[rule].because, by_rule[rule].sources) for rule, count in counts)


def _minus(before: int, removed: int, note: str) -> str:
    return f"{before:,} - {removed:,} = {before - removed:,} ({note})"


def _spread(left: Space) -> str:
    """How many values each axis still has."""
    words = ("architectures", "losses", "regularizations", "divergences")
    counts = [len({one[axis] for one, _ in left}) for axis in range(4)]
    return ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True))

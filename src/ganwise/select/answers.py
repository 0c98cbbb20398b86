"""The framework's four questions, answered in words for this application."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ganwise.knowledge import Rule
from ganwise.select.judge import effects, named, score
from ganwise.select.space import NONE, Combination, Tags
from ganwise.types import Audit

QUESTIONS = {
    1: "Which architecture for the generator and the discriminator?",
    2: "Which losses fit?",
    3: "Is regularization needed, and which?",
    4: "Is a divergence other than the loss's own needed?",
}
_AXIS = {1: "architecture", 2: "loss", 3: "regularizer", 4: "divergence"}

Space = Sequence[tuple[Combination, Tags]]


class Question(NamedTuple):
    """One of the four questions with its answer."""

    question: str
    answer: str
    because: str
    sources: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...] = ()  # what ``because`` is joined from: (rule, what it says)


def describe(audit: Audit) -> str:
    """The data in a few words: ``1,797 gray images of 8x8``."""
    if audit.kind == "vector":
        return f"{audit.n:,} vectors of {audit.shape[0]} numbers"
    channels, *sides = audit.shape
    return f"{audit.n:,} {'color' if channels > 1 else 'gray'} images of {'x'.join(map(str, sides))}"


def answer(number: int, before: Space, left: Space, rules: Sequence[Rule]) -> Question:
    """What is left in the end on the question's axis, the best first, and why; ``before`` is what it had to judge."""
    asked = [rule for rule in rules if rule.question == number]
    words = _divergence(left) if number == 4 else _ranked(number, before, left, asked)
    spoken = named(asked)
    kinds = {tags & spoken for _, tags in before}
    speaking = [rule for rule in asked if any(set(effects(rule, kind)) - {"keeps"} for kind in kinds)]
    reasons = tuple((rule.name, rule.because) for rule in speaking)
    because = "; ".join(f"{name}: {says}" for name, says in reasons)
    sources = tuple(dict.fromkeys(key for rule in speaking for key in rule.sources))
    return Question(QUESTIONS[number], words, because or "no rule speaks about it for these data", sources, reasons)


def _ranked(number: int, before: Space, left: Space, asked: Sequence[Rule]) -> str:
    """Values of one axis by the best score that a combination with it has; then those that are out."""
    best: dict[str, float] = {}
    spoken = named(asked)
    kinds = dict.fromkeys((getattr(one, _AXIS[number]), tags & spoken) for one, tags in left)
    for value, kind in kinds:
        best[value] = max(best.get(value, float("-inf")), score(asked, kind))
    order = sorted(best, key=lambda value: -best[value])
    preferred = [value for value in order if best[value] > 0]
    others = [value for value in order if best[value] <= 0]
    out = sorted({getattr(one, _AXIS[number]) for one, _ in before} - best.keys())
    if number == 3:
        preferred = _regularization(preferred)
    parts = [("", preferred), ("also possible: " if preferred else "", others), ("not: ", out)]
    return "; ".join(prefix + ", ".join(values) for prefix, values in parts if values)


def _regularization(preferred: list[str]) -> list[str]:
    named = [value for value in preferred if value != NONE]
    return [f"yes: {named[0]}", *named[1:]] if named else ["not required"]


def _divergence(left: Space) -> str:
    chosen = _unique(one.divergence for one, _ in left if one.loss == "f-gan")
    if not chosen:
        return "no: each loss keeps the divergence that it minimizes by itself"
    return f"only for f-gan, which takes it as its argument: {', '.join(chosen)}; every other loss keeps its own"


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))

"""What moved a candidate, and what would be otherwise: the points of each rule, and two answers side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ganwise.catalog import RECIPES, closest
from ganwise.select.advice import Advice
from ganwise.select.application import Application, read_changes
from ganwise.select.facts import suppose
from ganwise.select.judge import Reason
from ganwise.select.shortlist import told
from ganwise.types import Audit, Unusable, Value


class Explained(NamedTuple):
    """One GAN's score as the sum of its ``reasons``; ``rank`` is None, and ``out`` says why, where it is not listed."""

    name: str
    rank: int | None
    score: float
    reasons: tuple[Reason, ...]
    out: str


def explain(advice: Advice, name: str = "") -> tuple[Explained, ...]:
    """Every listed candidate, or the named GAN with each architecture, listed or not.

    Raises:
        Unusable: A name of no GAN that was judged.
    """
    listed = {one.name: one for one in advice.candidates}
    if not name:
        return tuple(Explained(c.name, c.rank, c.score, c.reasons, "") for c in advice.candidates)
    mine = [option for option in advice.considered if name in (option.name, *_recipe(option.tags))]
    if not mine:
        raise Unusable(f"--explain {name}: {_absent(advice, name)}")
    found = []
    for option in mine:
        rank = listed[option.name].rank if option.name in listed else None
        why = listed[option.name].reasons if option.name in listed else told(option, advice.fired)
        reason = option.removed
        out = "" if rank else f"{reason.rule}: {reason.because}" if reason else "its score leaves it below the short list"
        found.append(Explained(option.name, rank, listed[option.name].score if rank else option.score, why, out))
    return tuple(found)


def _recipe(tags: frozenset[str]) -> list[str]:
    return [tag.removeprefix("recipe.") for tag in tags if tag.startswith("recipe.")]


def _absent(advice: Advice, name: str) -> str:
    """Why a name was not judged: the data rule it out before any rule is asked, or nobody knows it."""
    said = next((one.because for one in advice.excluded if one.name == name), None)
    return said or f"no GAN of that name: {closest(name, RECIPES)}"


class Rate(NamedTuple):
    """A place on the short list: rank and score."""

    rank: int
    score: float


class Move(NamedTuple):
    """A candidate whose place differs; None is off the list. ``because`` names the rules, with the points that each adds."""

    name: str
    before: Rate | None
    after: Rate | None
    because: tuple[str, ...]


class Change(NamedTuple):
    """One rule that fires, or no longer does."""

    rule: str
    because: str
    sources: tuple[str, ...]


class Comparison(NamedTuple):
    """How an answer changes: ``facts`` and ``counts`` as (before, after); the ``answers`` are those of the four questions."""

    facts: Mapping[str, tuple[Value | None, Value | None]]
    fires: tuple[Change, ...]
    silent: tuple[Change, ...]
    counts: Mapping[str, tuple[int, int]]
    answers: tuple[tuple[str, str, str], ...]
    entered: tuple[Move, ...]
    left: tuple[Move, ...]
    moved: tuple[Move, ...]


def compare(before: Advice, after: Advice) -> Comparison:
    """What one answer has that another has not, and by which rules."""
    old, new = ({rule.name: rule for rule in advice.fired} for advice in (before, after))
    facts = {
        name: (before.facts.get(name), after.facts.get(name))
        for name in sorted({*before.facts, *after.facts})
        if before.facts.get(name) != after.facts.get(name)
    }
    counts = {name: (getattr(before, name), getattr(after, name)) for name in ("before", "valid", "after")}
    questions = zip(before.questions, after.questions, strict=True)
    moves = _moves(before, after)
    return Comparison(
        facts=facts,
        fires=tuple(Change(n, r.because, r.sources) for n, r in new.items() if n not in old),
        silent=tuple(Change(n, r.because, r.sources) for n, r in old.items() if n not in new),
        counts=counts,
        answers=tuple((a.question, a.answer, b.answer) for a, b in questions if a.answer != b.answer),
        entered=tuple(m for m in moves if m.before is None),
        left=tuple(m for m in moves if m.after is None),
        moved=tuple(m for m in moves if m.before and m.after and m.before != m.after),
    )


def _moves(before: Advice, after: Advice) -> list[Move]:
    places = [{c.name: Rate(c.rank, c.score) for c in advice.candidates} for advice in (before, after)]
    names = list(dict.fromkeys([*places[1], *places[0]]))
    return [Move(name, places[0].get(name), places[1].get(name), _why(name, before, after)) for name in names]


def _why(name: str, before: Advice, after: Advice) -> tuple[str, ...]:
    """The rules whose points for a candidate differ, then what keeps it out; where none does, others passed it."""
    if not (_judged(name, before) and _judged(name, after)):  # its data or labels decide, before any rule is asked
        return (f"now out: {_out(name, after)[0]}" if _judged(name, before) else f"no longer out: {_out(name, before)[0]}",)
    old, new = _points(name, before), _points(name, after)
    rules = [rule for rule in dict.fromkeys([*new, *old]) if old.get(rule) != new.get(rule)]
    rules.sort(key=lambda rule: -abs(new.get(rule, 0.0) - old.get(rule, 0.0)))
    found = [f"{rule} ({new.get(rule, 0.0) - old.get(rule, 0.0):+g})" for rule in rules]
    found += [f"now out: {out}" for out in _out(name, after) if not _out(name, before)]
    found += [f"no longer out: {out}" for out in _out(name, before) if not _out(name, after)]
    return tuple(found or ["its own points are the same: others passed it, or made room"])


def _judged(name: str, advice: Advice) -> bool:
    return any(option.name == name for option in advice.considered)


def _points(name: str, advice: Advice) -> dict[str, float]:
    option = next((option for option in advice.considered if option.name == name), None)
    listed = next((c.reasons for c in advice.candidates if c.name == name), None)
    why = listed or (told(option, advice.fired) if option else ())
    points: dict[str, float] = {}
    for reason in why:
        points[reason.rule] = points.get(reason.rule, 0.0) + reason.points
    return points


def _out(name: str, advice: Advice) -> list[str]:
    """The rule that removes a GAN, or why it was not judged at all."""
    option = next((option for option in advice.considered if option.name == name), None)
    if option:
        return [option.removed.rule] if option.removed and not option.kept else []
    return [one.because for one in advice.excluded if one.name == name] or ["no rule asks for that variant"]


class Alternative(NamedTuple):
    """A fact that nobody stated, and what the short list would be with it: ``say`` is a change as `--compare` takes it."""

    fact: str
    say: str
    rules: tuple[str, ...]
    first: str
    entered: tuple[str, ...]
    left: tuple[str, ...]


ANSWERS: Mapping[str, tuple[str, ...]] = {
    "compute": ("device=cpu", "device=cuda,time=1d"),
    "domain": ("domain=one", "domain=many"),
    "sparse_image": ("sparse=yes", "sparse=no"),
    "aligned": ("aligned=yes",),
    "memory_gb": ("memory_gb=4",),
    "private": ("private=yes",),
    "budget_seconds": ("time=1d",),
    "device": ("device=cuda",),
}
"""What a person could say about a fact that is unknown."""


def alternatives(seen: Audit | None, said: Application, advice: Advice, choose: Callable[..., Advice]) -> tuple[Alternative, ...]:
    """For each fact that a rule lacked: what saying it would change. Answers that change nothing on the list are left out."""
    found = []
    lacking = dict.fromkeys(fact for one in advice.undecided for fact in one.unknown)
    for fact, say in [(name, words) for name in lacking for words in ANSWERS.get(name, ())]:
        try:
            other_data, other = suppose(seen, said, read_changes(say))
            then = choose(other_data, application=other)
        except Unusable:  # what was said already does not go with it
            continue
        before, after = ([one.name for one in advice_.candidates] for advice_ in (advice, then))
        if before != after:
            waiting = tuple(one.rule for one in advice.undecided if fact in one.unknown)
            entered, left = ([n for n in one if n not in two] for one, two in ((after, before), (before, after)))
            found.append(Alternative(fact, say, waiting, after[0], tuple(entered), tuple(left)))
    return tuple(found)

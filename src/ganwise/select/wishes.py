"""What an answer has to admit: wishes that nothing fulfills or that exclude each other, what was assumed, what to beware of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ganwise.knowledge import Rule
from ganwise.select.application import Application
from ganwise.select.judge import effects
from ganwise.select.shortlist import Option, options
from ganwise.types import Shape, Unusable, Value

CAPABILITIES = ("convergence-measure", "reconstruction", "classes")
"""Wishes that a GAN fulfills or does not; the others are matters of degree, which a list can weigh against each other."""

FEWEST = 64  # samples that ganwise trains, validates and tests with
MEMORIZED = 1000  # samples below which an unregularized discriminator learns them by heart; karras2020ada shows it from 1,000 on


class Unmet(NamedTuple):
    """A wish that nothing left fulfills, the GAN that would come nearest, and the rule against it."""

    want: str
    nearest: str
    rule: str
    because: str


def unmet(ranked: Sequence[Option], rules: Sequence[Rule], facts: Mapping[str, Value]) -> list[Unmet]:
    """The wishes of this application that no option fulfills."""
    found = []
    for want in wished(facts):
        meeting = [option for option in ranked if _meets(option, want, rules)]
        if meeting and all(option.removed for option in meeting):
            first = meeting[0]
            reason = first.removed
            assert reason is not None
            found.append(Unmet(want, first.name, reason.rule, reason.because))
    return found


def refuse_contradictions(shape: Shape, rules: Sequence[Rule], facts: Mapping[str, Value], ranked: Sequence[Option]) -> None:
    """Two capabilities contradict each other where one alone could be had, and what the other requires leaves nothing of it.

    Raises:
        Unusable: Both wishes, and what is in the way.
    """
    needed = [want for want in wished(facts) if want in CAPABILITIES]
    lacking = [one.want for one in unmet(ranked, rules, facts) if one.want in needed]
    for one, other in ((one, other) for one in lacking for other in needed if other != one):
        without = [rule for rule in rules if not _about(rule, other)]
        alone = next((o.name for o in options(shape, without, facts) if _meets(o, one, rules) and not o.removed), None)
        if alone:
            against = next((o.removed.rule for o in ranked if o.name == alone and o.removed), other)
            raise Unusable(
                f"want = {one} contradicts want = {other} for these data: {alone} gives the first, and the second is against it "
                f"(rule {against}); leave one of them out"
            )


def assumptions(said: Application) -> tuple[str, ...]:
    """What an application leaves open and selection has to take for something, without data."""
    found = {
        "labels = few is taken for a tenth of the samples; say how many with --labeled-share": said.labels == "few"
        and said.labeled_share is None,
        "labels were not said and are taken for none, although there are classes; if you have them, say --labels all": bool(
            said.classes
        )
        and said.labels is None
        and said.labeled_share is None,
        "the number of channels was not said and is taken for three": said.height is not None and said.channels is None,
    }
    return tuple(words for words, holds in found.items() if holds)


def warnings(facts: Mapping[str, Value], lacking: Sequence[Unmet]) -> tuple[str, ...]:
    """What a person has to know before they follow the list."""
    n = int(facts["n"])
    found = [f"want = {one.want}: nothing left fulfills it; {one.nearest} would, but {one.because}" for one in lacking]
    if facts.get("want.classes") and (lack := _unlabeled(facts)):
        found.append(f"want = classes: nothing fulfills it: only labels of all samples teach a generator to draw one, and {lack}")
    if n < FEWEST:
        found.append(f"{n} sample{'s are' if n > 1 else ' is'} too few to train and test with: ganwise takes {FEWEST} at least")
    if facts.get("private"):
        found.append(
            "privacy: no GAN here gives a formal guarantee, such as differential privacy; race with several seeds and look at "
            "the memorization score before you hand samples out"
        )
        if n < MEMORIZED:
            found.append(f"privacy: {n} samples are so few that a discriminator can learn each by heart; more samples help most")
    return tuple(found)


def _unlabeled(facts: Mapping[str, Value]) -> str | None:
    """What the labels lack for a class to be chosen; None where they suffice."""
    classes, share = int(facts["n_classes"]), float(facts["labeled_share"])
    if classes < 2 or share == 0:
        return "the data have none of two classes"
    lacking = max(1, round((1 - share) * int(facts["n"])))
    return f"{lacking:,} samples have none; label them, or leave them out" if share < 1 else None


def wished(facts: Mapping[str, Value]) -> list[str]:
    return [name.removeprefix("want.") for name, value in facts.items() if name.startswith("want.") and value is True]


def _about(rule: Rule, want: str) -> bool:
    return any(condition.fact == f"want.{want}" for condition in rule.when)


def _meets(option: Option, want: str, rules: Sequence[Rule]) -> bool:
    """Whether a rule about the wish speaks for the option and none against it."""
    felt = [effect for rule in rules if _about(rule, want) for effect in _felt(rule, option)]
    return "for" in felt and "against" not in felt


def _felt(rule: Rule, option: Option) -> list[str]:
    found = effects(rule, option.tags)
    hard = {"rules_out", "requires"} & set(found)
    kept = "requires" in rule.effects and "requires" not in found
    return ["against"] if hard else ["for"] if "prefers" in found or kept else []

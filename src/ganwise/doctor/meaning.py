"""What a verdict, a problem and a change mean, in plain words: one table for the terminal, JSON, page and report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ganwise.types import Finding, Problem, Value, Verdict


class Meaning(NamedTuple):
    """One problem: its name for people, why it matters, and what happens if nothing is done. ``sources`` back both sentences."""

    name: str
    why: str
    if_nothing: str
    sources: tuple[str, ...]


MEANINGS: Mapping[Problem, Meaning] = {
    "mode_collapse": Meaning(
        "mode collapse",
        "The generator draws a few pictures again and again. Most of what is in the data is missing from its samples, however"
        " good one of them looks alone.",
        "It seldom opens up by itself: the discriminator learns to refuse the few pictures, the generator moves on to a few "
        "others, and the rest of the training is spent going around.",
        ("motwani2020selection", "metz2017unrolled"),
    ),
    "vanishing_gradient": Meaning(
        "vanishing gradient",
        "The generator learns from the slope that the discriminator hands it. There is next to none left, so that it learns "
        "nothing, whatever the losses say.",
        "Samples stay as they are, because steps of no slope lead nowhere: all computing from here on is lost.",
        ("arjovsky2017principled", "motwani2020selection"),
    ),
    "instability": Meaning(
        "unstable training",
        "Losses, gradients or weights jump or grow without bound. One long step can undo what thousands of steps have learned.",
        "Swings of the losses often come before a collapse or values that are not finite. Which checkpoint is good becomes a "
        "matter of luck.",
        ("motwani2020selection", "chintala2016ganhacks"),
    ),
    "non_convergence": Meaning(
        "non-convergence",
        "The two players chase each other, or quality falls. The model of the last step is then not the best one, and more "
        "steps do not make it better.",
        "A metric that has turned for good seldom comes back; players that circle go on circling, for a reason in the game "
        "and not in the number of steps.",
        ("mescheder2018converge", "motwani2020selection"),
    ),
    "imbalance": Meaning(
        "imbalance of the two players",
        "One player has won. The loser gets no hint of how to become better, and each learns only as much as the other can "
        "teach.",
        "The winner stays ahead. A discriminator that is always right leaves the generator without a gradient; a generator "
        "that is never caught draws anything at all.",
        ("motwani2020selection", "goodfellow2014gan"),
    ),
    "not_finite": Meaning(
        "values that are not finite",
        "A number has become infinite or undefined, and it spreads to every weight with the next step. The model is destroyed"
        " from that step on.",
        "Nothing is learned any more: go back to a checkpoint from before it, and change what made it.",
        ("chintala2016ganhacks",),
    ),
    "memorization": Meaning(
        "memorization",
        "The samples are copies of training images. The model has learned a list and not a distribution, scores against the "
        "training set look too good, and what was private can leak.",
        "It becomes worse the longer the run trains: the discriminator knows the training images better and better, and what "
        "it tells the generator about any other image means less and less.",
        ("karras2020ada", "chen2020ganleaks"),
    ),
}


def told(problem: Problem) -> dict[str, object]:
    """Its words as a finding's JSON has them."""
    meaning = MEANINGS[problem]
    return {"why": meaning.why, "if_nothing": meaning.if_nothing, "why_sources": meaning.sources}


SAID: Mapping[Verdict, str] = {
    "healthy": "This run is healthy",
    "warning": "This run shows a warning",
    "failing": "This run is failing",
    "failed": "This run has failed",
    "unknown": "Too little was recorded to call this run healthy or sick",
}
_ORDER: tuple[Verdict, ...] = ("failed", "failing", "warning")


def headline(verdict: Verdict, findings: Sequence[Finding]) -> str:
    """The verdict as a sentence, with the worst problem and the step since when."""
    if not findings:
        return f"{SAID[verdict]}."
    worst = in_order(findings)[0]
    others = len({f.problem for f in findings} - {worst.problem})
    more = f", and {others} more {'problem' if others == 1 else 'problems'}" if others else ""
    return f"{SAID[verdict]}: {MEANINGS[worst.problem].name} since step {worst.since_step:,}{more}."


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first, and of those the earliest: what came first is nearest to the cause."""
    return sorted(findings, key=lambda one: (_ORDER.index(one.severity), one.since_step))


def options(change: Mapping[str, Value]) -> list[str]:
    """The change as options of the command line, ``--set regularizers.r1=true``: values as `--set` reads them."""
    return [word for path, value in change.items() for word in ("--set", f"{path}={setting(value)}")]


def setting(value: Value) -> str:
    """A value as it is written behind ``--set PART=``."""
    return value if isinstance(value, str) else json.dumps(value)


def in_words(change: Mapping[str, Value]) -> str:
    """The change for who trains with another program: what to turn, without our names of options."""
    return "; ".join(_in_words(path, value) for path, value in change.items())


def _in_words(path: str, value: Value) -> str:
    head, *rest = path.split(".")
    what = " of the ".join(reversed([part.replace("_", " ") for part in rest]))
    if head == "regularizers" and isinstance(value, bool):
        return f"{'add' if value else 'take out'} {rest[0]}"
    if head == "regularizers":
        return f"set {what} to {setting(value)}"
    if rest == ["name"]:
        return f"{'augment the images' if head == 'augmentation' else f'change the {head}'}: {value}"
    return f"set {f'{what} of the {head}' if head != 'schedule' else what} to {setting(value)}"

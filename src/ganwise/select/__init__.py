"""Selection: the four questions answered for audited data, the search space counted, and a short list with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ganwise.knowledge import Disagreement, disagreements
from ganwise.select.answers import Question, answer, describe
from ganwise.select.facts import WANTS, Device, gather, known
from ganwise.select.funnel import Removed, Stage, narrow
from ganwise.select.judge import Reason, Undecided, apply
from ganwise.select.shortlist import Candidate, Excluded, Option, candidates, excluded, options, shorten
from ganwise.select.space import possible
from ganwise.types import Audit, Unusable, Value


class Advice(NamedTuple):
    """What selection says about an application. Counts are combinations of this catalog's four axes."""

    questions: tuple[Question, ...]
    before: int
    valid: int
    after: int
    funnel: tuple[Stage, ...]
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    disagreements: tuple[Disagreement, ...]
    undecided: tuple[Undecided, ...]
    facts: Mapping[str, Value]

    def as_json(self) -> dict[str, Any]:
        return {
            "questions": [_row(question) for question in self.questions],
            "before": self.before,
            "valid": self.valid,
            "after": self.after,
            "funnel": [{**_row(stage), "removed": [_row(r) for r in stage.removed]} for stage in self.funnel],
            "candidates": [
                {**_row(c), "recipe": c.recipe.model_dump(mode="json"), "reasons": [_row(r) for r in c.reasons]}
                for c in self.candidates
            ],
            "excluded": [_row(one) for one in self.excluded],
            "disagreements": [{"name": d.name, "says": d.says, "sources": list(d.sources)} for d in self.disagreements],
            "undecided": [_row(one) for one in self.undecided],
            "facts": dict(self.facts),
        }


def _row(one: Any) -> dict[str, Any]:
    """A named tuple as JSON has it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in one._asdict().items()}


def select(
    audit: Audit,
    want: Sequence[str] = (),
    *,
    device: Device = "cpu",
    seconds: float | None = None,
    limit: int = 8,
) -> Advice:
    """The short list for an application: its audited data, what it needs, and ``seconds`` of computing on ``device``.

    Raises:
        Unusable: An unknown need, or a short list of none.
    """
    if limit < 1:
        raise Unusable(f"limit: a short list has at least one candidate, not {limit}")
    facts = gather(audit, want, device, seconds)
    rules, undecided = apply(facts)
    stages, left, spaces = narrow(audit.shape, rules)
    ranked = options(audit.shape, rules, facts)
    picked = shorten(ranked, limit)
    first, *rest = (answer(number, spaces[number], left, rules) for number in (1, 2, 3, 4))
    return Advice(
        questions=(first._replace(answer=f"for {describe(audit)}: {first.answer}"), *rest),
        before=stages[0].left,
        valid=len(possible(audit.shape)),
        after=len(left),
        funnel=tuple(stages),
        candidates=candidates(picked, rules),
        excluded=excluded(ranked, audit.shape, facts),
        disagreements=_touching(ranked, facts),
        undecided=tuple(undecided),
        facts=facts,
    )


def _touching(ranked: Sequence[Option], facts: Mapping[str, Value]) -> tuple[Disagreement, ...]:
    """The disagreements about something that is an option here."""
    return tuple(
        one
        for one in disagreements()
        if all(condition.holds(facts) for condition in one.when)
        and any(target <= option.tags for target in one.touches for option in ranked)
    )


__all__ = [
    "WANTS",
    "Advice",
    "Candidate",
    "Device",
    "Excluded",
    "Question",
    "Reason",
    "Removed",
    "Stage",
    "Undecided",
    "known",
    "select",
]

"""The answer to an application: all that the rules, the funnel, the short list and the evidence say, in one value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from ganwise.knowledge import Disagreement, Rule, disagreements
from ganwise.select.answers import Question, answer, describe
from ganwise.select.application import Application, Device
from ganwise.select.evidence import Row, shipped
from ganwise.select.facts import agree, gather, imagined, refuse_unheard
from ganwise.select.funnel import Stage, narrow
from ganwise.select.judge import Undecided, apply, reasons
from ganwise.select.profile import newest
from ganwise.select.shortlist import Candidate, Excluded, Option, candidates, distinct, excluded, options, shorten
from ganwise.select.space import possible
from ganwise.select.wishes import assumptions, refuse_contradictions, unmet, warnings
from ganwise.types import Audit, Unusable, Value


class Advice(NamedTuple):
    """What selection says about an application. Counts are combinations of this catalog's four axes.

    ``fired`` and ``considered`` are all rules that apply and all named GANs that were judged, the listed ones among them.
    """

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
    application: Application
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    fired: tuple[Rule, ...]
    considered: tuple[Option, ...]

    def as_json(self) -> dict[str, Any]:
        said = {name: plain(value) for name, value in self._asdict().items() if name not in ("fired", "considered")}
        said["application"] = self.application.said
        said["disagreements"] = [{"name": d.name, "says": d.says, "sources": list(d.sources)} for d in self.disagreements]
        return said


def plain(value: Any) -> Any:
    """A value as JSON has it: named tuples and models by their fields, tuples as lists."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def select(
    audit: Audit | Application | None = None,
    want: Sequence[str] = (),
    *,
    application: Application | None = None,
    device: Device | None = None,
    seconds: float | None = None,
    limit: int = 8,
    without: Sequence[str] = (),
    rules: Sequence[Rule] = (),
    evidence: Sequence[Row] | None = None,
) -> Advice:
    """The short list for audited data, for an application that somebody describes, or for both.

    ``device`` and ``seconds`` of computing are facts only where stated. ``without`` names rules to switch off; ``rules`` are
    the user's own, as `ganwise.knowledge.own` reads them. ``evidence`` is what was measured, by default what ships with the
    library: none is ``()``, and `ganwise.select.evidence.own` reads a user's.

    Raises:
        Unusable: Data and application, or two wishes, contradict each other; too little is said; an unknown need or rule; a
            short list of none, asked for or left by the rules.
    """
    refuse_unheard(rules)
    if limit < 1:
        raise Unusable(f"limit: a short list has at least one candidate, not {limit}")
    if isinstance(audit, Application):
        audit, application = None, audit
    said = application or Application()
    if audit is not None:
        agree(audit, said)
    seen = audit or imagined(said)
    facts = gather(seen, want, device or "unknown", seconds, said)
    fired, undecided = apply(facts, rules, without)
    return _advise(seen, said, facts, fired, undecided, limit, shipped() if evidence is None else evidence)


def _advise(
    seen: Audit,
    said: Application,
    facts: Mapping[str, Value],
    fired: Sequence[Rule],
    undecided: Sequence[Undecided],
    limit: int,
    rows: Sequence[Row],
) -> Advice:
    stages, left, spaces = narrow(seen.shape, fired)
    ranked = options(seen.shape, fired, facts, rows)
    refuse_contradictions(seen.shape, fired, facts, ranked)
    listed = [option for option in ranked if reasons(fired, option.tags)]  # nothing is listed without a reason
    picked = shorten(distinct(listed, seen.shape, facts), limit)
    if not picked:
        raise _none_left(excluded(ranked, seen.shape, facts))
    first, *rest = (answer(number, spaces[number], left, fired) for number in (1, 2, 3, 4))
    return Advice(
        questions=(first._replace(answer=f"for {describe(seen)}: {first.answer}"), *rest),
        before=stages[0].left,
        valid=len(possible(seen.shape)),
        after=len(left),
        funnel=tuple(stages),
        candidates=candidates(picked, fired, seen.shape, facts, newest(_stated(facts))),
        excluded=excluded(ranked, seen.shape, facts),
        disagreements=_touching(ranked, facts),
        undecided=tuple(undecided),
        facts=facts,
        application=said,
        assumed=assumptions(said) if said.shape else (),
        warnings=warnings(facts, unmet(ranked, fired, facts)),
        fired=tuple(fired),
        considered=tuple(ranked),
    )


def _none_left(out: Sequence[Excluded]) -> Unusable:
    """A refusal that names the rule which takes most."""
    if not out:
        return Unusable("no rule speaks for any GAN, and none is listed without a reason; switch fewer rules off")
    rule, count = Counter(one.rule for one in out).most_common(1)[0]
    name = next(one.name for one in out if one.rule == rule)
    return Unusable(f"no GAN is left: {rule} excludes {count} of {len(out)}, such as {name}; change the rules or the wishes")


def _stated(facts: Mapping[str, Value]) -> str | None:
    """The device that the user named."""
    device = facts.get("device")
    return None if device is None else str(device)


def _touching(ranked: Sequence[Option], facts: Mapping[str, Value]) -> tuple[Disagreement, ...]:
    """The disagreements about something that is an option here."""
    return tuple(
        one
        for one in disagreements()
        if all(condition.holds(facts) for condition in one.when)
        and any(target <= option.tags for target in one.touches for option in ranked)
    )

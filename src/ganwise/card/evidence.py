"""The parts of a card that say how good the model is, what it was chosen from, and where its limits are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ganwise.card.subject import Subject, problem
from ganwise.markdown import table
from ganwise.report import words
from ganwise.report.gather import Candidate
from ganwise.types import SICK


def scores(subject: Subject) -> Iterator[str]:
    rows = subject.run.scores
    yield "## How good it is"
    yield ""
    if not rows:
        yield "It was not scored: nothing is known of its quality."
        return
    yield (
        "Measured on the test part, which neither training nor any choice has seen. *Real* is the same number for unseen real "
        "samples, *mixture* that for a plain Gaussian mixture fitted to the data: a score says something between the two."
    )
    if subject.candidate and (quality := words.quality(subject.candidate)):
        yield ""
        yield quality
    yield ""
    heads = ("metric", "value", "95 % interval", "better", "real", "mixture", "n", "features: protocol")
    yield from table(heads, map(_score, rows), right=(1, 2, 4, 5, 6))
    yield ""
    for name in dict.fromkeys(str(score["metric"]) for score in rows):
        if says := words.metric(name).says:
            yield f"- {words.metric(name).label}: {says}."


def _score(score: Mapping[str, Any]) -> tuple[str, ...]:
    found = words.metric(str(score["metric"]))
    sticks = score.get("yardsticks") or {}
    keys = (score["value"], score["low"], score["high"], sticks.get("real"), sticks.get("mixture"))
    value, low, high, real, mixture = (words.figure(number, found.times) for number in keys)
    measured = f"{score['features']}: {score['protocol']}"
    return found.label, value, f"{low} to {high}", score.get("direction", ""), real, mixture, f"{score['n']:,}", measured


def choice(subject: Subject) -> Iterator[str]:
    told = subject.run.told
    yield "## How it was chosen"
    yield ""
    best = told.get("best", {})
    spent = (
        f"{told.get('steps', 0):,} steps, {told.get('images', 0):,} samples shown, {float(told.get('seconds', 0)):,.0f} seconds"
    )
    checkpoint = f"of its checkpoints that of step {best['step']:,} was best on the validation part" if "step" in best else ""
    mine = f"This run has seed {subject.run.seed} and cost {spent}; {checkpoint}".rstrip("; ") + "."
    if not subject.raced:
        yield f"It was trained alone: no other recipe was compared with it. {mine}"
        return
    yield from _race(subject)
    yield mine + (" Of its recipe's runs it was the best on validation." if subject.candidate and _first(subject) else "")
    yield ""
    yield from _field(subject)


def _first(subject: Subject) -> bool:
    """Whether no other seed of the recipe was better on validation."""
    runs = subject.candidate.runs if subject.candidate else []
    metric = subject.study.metric
    return all(subject.run.best(metric) <= one.best(metric) for one in runs if one.folder.model.is_file())


def _race(subject: Subject) -> Iterator[str]:
    study = subject.study
    budget, seeds = study.request.get("budget"), study.request.get("seeds")
    total = f" under a budget of {budget} for all of it" if budget else ""
    each = f", {words.plural(int(seeds), 'seed')} each" if seeds else ""
    yield f"{words.plural(len(study.candidates), 'recipe')} raced{total}{each}."
    if rungs := study.result.get("ladder"):
        yield f"Of them {', '.join(_rung(rung) for rung in rungs)} of a run's budget."
    yield words.verdict(study).because
    recommended = study.result.get("recommended")
    if recommended and subject.run.name != recommended:
        yield f"**The race recommends {recommended}, not this model.**"


def _rung(rung: Mapping[str, Any]) -> str:
    return f"{len(rung.get('order') or [])} trained to {float(rung['share']):.0%}"


def _field(subject: Subject) -> Iterator[str]:
    """Everybody in the race: their place, their score on the test part, or where they left."""
    metric = words.metric(subject.study.metric)
    heads = ("place", "recipe", f"{metric.label}, mean over seeds", "its interval", "seeds", "tied with", "left")
    return table(heads, (_placed(subject, one) for one in subject.study.candidates), right=(0, 2, 3, 4))


def _placed(subject: Subject, one: Candidate) -> tuple[object, ...]:
    row, metric = one.row, words.metric(subject.study.metric)
    interval = row.get("interval") or {}
    low, high = (words.figure(interval.get(side), metric.times) for side in ("low", "high"))
    name = f"**{one.name}**" if one.name == subject.run.name else one.name
    mean = words.figure((row.get("summary") or {}).get(subject.study.metric), metric.times)
    reach = f"{low} to {high}" if interval else "–"
    tied = ", ".join(row.get("tied_with") or []) or "–"
    return row.get("rank", "–"), name, mean, reach, len(row.get("seeds") or []), tied, _left(row)


def _left(row: Mapping[str, Any]) -> str:
    left = row.get("left")
    if not left:
        sick = f"not: it is {row['verdict']}, and can't win" if row.get("verdict") in SICK else "–"
        return sick if row.get("scores") else str(row.get("error") or row.get("verdict") or "–")
    why = {"rank": f"at place {left['place']} of {left['of']}", "sick": "sick", "broken": "broke off"}.get(
        left["why"], left["why"]
    )
    return f"at {float(left['rung']):.0%}, {why}"


def limits(subject: Subject) -> Iterator[str]:
    yield "## Limits"
    yield ""
    if subject.image:
        yield f"- It makes {subject.makes} and no other size. Enlarged ones hold nothing more."
    else:
        yield "- It makes real numbers in every column: whole numbers, categories and sums that must agree have to be restored."
    yield from _seen(subject)
    yield from _memory(subject)
    yield from _health(subject)
    yield "- It repeats its data, with their gaps, errors and biases. Rare cases come out rarer still, or not at all."
    yield (
        "- Not for decisions about people, not as evidence of anything, not to pass samples off as real, and not to release "
        "private data in disguise: nothing here measures privacy."
    )


def _seen(subject: Subject) -> Iterator[str]:
    rows = subject.run.scores
    names = sorted({str(score["features"]) for score in rows})
    if any(name.startswith("efficientnet") for name in names):
        yield (
            f"- Most scores are of features ({', '.join(names)}) that a network for photographs sees, at the size that stands "
            "after the @. What it overlooks (fine texture, writing, the signs that a specialist reads), the scores overlook."
        )
    elif names:
        yield f"- The scores compare samples by these features: {', '.join(names)}. Every column weighs the same in them."
    if rows and (n := max(int(score["n"]) for score in rows)) < 2000:
        yield f"- {n:,} test samples are few: of two values inside each other's intervals neither is better."


def _memory(subject: Subject) -> Iterator[str]:
    found = {str(score["metric"]): score for score in subject.run.scores}
    ways = {
        "memorization": "its samples lie {} times as far from the nearest training sample as unseen real ones do",
        "novelty": "next to that from the nearest unseen one, the distance is {} times that of real ones",
    }
    said = [text.format(_within(found[name])) for name, text in ways.items() if name in found]
    if said:
        text = "; ".join(said)
        yield (
            f"- Memorization: {text}. Well under 1 in both would mean copies of training samples, far over 1 samples that lie "
            "beside the data. These are medians: single copies can hide in them."
        )


def _within(score: Mapping[str, Any]) -> str:
    value, low, high = (words.figure(score[side]) for side in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _health(subject: Subject) -> Iterator[str]:
    verdict, found = subject.run.verdict, subject.run.diagnosis.get("findings", [])
    yield f"- The doctor's verdict on the training run: **{verdict}**{'.' if found else '; it found nothing.'}"
    for one in found:
        what = f"{problem(one['problem'])} ({one['severity']}) since step {one['since_step']:,}"
        yield f"    - {what}: {one['evidence']}."

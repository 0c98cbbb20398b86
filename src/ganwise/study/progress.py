"""How a race that is under way stands, read from its run directories alone: whoever trains, and wherever."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ganwise.artifacts import RunDirectory
from ganwise.metrics import ranking_metric
from ganwise.study import statistics
from ganwise.study.halving import Decision, Halving, Left, Look
from ganwise.study.looks import inherited, run_of
from ganwise.study.plan import Plan
from ganwise.types import SICK

Key = tuple[str, int]
Told = Mapping[str, Any]
NOISE = 0.1
"""Of the median value: what values on validation are compared above, for the view alone; the race's own ranking measures it."""


class Row(NamedTuple):
    """A candidate that is still in the race: the mean of its best values on validation so far, with its interval.

    ``seeds`` holds what each run does: waiting, trains, there (at the rung), scored, sick or broken.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    verdict: str
    seeds: tuple[str, ...]


class Standing(NamedTuple):
    """Who is in, best first, and who has left; ``rung`` counts from 0, ``there`` of its ``runs`` have reached it."""

    metric: str
    rung: int
    there: int
    runs: int
    rows: list[Row]
    left: list[Left]
    alarms: list[str]
    scoring: bool


def standing(plan: Plan, folder: Path, running: Collection[Path] = ()) -> Standing:
    """How the race stands whose runs are in ``folder``; ``running`` are the directories that are being trained or scored."""
    pairs = [(e.name, seed) for e in plan.entrants for seed in range(plan.seeds)]
    runs = {pair: run_of(folder, *pair) for pair in pairs}
    told = {pair: run.read() if run.run.is_file() else {} for pair, run in runs.items()}
    metric = _metric(told.values())
    halving, rungs = Halving(plan.ladder), [rung.share for rung in plan.ladder.rungs]
    for (name, seed), run in runs.items():
        for rung, look in _looks(plan, run, told[name, seed], metric):
            halving.finish(name, seed, rung, look)
    decided = halving.decision()
    inside = _inside(plan, decided)
    here = rungs[min(halving.rung, len(rungs) - 1)]
    doing = {pair: _doing(one, runs[pair], here, running) for pair, one in told.items()}
    rows = _rows(inside, plan.seeds, told, doing, metric)
    states = [doing[name, seed] for name in inside for seed in range(plan.seeds)]
    there = sum(state not in ("waiting", "trains") for state in states)
    alarms = [text for pair, one in told.items() for text in _alarms(runs[pair], one)]
    return Standing(metric, halving.rung, there, len(states), rows, list(decided.left), alarms, decided.done)


def _metric(told: Collection[Told]) -> str:
    shape = next((one["data"]["shape"] for one in told if "data" in one), (1, 1, 1))
    return ranking_metric("image" if len(shape) == 3 else "vector")


def _looks(plan: Plan, run: RunDirectory, told: Told, metric: str) -> Iterator[tuple[int, Look]]:
    """As the race itself takes them; a run that is no more has none at the rung after its last."""
    if not told:
        return
    last = -1
    for last, look in inherited(run, plan.limit, plan.ladder, metric):
        yield last, look
    if ("broken" in told or "closed" in told) and last + 1 < len(plan.ladder.rungs):
        yield last + 1, Look(None)


def _inside(plan: Plan, decided: Decision) -> tuple[str, ...]:
    return decided.cuts[-1].on if decided.cuts else plan.ladder.candidates


def _doing(told: Told, run: RunDirectory, share: float, running: Collection[Path]) -> str:
    if "broken" in told:
        return "broken"
    if run.path in running:
        return "trains"
    if run.scores.is_file():
        return "sick" if told.get("verdict") in SICK else "scored"
    if any(look["rung"] >= share for look in told.get("looks", [])):
        return "sick" if told.get("verdict") in SICK else "there"
    return "waiting"


def _rows(names: Sequence[str], seeds: int, told: Mapping[Key, Told], doing: Mapping[Key, str], metric: str) -> list[Row]:
    """Those with a value first, by its mean; with the intervals that the race's own statistics would give."""
    found = {name: [v for seed in range(seeds) if (v := _value(told[name, seed], metric)) is not None] for name in names}
    values = {name: some for name, some in found.items() if some}
    noise = NOISE * median(v for some in values.values() for v in some) if values else 0.0
    ranked = {s.name: s for s in statistics.rank(values, True, noise + 1e-12)} if values else {}
    rows = []
    for name in (*ranked, *(n for n in names if n not in ranked)):
        verdicts = [str(told[name, seed].get("verdict", "unknown")) for seed in range(seeds)]
        worst = next((v for v in ("failed", "failing", "warning", "healthy") if v in verdicts), "unknown")
        states = tuple(doing[name, seed] for seed in range(seeds))
        one = ranked.get(name)
        rows.append(Row(name, one.mean, one.low, one.high, worst, states) if one else Row(name, None, None, None, worst, states))
    return rows


def _value(told: Told, metric: str) -> float | None:
    """The best on validation so far, if it is a number."""
    seen = [told.get("best", {}).get(metric, math.inf), *(look["value"] for look in told.get("looks", [])[-1:])]
    best = min(float(one) for one in seen)
    return max(best, 0.0) if math.isfinite(best) else None


def _alarms(run: RunDirectory, told: Told) -> Iterator[str]:
    looks = told.get("looks", [])
    if looks and looks[-1]["verdict"] in SICK:
        found = ", ".join(str(one).replace("_", " ") for one in looks[-1].get("findings", []))
        yield f"{run.path.name}: {looks[-1]['verdict']}{': ' if found else ''}{found}"
    if "lineage" in told:
        yield f"{run.path.name}: goes on in its place, healed of {str(told['lineage'].get('problem')).replace('_', ' ')}"
    if "broken" in told:
        yield f"{run.path.name}: broke off: {told['broken']}"

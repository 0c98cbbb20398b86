"""The race against the exhaustive comparison, on runs of the past: who wins, and at what part of the cost.

    python benchmarks/race_replay.py                results/race/replays.jsonl and a table on standard output

Every candidate of the study of selection is in ``results/race/replay.jsonl`` (race_rows.py) with what a race would have
seen of it. The race's own scheduler and statistics are driven with that. No run is healed here: a sick one leaves.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from race_rows import METRIC, committed

from ganwise.study.halving import SHARES, Halving, Ladder, Look, Rung, ladder
from ganwise.study.statistics import Standing, rank
from ganwise.types import SICK

HERE = Path(__file__).parent / "results" / "race"
SUBSETS, FIELD, SEED = 200, 12, 8
"""Fields of so many candidates that are drawn from the 18, besides all of them at once."""
Row = dict[str, Any]
Field = Mapping[str, Sequence[Row]]
"""The runs of each candidate, one for each seed."""


class Result(NamedTuple):
    """A finished race: ``winner`` is None where no difference is significant; ``cost`` in full runs."""

    standings: list[Standing]
    winner: str | None
    finalists: tuple[str, ...]
    cost: float
    left: dict[str, int]

    @property
    def leader(self) -> str | None:
        return self.standings[0].name if self.standings else None


def field(name: str, arms: Sequence[str] = ("list", "random", "popular")) -> dict[str, list[Row]]:
    """The candidates of a data set with their runs of the same seeds: as many seeds as `FIELD` candidates at least have."""
    mine = [row for row in committed() if row["data"] == name and row["arm"] in arms]
    homes: dict[str, set[str]] = defaultdict(set)
    for row in mine:
        homes[row["name"]].add(row["arm"])
    found: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in mine:  # the list's GAN of a name need not be the popular one: selection fits it to the data
        who = row["name"] if len(homes[row["name"]]) == 1 else f"{row['arm']} {row['name']}"
        found[who][row["seed"]] = row
    every = sorted({seed for runs in found.values() for seed in runs})
    for count in range(len(every), 0, -1):
        full = {who: [runs[s] for s in every[:count]] for who, runs in found.items() if {*every[:count]} <= {*runs}}
        if len(full) >= FIELD or count == 1:
            return full
    return {}


def noise_of(runs: Field) -> float:
    """As the race has it: half of the median interval of a test score."""
    widths = [r["interval"][1] - r["interval"][0] for rows in runs.values() for r in rows if r["value"] is not None]
    return float(np.median(widths)) / 2 if widths else 0.0


def look(row: Row, share: float) -> Look:
    """What a race sees of a run at a rung."""
    seen = next(s for s in row["looks"] if s["share"] == share)
    value = seen["best"]
    return Look(float("inf") if value is None else value, seen["verdict"], curable=False, late=seen.get("late", True))


def race(runs: Field, noise: float, plan: Ladder | None = None) -> Result:
    """The race on past runs, by the scheduler and the statistics that real races use."""
    seeds = min(len(rows) for rows in runs.values())
    halving = Halving(plan or ladder(tuple(runs), seeds, noise))
    shares, reached = [rung.share for rung in halving.plan.rungs], {}
    while not halving.done and (job := halving.take("no")):
        reached[job.name, job.seed] = shares[job.rung]
        halving.finish(job.name, job.seed, job.rung, look(runs[job.name][job.seed], shares[job.rung]))
    standings, winner = judge({n: runs[n][:seeds] for n in halving.finalists}, noise)
    left = {one.name: one.rung for one in halving.left}
    return Result(standings, winner, halving.finalists, sum(reached.values()), left)


def exhaustive(runs: Field, noise: float) -> Result:
    """Every candidate trained to the end with every seed."""
    standings, winner = judge(runs, noise)
    return Result(standings, winner, tuple(runs), float(sum(len(rows) for rows in runs.values())), {})


def judge(runs: Field, noise: float) -> tuple[list[Standing], str | None]:
    """The healthy candidates by their test scores, and the winner if there is one."""
    healthy = {n: rows for n, rows in runs.items() if all(r["value"] is not None and r["verdict"] not in SICK for r in rows)}
    if not healthy:
        return [], None
    values = {n: [float(r["value"]) for r in rows] for n, rows in healthy.items()}
    samples = {n: [(r["interval"][1] - r["interval"][0]) / 3.92 for r in rows] for n, rows in healthy.items()}
    standings = rank(values, True, noise, samples=samples, seeds={n: [r["seed"] for r in rows] for n, rows in healthy.items()})
    return standings, standings[0].name if len(standings) > 1 and not standings[0].tied_with else None


def compared(runs: Field, plan: Callable[[Sequence[str], int, float], Ladder] = ladder) -> Row:
    """One field raced and compared: ``worse`` says that the race's leader is significantly worse than the best of all."""
    noise = noise_of(runs)
    seeds = min(len(rows) for rows in runs.values())
    short, full = race(runs, noise, plan(tuple(runs), seeds, noise)), exhaustive(runs, noise)
    best, found = full.standings[0], next((s for s in full.standings if s.name == short.leader), None)
    alike = found is not None and (found.name == best.name or found.name in best.tied_with)
    return {
        "candidates": len(runs),
        "seeds": seeds,
        "healthy": len(full.standings),
        "cost": round(short.cost / full.cost, 4),
        "leader": short.leader,
        "winner": short.winner,
        "best": best.name,
        "best_winner": full.winner,
        "left_at": short.left.get(best.name),
        "same": short.leader == best.name,
        "worse": not alike,
        "ratio": round((found.mean + noise) / (best.mean + noise), 4) if found else None,
    }


def drawn(runs: Field, times: int = SUBSETS, size: int = FIELD) -> list[dict[str, Sequence[Row]]]:
    """Fields of ``size`` candidates, drawn without replacement from all; only those with two healthy candidates at least."""
    rng, names = np.random.default_rng(SEED), list(runs)
    found: list[dict[str, Sequence[Row]]] = []
    while len(found) < times:
        some = {names[i]: runs[names[i]] for i in sorted(rng.permutation(len(names))[:size])}
        if len(judge(some, noise_of(some))[0]) > 1:
            found.append(some)
    return found


def rule(places: tuple[float, float], least: tuple[int, int], spare: int = 1, shares: Sequence[float] = SHARES) -> Any:
    """Another ladder: the parts of all candidates that train on from the first two rungs, and how many of them at least."""

    def made(names: Sequence[str], seeds: int, noise: float) -> Ladder:
        counts = [max(low, round(part * len(names))) for part, low in zip(places, least, strict=True)]
        rungs = (Rung(shares[0], len(names)), Rung(shares[1], counts[0], spare), Rung(shares[2], counts[1]))
        return Ladder(tuple(names), seeds, rungs, noise)

    return made


RULES: dict[str, Any] = {
    "as built": ladder,
    "half, then a quarter": rule((1 / 2, 1 / 4), (4, 2)),
    "a quarter, then a ninth": rule((1 / 4, 1 / 9), (3, 2)),
    "nobody protected": rule((1 / 3, 1 / 6), (4, 2), spare=0),
    "two protected": rule((1 / 3, 1 / 6), (4, 2), spare=2),
    "first look at .4": rule((1 / 3, 1 / 6), (4, 2), shares=(0.4, 0.6, 1.0)),
    "last look at .6": rule((1 / 3, 1 / 6), (4, 2), shares=(0.1, 0.6, 1.0)),
}


def summed(found: Sequence[Row]) -> Row:
    """Shares of the fields, the mean and the largest cost, the largest score over that of the best."""
    costs = [one["cost"] for one in found]
    return {
        "fields": len(found),
        "not_worse": round(float(np.mean([not one["worse"] for one in found])), 4),
        "same": round(float(np.mean([one["same"] for one in found])), 4),
        "ratio": max(one["ratio"] or float("inf") for one in found),
        "cost": round(float(np.mean(costs)), 4),
        "most": max(costs),
        "dropped_at": [sum(one["left_at"] == rung for one in found) for rung in (0, 1)],
    }


def every() -> list[Row]:
    """All data sets with all their candidates at once, then in drawn fields under each rule."""
    rows: list[Row] = []
    for name in METRIC:
        runs = field(name)
        if len(runs) < FIELD:
            print(f"{name}: {len(runs)} of {FIELD} candidates have a run")
            continue
        rows.append({"data": name, "rule": "as built", "field": "all", **compared(runs)})
        fields = drawn(runs) if len(runs) > FIELD + 2 else []
        for called, plan in RULES.items() if fields else ():
            rows.append({"data": name, "rule": called, "field": FIELD, **summed([compared(one, plan) for one in fields])})
    return rows


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    told = every()
    (HERE / "replays.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    for row in told:
        print(json.dumps(row))

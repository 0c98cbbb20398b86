"""The race: candidates and seeds under one equal budget, ranked on the test part, sick runs out, ties said."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ganwise.evaluate import prepare, ranking_metric

from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.data import Dataset, save
from ganwise.recipe import Recipe
from ganwise.study import local, statistics
from ganwise.study.budget import Budget
from ganwise.study.trial import CHECKS
from ganwise.types import Unusable

START, FINISH, DRAWS = 4.0, 6.0, 3
"""Seconds that a trial's process takes to start, and that ranking and the report take at the end."""
ENOUGH = 20.0
"""Seconds of training under which a comparison says little: fewer candidates are raced rather than shorter."""
SICK = ("failing", "failed")


class Entrant(NamedTuple):
    name: str
    recipe: Recipe


class Plan(NamedTuple):
    """What each run of the race gets: the same for all."""

    entrants: tuple[Entrant, ...]
    seeds: int
    seconds: float | None
    images: int | None
    workers: int
    n: int  # test samples against as many fakes
    overhead: float  # seconds per run besides training: start, checks, scores


def workers(device: str) -> int:
    """One trial per core, or per GPU."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.device_count()
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def plan(
    entrants: Sequence[Entrant], data: Dataset, budget: Budget, seeds: int, device: str, spent: float, trim: bool = True
) -> Plan:
    """Shares the budget out; with ``trim`` the list is cut so that every run gets at least `ENOUGH` seconds, to two at least.

    Raises:
        Unusable: The budget does not even pay for the evaluation.
    """
    n, rate = min(len(data.split.test), 2000), _features_a_second(data, device)
    checks = len(CHECKS) * min(len(data.split.validation), 500)
    overhead = START + (checks + DRAWS * n) / rate
    count, at_once = len(entrants), workers(device)
    if budget.unit == "images":
        images = int(budget.amount / (count * seeds))
        return Plan(tuple(entrants), seeds, None, images, at_once, n, overhead)
    total = (budget.amount - spent - FINISH) * (at_once if budget.unit == "wall" else 1)
    affordable = int(total / (seeds * (overhead + ENOUGH)))
    if trim:
        count = max(2, min(count, affordable))
    # a wall budget is spent in rounds of `at_once` runs: the last one may be half empty
    rounds = math.ceil(count * seeds / at_once) * at_once if budget.unit == "wall" else count * seeds
    seconds = total / rounds - overhead
    if seconds < 1:
        need = spent + FINISH + (overhead + 1) * rounds / (at_once if budget.unit == "wall" else 1)
        raise Unusable(
            f"--budget {budget.text}: too small for {count} candidates with {seeds} seeds: start and evaluation alone take "
            f"{overhead:.0f} s a run; give at least {math.ceil(need / 10) * 10:.0f}s, or fewer candidates or --seeds"
        )
    return Plan(tuple(entrants[:count]), seeds, seconds, None, at_once, n, overhead)


def _features_a_second(data: Dataset, device: str) -> float:
    """Samples that the extractor handles in a second here, measured while the validation yardsticks are made."""
    bench = prepare(data, "validation", device=device)
    fakes = np.asarray(data.values[data.split.validation[: bench.n]])[:64]
    bench.features(fakes[:8])
    begin = time.perf_counter()
    bench.features(fakes)
    return len(fakes) / (time.perf_counter() - begin)


def race(made: Plan, data: Dataset, budget: Budget, out: Path, device: str, watch: local.Watch, begun: float) -> dict[str, Any]:
    """Runs the plan in ``out`` and returns the result as the contract has it; ``interrupted`` is true after a signal."""
    folder = out / "data"
    save(data, folder)
    deadline = begun + budget.amount - FINISH / 2 if budget.unit == "wall" else math.inf
    trials = [_prepare(made, entrant, seed, folder, out, device) for seed in range(made.seeds) for entrant in made.entrants]
    write_json(out / "plan.json", made._asdict() | {"entrants": [e.name for e in made.entrants], "budget": budget.text})
    finished = local.run_all(trials, made.workers, watch, deadline)
    result = rank(out, made.entrants, data.kind, finished)
    write_json(out / "race.json", result)
    return result


def _prepare(made: Plan, entrant: Entrant, seed: int, folder: Path, out: Path, device: str) -> RunDirectory:
    run = RunDirectory(out / "runs" / f"{entrant.name}-s{seed}")
    run.path.mkdir(parents=True)
    limit = {"seconds": made.seconds, "images": made.images, "wall": made.seconds and 1.5 * made.seconds + 5}
    job = {
        "data": str(folder),
        "recipe": entrant.recipe.model_dump(mode="json"),
        "limit": limit,
        "seed": seed,
        "device": device,
        "precision": "bfloat16" if device.startswith("cuda") else None,
        "n": made.n,
        "draws": DRAWS,
    }
    run.update(name=entrant.name, status="waiting", job=job)
    return run


class Outcome(NamedTuple):
    """What became of one candidate."""

    entrant: Entrant
    runs: list[RunDirectory]
    scores: list[dict[str, Any]]
    verdict: str
    cost: dict[str, float]
    error: str | None  # the last words of a run that broke off


def rank(out: Path, entrants: Sequence[Entrant], kind: str, finished: bool) -> dict[str, Any]:
    """The ranking of the runs in ``out``: healthy candidates by their score, then the sick ones, which can't win."""
    metric = ranking_metric(kind)
    outcomes = [_outcome(out, entrant) for entrant in entrants]
    scored = [o for o in outcomes if any(s["metric"] == metric for s in o.scores)]
    healthy = [o for o in scored if o.verdict not in SICK]
    rows: list[dict[str, Any]] = []
    for group in (healthy, [o for o in scored if o not in healthy]):
        rows += _standings(group, metric, len(rows))
    rows += [_row(o, None, len(rows) + 1 + i) for i, o in enumerate(o for o in outcomes if o not in scored)]
    best = rows[0] if healthy else None
    tied = [r for r in rows if best and (r is best or r["recipe"] in best["tied_with"])]
    recommended = min(tied, key=lambda r: r["cost"]["seconds_to_best"], default=None)
    return {
        "ranking": rows,
        "metric": metric,
        "winner": best["recipe"] if best and len(healthy) > 1 and not best["tied_with"] else None,
        "recommended": recommended["recipe"] if recommended else None,
        "interrupted": not finished,
        "out": str(out),
    }


def _outcome(out: Path, entrant: Entrant) -> Outcome:
    runs = [RunDirectory.open(p.parent) for p in sorted((out / "runs").glob(f"{entrant.name}-s*/run.json"))]
    runs = [r for r in runs if r.read()["name"] == entrant.name]
    scores = [s | {"seed": r.read()["seed"]} for r in runs if r.scores.is_file() for s in read_json(r.scores)["scores"]]
    verdicts = [read_json(r.doctor)["verdict"] for r in runs if r.doctor.is_file()]
    order = ("unknown", "healthy", "warning", "failing", "failed")
    worst = max(verdicts, key=order.index, default="unknown")
    told = [r.read() for r in runs]
    cost = {
        "seconds": _mean([t.get("seconds", 0.0) for t in told]),
        "images": _mean([t.get("images", 0) for t in told]),
        "steps": _mean([t.get("steps", 0) for t in told]),
        "seconds_to_best": _mean([t.get("best", {}).get("seconds", 0.0) for t in told]),
    }
    broken = [r for r, t in zip(runs, told, strict=True) if t["status"] == "running" and r.log.is_file()]
    words = [line for r in broken for line in r.log.read_text(errors="replace").splitlines()[-1:]]
    return Outcome(entrant, runs, scores, worst, cost, words[0] if words else None)


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 2) if values else 0.0


def _standings(group: Sequence[Outcome], metric: str, before: int) -> list[dict[str, Any]]:
    if not group:
        return []
    mine = {o.entrant.name: [s for s in o.scores if s["metric"] == metric] for o in group}
    every = [s for scores in mine.values() for s in scores]
    noise = float(np.median([(s["high"] - s["low"]) / 2 for s in every])) + 1e-12
    values = {name: [float(s["value"]) for s in scores] for name, scores in mine.items()}
    standings = statistics.rank(values, every[0]["direction"] == "lower", noise)
    found = {o.entrant.name: o for o in group}
    return [_row(found[s.name], s, before + s.rank) for s in standings]


def _row(outcome: Outcome, standing: statistics.Standing | None, rank: int) -> dict[str, Any]:
    seeds = sorted({s["seed"] for s in outcome.scores})
    return {
        "recipe": outcome.entrant.name,
        "rank": rank,
        "tied_with": list(standing.tied_with) if standing else [],
        "interval": {"mean": standing.mean, "low": standing.low, "high": standing.high} if standing else None,
        "summary": summary(outcome.scores),
        "scores": outcome.scores,
        "seeds": seeds,
        "cost": outcome.cost,
        "verdict": outcome.verdict,
        "error": outcome.error,
        "runs": [str(r.path) for r in outcome.runs],
    }


def summary(scores: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Each metric's mean over the seeds."""
    metrics = dict.fromkeys(s["metric"] for s in scores)
    return {m: float(np.mean([s["value"] for s in scores if s["metric"] == m])) for m in metrics}

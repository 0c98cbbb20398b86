"""The race: candidates and seeds under one equal budget, ranked on the test part, sick runs out, ties said."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganwise import machine
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.build import build
from ganwise.data import Dataset, save
from ganwise.evaluate import prepare
from ganwise.metrics import ranking_metric
from ganwise.recipe import Recipe
from ganwise.study import local, statistics
from ganwise.study.budget import Budget
from ganwise.study.trial import CHECKED, CHECKS
from ganwise.train import train
from ganwise.types import Kind, Unusable

START, FINISH = 4.0, 4.0
"""Seconds that a trial's process takes to start, and that ranking and the report take at the end."""
DRAWS, FEW = 3, 500
"""Sets of fakes that a score is the mean of where n is at most `FEW`; above, one set is steady enough."""
ENOUGH, ENOUGH_STEPS = 20.0, 2000
"""Seconds and steps of training under which a comparison says little: fewer candidates are raced rather than shorter."""
ENOUGH_IMAGES = 30_000
"""As `ENOUGH`, for a budget in images."""
BATCHES = 10
"""Batches that a run must be able to train on at least."""
VERDICTS = ("unknown", "healthy", "warning", "failing", "failed")
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
    draws: int
    overhead: float  # seconds per run besides training: start, checks, scores
    scoring: float  # seconds of it after training
    wall: float | None  # seconds that the race should take, where its budget is a time
    enough: float  # seconds of training that a run should have


def workers(device: str) -> int:
    """One trial per core, or per GPU."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.device_count()
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def plan(
    entrants: Sequence[Entrant], data: Dataset, budget: Budget, seeds: int, device: str, begun: float, trim: bool = True
) -> Plan:
    """Shares the budget out; with ``trim`` the list is cut so that every run gets `ENOUGH` seconds and steps, to two at least.

    ``begun`` is when the clock of a wall budget started, in monotonic seconds.

    Raises:
        Unusable: The budget does not even pay for the evaluation.
    """
    at_once = workers(device)
    check, checked = _seconds_a_check(data, device)
    parallel = at_once if budget.unit == "wall" else 1
    n = _test_samples(data, budget.amount * parallel * checked / check / len(entrants) / seeds)
    draws = DRAWS if n <= FEW else 1
    # a score has intervals and more metrics than a check: twice the time a sample, measured on digits
    checking, scoring = len(CHECKS) * check, 2 * draws * n * check / checked
    enough = max(ENOUGH, ENOUGH_STEPS * _seconds_a_step(entrants[0], data, device)) if trim else 0.0
    made = Plan(tuple(entrants), seeds, None, None, at_once, n, draws, START + checking + scoring, scoring, None, enough)
    share = _share_images if budget.unit == "images" else _share_time
    share(made, budget, begun, trim)  # refused before anything long begins
    prepare(data, "test", n=n, device=device).yardsticks  # noqa: B018  # cached here once, for all trials
    return share(made, budget, begun, trim)


def _share_images(made: Plan, budget: Budget, begun: float, trim: bool) -> Plan:
    count = len(made.entrants)
    if trim:
        count = max(2, min(count, int(budget.amount / (made.seeds * ENOUGH_IMAGES))))
    runs = count * made.seeds
    least = BATCHES * max(e.recipe.schedule.batch for e in made.entrants[:count])
    if budget.amount < least * runs:
        raise Unusable(
            f"--budget {budget.text}: too small for {count} candidates with {made.seeds} seeds: {BATCHES} batches each are the "
            f"least; give at least images:{least * runs}, or fewer candidates or --seeds"
        )
    return made._replace(entrants=made.entrants[:count], images=int(budget.amount / runs))


def _share_time(made: Plan, budget: Budget, begun: float, trim: bool) -> Plan:
    parallel = made.workers if budget.unit == "wall" else 1
    spent = time.monotonic() - begun + FINISH
    total = (budget.amount - spent) * parallel
    count = len(made.entrants)
    if trim:
        count = max(2, min(count, int(total / (made.seeds * (made.overhead + made.enough)))))
    rounds = math.ceil(count * made.seeds / parallel)  # the last one may be half empty
    seconds = total / parallel / rounds - made.overhead
    if seconds < 1:
        need = math.ceil((spent + (made.overhead + 3) * rounds) / 10) * 10
        raise Unusable(
            f"--budget {budget.text}: too small for {count} candidates with {made.seeds} seeds: start and evaluation alone take "
            f"{made.overhead:.0f} s a run; give at least {budget.unit + ':' if budget.unit == 'cpu' else ''}{need}s, or fewer "
            "candidates or --seeds"
        )
    wall = rounds * (seconds + made.overhead) if budget.unit == "wall" else None
    return made._replace(entrants=made.entrants[:count], seconds=seconds, wall=wall)


def _test_samples(data: Dataset, extracted: float) -> int:
    """As many test samples as a tenth of a run's share of the budget can extract features for; 300 to 2,000 of them."""
    return min(len(data.split.test), 2000, max(300, int(extracted / 10 / DRAWS)))


@contextmanager
def _as_a_trial() -> Iterator[None]:
    """One thread, as a trial has."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds_a_check(data: Dataset, device: str) -> tuple[float, int]:
    """What one look at the validation part takes here, and of how many samples it is."""
    bench = prepare(data, "validation", n=CHECKED, device=device)
    with _as_a_trial():
        bench.extractor(bench.real[:8])
        begin = time.perf_counter()
        bench.quick(bench.real)
        return time.perf_counter() - begin, bench.n


def _seconds_a_step(entrant: Entrant, data: Dataset, device: str) -> float:
    """What a step of the first candidate takes on one thread here."""
    gan = build(entrant.recipe, data.shape, classes=len(data.classes), device=device)
    gan.precision = machine.precision("auto", device, gan.generator)
    with _as_a_trial():
        warm, done = train(gan, data, steps=8, every=4)
    return (done.seconds - warm.seconds) / 4


def race(made: Plan, data: Dataset, budget: Budget, out: Path, device: str, watch: local.Watch, begun: float) -> dict[str, Any]:
    """Runs the plan in ``out`` and returns the result as the contract has it; ``interrupted`` is true after a signal."""
    folder = out / "data"
    save(data, folder)
    # seeds outside: where time runs short, all candidates lose their last seed rather than the last candidates all of theirs
    trials = [_prepare(made, entrant, seed, folder, out, device) for seed in range(made.seeds) for entrant in made.entrants]
    write_json(out / "plan.json", made._asdict() | {"entrants": [e.name for e in made.entrants], "budget": budget.text})
    stopped = local.Engine(made.workers, _clock(made, budget, begun), watch).run(trials)
    result = rank(out, made.entrants, data.kind, stopped)
    write_json(out / "race.json", result)
    return result


def _clock(made: Plan, budget: Budget, begun: float) -> local.Clock:
    """Training ends in time for the last scores. Grace is twice the time that those should take, and a tenth of the budget."""
    if budget.unit != "wall" or made.seconds is None:
        return local.Clock(math.inf, 0.0, math.inf)
    deadline = begun + budget.amount - FINISH - made.scoring
    return local.Clock(deadline, START + made.seconds / 2, 5 + 2 * made.scoring + budget.amount / 10)


def _prepare(made: Plan, entrant: Entrant, seed: int, folder: Path, out: Path, device: str) -> RunDirectory:
    run = RunDirectory(out / "runs" / f"{entrant.name}-s{seed}")
    run.path.mkdir(parents=True)
    guard = 1.5 * made.seconds + 5 if made.seconds and made.wall else None
    limit = {"seconds": made.seconds, "images": made.images, "wall": guard}
    job = {
        "data": str(folder),
        "recipe": entrant.recipe.model_dump(mode="json"),
        "limit": limit,
        "seed": seed,
        "device": device,
        "n": made.n,
        "draws": made.draws,
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
    short: list[str]  # runs that got less than their share, because time ran out


def rank(out: Path, entrants: Sequence[Entrant], kind: Kind, stopped: int = 0) -> dict[str, Any]:
    """The ranking of the runs in ``out``: healthy candidates by their score, then the sick ones, which can't win.

    ``stopped`` is the signal that interrupted the race, 0 for none.
    """
    metric = ranking_metric(kind)
    outcomes = [_outcome(out, entrant) for entrant in entrants]
    scored = [o for o in outcomes if any(s["metric"] == metric for s in o.scores)]
    healthy = [o for o in scored if o.verdict not in SICK]
    rows: list[dict[str, Any]] = []
    for group in (healthy, [o for o in scored if o not in healthy]):
        rows += _standings(group, metric, len(rows))
    rows += [_row(o, None, len(rows) + 1 + i) for i, o in enumerate(o for o in outcomes if o not in scored)]
    leader = rows[0] if healthy else None
    return {
        "ranking": rows,
        "metric": metric,
        "winner": leader["recipe"] if leader and len(healthy) > 1 and not leader["tied_with"] else None,
        "recommended": _recommended(leader, rows, metric) if leader else None,
        "interrupted": stopped != 0,
        "signal": stopped,
        "out": str(out),
    }


def _recommended(leader: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The cheapest of the best: tied with the leader, and so close that the leader's own score can't tell them apart.

    With two or three seeds a tie alone is weak evidence, so a tied candidate has to lie within the interval that the leader's
    test samples give, and to reach its best checkpoint in four fifths of the leader's time or less.
    """
    scores = [s for s in leader["scores"] if s["metric"] == metric]
    low, high = (float(np.mean([s[side] for s in scores])) for side in ("low", "high"))
    cheap = 0.8 * leader["cost"]["seconds_to_best"]
    near = [r for r in rows if r["recipe"] in leader["tied_with"] and low <= r["summary"][metric] <= high]
    cheaper = [r for r in near if r["cost"]["seconds_to_best"] <= cheap]
    best: Mapping[str, Any] = min(cheaper, key=lambda r: float(r["cost"]["seconds_to_best"]), default=leader)
    return str(best["recipe"])


def _outcome(out: Path, entrant: Entrant) -> Outcome:
    runs = [RunDirectory.open(p.parent) for p in sorted((out / "runs").glob(f"{entrant.name}-s*/run.json"))]
    runs = [r for r in runs if r.read()["name"] == entrant.name]
    told = [r.read() for r in runs]
    scores = [s | {"seed": t["seed"]} for r, t in zip(runs, told, strict=True) for s in _scores(r)]
    verdicts = [read_json(r.doctor)["verdict"] for r in runs if r.doctor.is_file()]
    worst = max(verdicts, key=VERDICTS.index, default="unknown")
    begun = [t for t in told if "steps" in t]
    cost = {name: _mean([t.get(name, 0.0) for t in begun]) for name in ("seconds", "images", "steps")}
    cost["seconds_to_best"] = _mean([t.get("best", {}).get("seconds", 0.0) for t in begun])
    broken = [f"{r.path.name}: {t['broken']}" for r, t in zip(runs, told, strict=True) if "broken" in t]
    short = [words for r, t in zip(runs, told, strict=True) if (words := _short(r, t))]
    return Outcome(entrant, runs, scores, worst, cost, broken[0] if broken else None, short)


def _scores(run: RunDirectory) -> list[dict[str, Any]]:
    """Those of a run that are numbers: of what has diverged some are not."""
    scores = read_json(run.scores)["scores"] if run.scores.is_file() else []
    scores = [s | {side: float(s[side]) for side in ("value", "low", "high")} for s in scores]
    return [s for s in scores if math.isfinite(s["value"])]


def _short(run: RunDirectory, told: Mapping[str, Any]) -> str | None:
    """What a run got of its share, where that was under four fifths of it for want of time."""
    share = told["job"]["limit"]["seconds"]
    if told["status"] == "waiting" and "broken" not in told:
        return f"{run.path.name} was not begun"
    if not share or told["status"] != "done" or told["verdict"] == "failed" or told["seconds"] >= 0.8 * share:
        return None
    return f"{run.path.name} got {told['seconds']:.0f} of its {share:.0f} s"


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 2) if values else 0.0


def _standings(group: Sequence[Outcome], metric: str, before: int) -> list[dict[str, Any]]:
    if not group:
        return []
    mine = {o.entrant.name: [s for s in o.scores if s["metric"] == metric] for o in group}
    every = [s for scores in mine.values() for s in scores]
    halves = [half for s in every if math.isfinite(half := (s["high"] - s["low"]) / 2)]
    noise = float(np.median(halves or [0.0])) + 1e-12
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
        "short": outcome.short,
        "runs": [str(r.path) for r in outcome.runs],
    }


def summary(scores: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Each metric's mean over the seeds."""
    metrics = dict.fromkeys(s["metric"] for s in scores)
    return {m: float(np.mean([s["value"] for s in scores if s["metric"] == m])) for m in metrics}

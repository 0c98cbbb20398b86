"""What each run of a race gets: the budget shared out over the ladder, evaluation taken off first."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ganwise import machine, pace
from ganwise.build import build
from ganwise.data import Dataset
from ganwise.evaluate import prepare
from ganwise.recipe import Recipe
from ganwise.study.budget import Budget
from ganwise.study.halving import SHARES, Ladder, ladder, parts, work
from ganwise.study.rungs import operations
from ganwise.study.trial import CHECKED, CHECKS, DRAWS, drawn
from ganwise.train import train
from ganwise.types import Unusable

START, FINISH = 0.7, 4.0
"""Seconds that a task takes to begin and to end, checkpoint included, and that ranking and the report take at the end."""
ENOUGH, ENOUGH_STEPS = 20.0, 2000
"""Seconds and steps of training to the end under which a comparison says little: fewer candidates are raced instead."""
ENOUGH_IMAGES = 30_000
"""As `ENOUGH`, for a budget in images."""
BATCHES = 10
"""Batches that a run must be able to train on at least."""


class Entrant(NamedTuple):
    name: str
    recipe: Recipe


class Plan(NamedTuple):
    """What each run of the race gets if it trains to the end: the same for all, in one of seconds, images and operations."""

    entrants: tuple[Entrant, ...]
    seeds: int
    seconds: float | None
    images: int | None
    flops: float | None
    workers: int
    n: int  # test samples against as many fakes
    draws: int
    overhead: float  # seconds of a run to the end besides training: starts, checks, scores
    scoring: float  # seconds of it after training
    wall: float | None  # seconds that the race should take, where its budget is a time
    enough: float  # seconds of training that a run to the end should have
    tune: int = 0  # settings of each candidate that are tried to the first rung before the race

    @property
    def ladder(self) -> Ladder:
        return ladder([entrant.name for entrant in self.entrants], self.seeds)

    @property
    def searched(self) -> float:
        """What trying settings costs, in full runs."""
        return len(self.entrants) * self.tune * SHARES[0]

    def seconds_a_round(self, candidates: int) -> float:
        """Of the wall: one setting of each, to the first rung."""
        return math.ceil(candidates / self.workers) * ((self.seconds or 0.0) * SHARES[0] + START)

    @property
    def limit(self) -> dict[str, float | None]:
        """Of a run to the end, as `trial.Limit` takes it. The wall guards the race's deadline on a busy machine."""
        guard = 1.5 * self.seconds + 5 if self.seconds and self.wall else None
        return {"seconds": self.seconds, "images": self.images, "flops": self.flops, "wall": guard}

    def as_json(self) -> dict[str, Any]:
        """`plan.json`: all that a race needs to go on."""
        recipes = {entrant.name: entrant.recipe.model_dump(mode="json") for entrant in self.entrants}
        rungs = [rung._asdict() for rung in self.ladder.rungs]
        return self._asdict() | {"entrants": list(recipes), "recipes": recipes, "ladder": rungs}


def read(told: Mapping[str, Any], where: str) -> Plan:
    """The plan that a race was begun with.

    Raises:
        Unusable: No plan of this version.
    """
    try:
        entrants = tuple(Entrant(name, Recipe.model_validate(told["recipes"][name])) for name in told["entrants"])
        fields = {name: told[name] for name in Plan._fields if name != "entrants" and (name != "tune" or name in told)}
        return Plan(entrants, **fields)
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(f"{where}: no plan that this version can go on with ({str(error)[:80]}); race into a new --out") from None


def workers(device: str) -> int:
    """One trial per core, or per GPU."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.device_count()
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def plan(
    entrants: Sequence[Entrant],
    data: Dataset,
    budget: Budget,
    seeds: int,
    device: str,
    begun: float,
    trim: bool = True,
    slots: int | None = None,
    tune: int = 0,
) -> Plan:
    """Shares the budget out; with ``trim`` the list is cut so that whoever trains to the end gets `ENOUGH` seconds and steps.

    ``begun`` is when the clock of a wall budget started, in monotonic seconds; ``slots`` are trials at once, by default as many
    as this machine has cores or GPUs.

    Raises:
        Unusable: The budget does not even pay for the evaluation.
    """
    at_once = slots or workers(device)
    check, checked = _seconds_a_check(data, device, budget.unit)
    parallel = at_once if budget.unit == "wall" else 1
    timed = budget.unit in ("wall", "cpu")
    runs = work(ladder([e.name for e in entrants], seeds)) + len(entrants) * tune * SHARES[0]
    n = _test_samples(data, budget.amount * parallel * checked / check / runs if timed else math.inf)
    draws = drawn(n)
    # a score has intervals and more metrics than a check: twice the time a sample, measured on digits
    scoring = START + 2 * draws * n * check / checked
    overhead = len(SHARES) * START + len(CHECKS) * check + scoring
    enough = max(ENOUGH, ENOUGH_STEPS * _seconds_a_step(entrants[0], data, device)) if trim and timed else 0.0
    made = Plan(tuple(entrants), seeds, None, None, None, at_once, n, draws, overhead, scoring, None, enough, tune)

    def shared() -> Plan:
        return _share_time(made, budget, begun, trim, check) if timed else _share_work(made, data, budget, trim)

    paces(shared(), data, device)  # refused before anything long begins
    prepare(data, "test", n=n, device=device).yardsticks  # noqa: B018  # cached here once, for all trials
    return shared()


def _share_work(made: Plan, data: Dataset, budget: Budget, trim: bool) -> Plan:
    """Images or operations: the ladder costs so many full runs at most."""
    images = budget.unit == "images"

    def runs(count: int) -> float:
        fewer = made._replace(entrants=made.entrants[:count])
        return work(fewer.ladder) + fewer.searched

    count = len(made.entrants)
    while trim and images and count > 2 and budget.amount < ENOUGH_IMAGES * runs(count):
        count -= 1
    entrants = made.entrants[:count]
    a_batch = max(float(e.recipe.schedule.batch) if images else operations(e.recipe, data) for e in entrants)
    least = math.ceil(BATCHES * a_batch * runs(count))
    if budget.amount < least:
        need = f"images:{least}" if images else f"flops:{least:.2g}"
        raise Unusable(
            f"--budget {budget.text}: too small for {count} candidates with {made.seeds} seeds: {BATCHES} batches each are the "
            f"least; give at least {need}, or fewer candidates or --seeds"
        )
    share = budget.amount / runs(count)
    return made._replace(entrants=entrants, images=int(share) if images else None, flops=None if images else share)


def _share_time(made: Plan, budget: Budget, begun: float, trim: bool, check: float) -> Plan:
    spent = time.monotonic() - begun + FINISH
    total, count = budget.amount - spent, len(made.entrants)

    def solved(count: int) -> tuple[float, float, float]:
        """Seconds of training of a run to the end, besides what the ladder takes, and how often that much is taken."""
        besides, times = _time(made._replace(entrants=made.entrants[:count]), budget, check)
        return (total - besides) / times, besides, times

    while trim and count > 2 and solved(count)[0] < made.enough:
        count -= 1
    seconds, besides, times = solved(count)
    if seconds < 1:
        need = math.ceil((spent + besides + 3 * times) / 10) * 10
        raise Unusable(
            f"--budget {budget.text}: too small for {count} candidates with {made.seeds} seeds: start and evaluation alone take "
            f"{made.overhead:.0f} s a run; give at least {budget.unit + ':' if budget.unit == 'cpu' else ''}{need}s, or fewer "
            "candidates or --seeds"
        )
    wall = besides + times * seconds if budget.unit == "wall" else None
    return made._replace(entrants=made.entrants[:count], seconds=seconds, wall=wall)


def _time(made: Plan, budget: Budget, check: float) -> tuple[float, float]:
    """Seconds besides training, and how often a full run's training is paid; of the wall, by rounds of workers."""
    parallel, steps = made.workers if budget.unit == "wall" else 1, made.ladder
    finalists = steps.rungs[-1].places * made.seeds
    besides, times, before = math.ceil(finalists / parallel) * made.scoring, 0.0, 0.0
    for rung, (runs, share) in zip(steps.rungs, parts(steps), strict=True):
        rounds = math.ceil(runs / parallel)  # the last one may be half empty
        checks = sum(before < at <= rung.share for at in CHECKS)
        besides += rounds * (START + checks * check)
        times += rounds * share
        before = rung.share
    rounds = made.tune * math.ceil(len(made.entrants) / parallel)
    return besides + rounds * (START + check), times + rounds * SHARES[0]


def _test_samples(data: Dataset, extracted: float) -> int:
    """As many test samples as a tenth of a run's share of the budget can extract features for; 300 to 2,000 of them."""
    return min(len(data.split.test), 2000, max(300, int(min(extracted, 1e9) / 10 / DRAWS)))


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


def _seconds_a_check(data: Dataset, device: str, unit: str) -> tuple[float, int]:
    """What one look at the validation part takes here, and of how many samples it is; by the clock that the budget goes by."""
    clock = time.process_time if unit == "cpu" and device == "cpu" else time.perf_counter
    bench = prepare(data, "validation", n=CHECKED, device=device)
    with _as_a_trial():
        bench.extractor(bench.real[:8])
        begin = clock()
        bench.quick(bench.real)
        return clock() - begin, bench.n


def paces(made: Plan, data: Dataset, device: str) -> dict[str, str]:
    """How each candidate computes: decided once, so that two of its seeds differ in nothing else."""
    with _as_a_trial():
        return {name: pace.choose(recipe, data.shape, len(data.classes), device).way for name, recipe in made.entrants}


def _seconds_a_step(entrant: Entrant, data: Dataset, device: str) -> float:
    """What a step of the first candidate takes on one thread here."""
    gan = build(entrant.recipe, data.shape, classes=len(data.classes), device=device)
    gan.compute(*machine.way(pace.choose(entrant.recipe, data.shape, len(data.classes), device).way))
    with _as_a_trial():
        warm, done = train(gan, data, steps=8, every=4)
    return (done.seconds - warm.seconds) / 4

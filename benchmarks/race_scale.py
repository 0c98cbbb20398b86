"""The scheduler with 10,000 trials on 1,000 workers that fail, in simulated time: how busy are they, and what does it cost?

    python benchmarks/race_scale.py [--trials 10000] [--workers 1000]        results/race/scale.jsonl

The race's own `study.halving.Halving` is driven by a clock of events. A run takes ten minutes; in a second race, with a budget in
images, as long as its GAN is slow (log-normal, a factor of two for two standard deviations). A start costs two seconds. A worker
dies once in two hours on average and is back after a minute; what it trained goes on elsewhere from its last checkpoint.

A ladder gets narrower, and in the end has fewer runs than there are workers. So ``busy`` is counted until the runs of this rung
and the places of the next are together fewer than the workers, as a share of the time that they were up; ``busy_to_the_end`` is
the same of the whole race.
"""

from __future__ import annotations

import argparse
import heapq
import json
import resource
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganwise.study.halving import Halving, Job, Key, Look, ladder

HERE = Path(__file__).parent / "results" / "race"
RUN, START, LIFE, REPAIR, SAVED = 600.0, 2.0, 7200.0, 60.0, 30.0
"""Seconds: of a run, of a start, between failures of a worker, of its repair, of training between checkpoints."""
SEEDS, SEED, EVEN, SLOW = 3, 5, 0.03, 0.35
"""The last two: deviation of the log of a run's seconds, where budgets are time and where they are images."""


class Going(NamedTuple):
    """What a worker does since ``begun``; ``token`` tells its end from those of what was stopped."""

    job: Job
    begun: float
    ahead: bool
    token: int


class Cluster:
    """A race in simulated time. ``spent`` counts seconds of workers by what they were for."""

    def __init__(self, trials: int, workers: int, slow: float = EVEN, ahead: bool = True, life: float = LIFE) -> None:
        self.rng, self.ahead = np.random.default_rng(SEED), ahead
        names = [str(i) for i in range(trials // SEEDS)]
        self.halving = Halving(ladder(names, SEEDS))
        self.shares = (0.0, *(rung.share for rung in self.halving.plan.rungs))
        self.seconds = dict(zip(names, RUN * np.exp(self.rng.normal(0, slow, len(names))), strict=True))
        self.quality = dict(zip(names, self.rng.normal(0, 1, len(names)), strict=True))
        self.events: list[tuple[float, int, int, str]] = []
        self.going: dict[int, Going] = {}
        self.idle: dict[int, float] = {}
        self.saved: dict[Key, float] = {}
        self.spent = dict.fromkeys(("rungs", "ahead", "in vain", "start", "again", "down"), 0.0)
        self.waits: list[tuple[int, float, float]] = []  # worker, from, to
        self.finished, self.enough = [0] * len(self.shares), 0.0  # jobs of each rung, and until when there was one for all
        self.paid: dict[Key, float] = {}
        self.now, self.count, self.failures, self.life, self.workers = 0.0, 0, 0, life, workers

    def go(self) -> None:
        for worker in range(self.workers):
            self.idle[worker] = 0.0
            self._later(self.rng.exponential(self.life), worker, "dies")
        self._hand_out()
        while not self.halving.done:
            self.now, token, worker, what = heapq.heappop(self.events)
            if what == "dies":
                self._dies(worker)
            elif what == "back":
                self.idle[worker] = self.now
                self._later(self.rng.exponential(self.life), worker, "dies")
            elif worker in self.going and self.going[worker].token == token:
                self._ends(worker)
            self._hand_out()
            if self._parallel() >= self.workers:
                self.enough = self.now
        for worker in list(self.going):
            self._leaves(worker)
        for worker in list(self.idle):
            self._waited(worker)
        used = {job[:3] for job in self.halving.looks}
        for key, seconds in self.paid.items():
            self.spent["ahead" if key in used and self._counted(key) else "in vain"] += seconds

    def _counted(self, key: Key) -> bool:
        """Whether the candidate came to the rung to which a run of it had run ahead."""
        return key[0] in self.halving.cuts[key[2] - 1].on

    def _later(self, seconds: float, worker: int, what: str) -> int:
        self.count += 1
        heapq.heappush(self.events, (self.now + seconds, self.count, worker, what))
        return self.count

    def _parallel(self) -> int:
        """Jobs that may run now without being more than the ladder can need."""
        rung, rungs = self.halving.rung, self.halving.plan.rungs
        here = len(self.halving.cuts[rung - 1].on) if rung else len(self.seconds)
        later = rungs[rung + 1].places if rung + 1 < len(rungs) else 0
        return (here + later) * SEEDS - self.finished[rung] - self.finished[rung + 1]

    def _waited(self, worker: int) -> None:
        self.waits.append((worker, self.idle.pop(worker), self.now))

    def _hand_out(self) -> None:
        for worker in list(self.idle):
            job = self.halving.take("any" if self.ahead else "no")
            if job is None:
                return
            self._waited(worker)
            token = self._later(START + self._left(job), worker, "ends")
            self.going[worker] = Going(job, self.now, job.rung > self.halving.rung, token)

    def _left(self, job: Job) -> float:
        part = self.shares[job.rung + 1] - self.shares[job.rung]
        return part * float(self.seconds[job.name]) - self.saved.get(job[:3], 0.0)

    def _ends(self, worker: int) -> None:
        job = self._leaves(worker, whole=True).job
        self.finished[job.rung] += 1
        noise = 0.3 * float(np.random.default_rng([SEED, int(job.name), job.seed, job.rung]).normal())
        self.halving.finish(job.name, job.seed, job.rung, Look(float(np.exp(self.quality[job.name] + noise)), "healthy"))
        for other, going in list(self.going.items()) if self.halving.rung != self._rung else ():
            if not self.halving.wanted(going.job):
                self._leaves(other)
                self.idle[other] = self.now
        self._rung = self.halving.rung
        self.idle[worker] = self.now

    _rung = 0

    def _leaves(self, worker: int, whole: bool = False) -> Going:
        """A worker stops, at the end of its job or before; its training up to the last checkpoint is kept."""
        going = self.going.pop(worker)
        spent = self.now - going.begun
        trained = max(0.0, spent - START)
        kept = trained if whole else SAVED * int(trained / SAVED)
        self.spent["start"] += spent - trained
        self.spent["again"] += trained - kept
        self.saved[going.job[:3]] = self.saved.get(going.job[:3], 0.0) + kept
        if going.ahead:
            self.paid[going.job[:3]] = self.paid.get(going.job[:3], 0.0) + kept
        else:
            self.spent["rungs"] += kept
        return going

    def _dies(self, worker: int) -> None:
        self.failures += 1
        if worker in self.going:
            self.halving.give_back(self._leaves(worker).job)
        else:
            self._waited(worker)
        self.spent["down"] += REPAIR
        self._later(REPAIR, worker, "back")


def measured(trials: int, workers: int, slow: float = EVEN, ahead: bool = True) -> dict[str, Any]:
    """One simulated race, with what the scheduler itself took. Parts are of the time that workers were up."""
    begin = time.process_time()
    cluster = Cluster(trials, workers, slow, ahead)
    cluster.go()
    took, spent = time.process_time() - begin, cluster.spent
    able = cluster.now * workers - spent.pop("down")
    idle = np.zeros((2, workers))
    for worker, since, until in cluster.waits:
        idle[0, worker] += max(0.0, min(until, cluster.enough) - since)
        idle[1, worker] += until - max(since, min(until, cluster.enough))
    parts = spent | {"idle": idle[0].sum(), "idle after that": idle[1].sum()}
    return {
        "trials": trials,
        "workers": workers,
        "seconds_of_a_run": RUN,
        "their_deviation": slow,
        "ahead": ahead,
        "hours": round(cluster.now / 3600, 3),
        "hours_with_a_run_for_each_worker": round(cluster.enough / 3600, 3),
        "failures": cluster.failures,
        "busy": round(float(1 - idle[0].mean() / cluster.enough), 4),
        "least_busy_worker": round(float(1 - idle[0].max() / cluster.enough), 4),
        "busy_to_the_end": round(float(1 - idle.sum() / able), 4),
        "parts": {name: round(float(seconds / able), 4) for name, seconds in parts.items()},
        "scheduler_cpu_seconds": round(took, 2),
        "milliseconds_a_trial": round(1000 * took / trials, 3),
        "megabytes_of_the_process": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000, help="candidates times seeds")
    parser.add_argument("--workers", type=int, default=1_000)
    given = parser.parse_args()
    rows = [measured(given.trials, given.workers, slow, ahead) for slow, ahead in ((EVEN, True), (SLOW, True), (EVEN, False))]
    HERE.mkdir(parents=True, exist_ok=True)
    (HERE / "scale.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()

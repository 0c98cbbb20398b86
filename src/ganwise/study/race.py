"""The race: candidates climb the ladder on whatever engine, free workers run ahead, the finalists are scored on the test part.

Who trains on is decided by `halving` from the looks that the runs have left in their directories. So a race that was ended,
however it was ended, goes on by reading them, and a longer one repeats nothing that is there.
"""

from __future__ import annotations

import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ganwise import machine
from ganwise.artifacts import RunDirectory, read_json, write_json
from ganwise.data import Dataset, save
from ganwise.metrics import ranking_metric
from ganwise.study.budget import Budget
from ganwise.study.engine import Ended, Engine, Stop, Task
from ganwise.study.halving import Halving, Job, Look
from ganwise.study.local import Local
from ganwise.study.looks import healed_of, inherited, known, parent_of, run_of
from ganwise.study.plan import FINISH, START, Entrant, Plan, paces
from ganwise.study.ranking import counted, rank
from ganwise.study.trial import ENOUGH
from ganwise.types import Kind

Watch = Callable[[list[RunDirectory]], None]
PATIENCE = 30.0
"""Seconds that trials get to save their work after a signal."""
TRIES = 2
"""Of a task: one that dies is begun again once, from its last checkpoint."""
OFTEN = 0.5
"""Seconds between two signals to a trial that is late: it may not listen yet."""


class Index(Protocol):
    """Hears of every run that has changed, as `record.Index` does."""

    def put(self, run: RunDirectory) -> None: ...


class Clock(NamedTuple):
    """Of a wall budget, in monotonic seconds: when the race has to end, and how long each rung and the scores may take."""

    end: float = math.inf
    rungs: tuple[float, ...] = ()
    scoring: float = 0.0
    grace: float = math.inf  # after its deadline a task that does not listen is killed


@dataclass
class Running:
    """A task under way. ``job`` is None where it is scored."""

    task: Task
    job: Job | None
    asked: float = 0.0  # when it was last asked to end


@dataclass
class Race:
    """A race under way in ``out``."""

    plan: Plan
    kind: Kind
    out: Path
    data: Path
    device: str
    clock: Clock
    engine: Engine
    watch: Watch
    index: Index | None = None
    ways: Mapping[str, str] = field(default_factory=dict)  # how each candidate computes, the same for all of its seeds
    running: dict[Path, Running] = field(default_factory=dict, init=False)
    again: list[Running] = field(default_factory=list, init=False)
    tries: Counter[tuple[Path, float | None]] = field(default_factory=Counter, init=False)
    stage: int = field(default=-1, init=False)  # the rung, or the scoring, that ``deadline`` is of
    deadline: float = field(default=math.inf, init=False)

    def __post_init__(self) -> None:
        self.ladder = self.plan.ladder
        self.halving = Halving(self.ladder)
        self.metric = ranking_metric(self.kind)
        self.ahead: Any = "any" if self.plan.wall else "sure"  # a metered budget pays for nothing that may be wasted

    def go(self) -> int:
        """Runs all that is missing; 0 when it is done, else the signal that ended it, with the work of its trials saved."""
        with Stop().listening() as stop:
            try:
                for entrant in self.plan.entrants:
                    for seed in range(self.plan.seeds):
                        self._prepare(entrant, seed)
                while not stop.number:
                    if self.stage != self._stage():
                        self._decided()
                    self._fill()
                    if not self.running:
                        break
                    self.watch([one.task.run for one in self.running.values()])
                    for ended in self.engine.finished(0.1):
                        self._hear(ended)
                    self._keep_time()
                self.watch([one.task.run for one in self.running.values()])
                if stop.number:
                    self._save()
            finally:  # nothing outlives us: not after a second signal, nor when watch fails
                self.engine.close()
        return stop.number

    def run(self, name: str, seed: int) -> RunDirectory:
        return run_of(self.out / "runs", name, seed)

    def _job(self, entrant: Entrant, seed: int) -> dict[str, Any]:
        job = {"data": str(self.data), "recipe": entrant.recipe.model_dump(mode="json"), "limit": self.plan.limit, "seed": seed}
        return job | {"device": self.device, "precision": self._way(entrant), "n": self.plan.n, "draws": self.plan.draws}

    def _way(self, entrant: Entrant) -> str:
        """How a candidate computes: as its first seed was told to, where there is one already."""
        first = RunDirectory(self.out / "runs" / f"{entrant.name}-s0")
        told = first.read() if first.run.is_file() else {}
        return str(told.get("job", {}).get("precision") or machine.told(told) or self.ways.get(entrant.name, "auto"))

    def _prepare(self, entrant: Entrant, seed: int) -> None:
        """Writes the run's job, or hears what is known of a run that was begun before. What broke off gets another try."""
        run, job = self.run(entrant.name, seed), self._job(entrant, seed)
        if not run.run.is_file():
            run.path.mkdir(parents=True, exist_ok=True)
            run.update(name=entrant.name, status="waiting", job=job)
            return
        told = run.read()
        kept = {name: told["job"][name] for name in ("recipe", "parent", "rung", "lost") if name in told["job"]}
        fresh = {name: value for name, value in told.items() if name not in ("broken", "closed")}
        write_json(run.run, fresh | {"job": job | kept})
        if parent := parent_of(run):
            parent.update(healed=run.path.name)
        for rung, look in inherited(run, self.plan.limit, self.ladder, self.metric):
            self.halving.finish(entrant.name, seed, rung, look)

    def _fill(self) -> None:
        while len(self.running) < self.engine.slots and (one := self._next()):
            self.running[one.task.run.path] = one
            self.tries[_key(one.task)] += 1
            self.engine.start(one.task)

    def _next(self) -> Running | None:
        if self.again:
            return self.again.pop()
        if job := self.halving.take(self.ahead):
            run = self.run(job.name, job.seed)
            return Running(Task(self._heal(job, run) if job.heal else run, self._share(job)), job)
        if self.halving.done and time.monotonic() < self.deadline + self.clock.grace:
            return next((Running(task, None) for task in self._unscored() if not self.tries[_key(task)]), None)
        return None

    def _share(self, job: Job) -> float:
        return self.ladder.rungs[job.rung].share

    def _heal(self, job: Job, sick: RunDirectory) -> RunDirectory:
        """The directory of the run that takes a sick one's place; its process heals it."""
        told = sick.read()
        if "parent" in told["job"]:
            return sick
        run = healed_of(sick)
        run.path.mkdir(exist_ok=True)
        run.update(name=job.name, status="waiting", job=told["job"] | {"parent": sick.path.name, "rung": job.rung})
        sick.update(healed=run.path.name)
        self._changed(sick)
        return run

    def _unscored(self) -> list[Task]:
        """Runs of the finalists that have a model: they are scored on the test part, and nobody else is."""
        found = []
        for name in self.halving.finalists:
            runs = [self.run(name, seed) for seed in range(self.plan.seeds)]
            found += counted([(run, run.read()) for run in runs])
        return [Task(run, None) for run in found if run.model.is_file() and not run.scores.is_file()]

    def _hear(self, ended: Ended) -> None:
        one = self.running.pop(ended.task.run.path)
        run = ended.task.run
        if one.job is None:
            done = run.scores.is_file()
        else:
            looks = dict(known(run, self.plan.limit, self.ladder, self.metric))
            done = one.job.rung in looks
            if done:
                self.halving.finish(one.job.name, one.job.seed, one.job.rung, looks[one.job.rung])
            elif not self.halving.wanted(one.job):  # it ran ahead, in vain
                return
        if not done:
            self._failed(one, ended.error or "it left no look")
        self._changed(run)

    def _failed(self, one: Running, error: str) -> None:
        late = bool(one.asked) and time.monotonic() > self.deadline
        if self.tries[_key(one.task)] < TRIES and not late:
            one.task.run.update(retried=error)
            self.again.append(Running(one.task, one.job))
            return
        one.task.run.update(broken="killed: it did not end when the budget was spent" if late else error, status="broken")
        if one.job:
            self.halving.finish(one.job.name, one.job.seed, one.job.rung, Look(None))

    def _changed(self, run: RunDirectory) -> None:
        if self.index:
            self.index.put(run)

    def _stage(self) -> int:
        return self.halving.rung + self.halving.done

    def _decided(self) -> None:
        """A rung begins, or the scoring: whoever runs ahead in vain is stopped, and the rung gets its share of the time left."""
        self.stage = self._stage()
        for one in self.running.values():
            if one.job and not self.halving.wanted(one.job):
                self.engine.stop(signal.SIGINT, one.task)
        left = [] if self.halving.done else list(self.clock.rungs[self.halving.rung :])
        whole = sum(left) + self.clock.scoring
        self.deadline = math.inf
        if self.clock.rungs and whole:
            mine = left[0] if left else self.clock.scoring
            self.deadline = time.monotonic() + max(0.0, self.clock.end - time.monotonic()) * mine / whole

    def _keep_time(self) -> None:
        """At a rung's deadline what still trains there is looked at as it is, and what was not begun is left out."""
        late = time.monotonic() - self.deadline
        if late < 0:
            return
        # the last run of a late rung may just have ended: the next one has a deadline of its own, which is not set yet
        while self.stage == self._stage() and not self.halving.done and (job := self.halving.take("no")):
            self.run(job.name, job.seed).update(closed=self._share(job))
            self.halving.finish(job.name, job.seed, job.rung, Look(None))
        for one in list(self.running.values()):
            if one.job and one.job.rung > self.stage:  # it runs ahead
                continue
            if late > self.clock.grace:
                one.asked = time.monotonic()
                self.engine.stop(signal.SIGKILL, one.task)
            elif one.job and time.monotonic() - one.asked > OFTEN:
                one.asked = time.monotonic()
                self.engine.stop(ENOUGH, one.task)

    def _save(self) -> None:
        self.engine.stop(signal.SIGINT)
        end = time.monotonic() + PATIENCE
        while self.running and time.monotonic() < end:
            for ended in self.engine.finished(0.05):
                self._changed(self.running.pop(ended.task.run.path).task.run)


def _key(task: Task) -> tuple[Path, float | None]:
    return task.run.path, task.until


def race(
    made: Plan,
    data: Dataset,
    budget: Budget,
    out: Path,
    device: str,
    watch: Watch,
    begun: float,
    engine: Engine | None = None,
    index: Index | None = None,
    asked: Plan | None = None,
    stopped: int = 0,
) -> dict[str, Any]:
    """Runs what is missing of the plan in ``out`` and returns the result as the contract has it; ``interrupted`` after a signal.

    By default on this machine. ``begun`` is when the clock of a wall budget started, in monotonic seconds. ``asked`` is the plan
    before a search changed its recipes, which a race that goes on begins from; ``stopped`` a signal that ended the search.
    """
    folder = out / "data"
    if not (folder / "dataset.json").is_file():
        save(data, folder)
    keep(asked or made, budget, out)
    engine = engine or Local(made.workers, device == "cuda")
    ways = paces(made, data, device)
    racing = Race(made, data.kind, out, folder, device, clock(made, budget, begun), engine, watch, index, ways)
    stopped = stopped or racing.go()
    result = rank(out, made.entrants, data.kind, stopped, racing.ladder, racing.halving.decision())
    result["cost"]["wall"] = round(_wall(out) + time.monotonic() - begun, 1)
    write_json(out / "race.json", result)
    return result


def _wall(out: Path) -> float:
    """Seconds that a race that goes on has taken before; of a driver that was killed nobody knows them."""
    before = read_json(out / "race.json") if (out / "race.json").is_file() else {}
    return float(before.get("cost", {}).get("wall", 0.0))


def keep(made: Plan, budget: Budget, out: Path) -> None:
    write_json(out / "plan.json", {"format": 1, "budget": budget.text} | made.as_json())


def clock(made: Plan, budget: Budget, begun: float) -> Clock:
    """Each rung gets as much of the wall's time as its rounds of workers take. Grace is a tenth of the budget and two scores."""
    if budget.unit != "wall" or made.seconds is None:
        return Clock()
    rungs, before = [], 0.0
    for rung in made.ladder.rungs:
        rounds = math.ceil((rung.places + rung.spare) * made.seeds / made.workers)
        rungs.append(rounds * ((rung.share - before) * made.seconds + START))
        before = rung.share
    scoring = math.ceil(made.ladder.rungs[-1].places * made.seeds / made.workers) * made.scoring
    return Clock(begun + budget.amount - FINISH, tuple(rungs), scoring, 5 + 2 * made.scoring + budget.amount / 10)

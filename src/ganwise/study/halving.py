"""Successive halving: who trains on, decided by what is finished and by nothing else. No torch, no files, no clock.

All candidates train to a tenth of a run's budget, about a third of them to four tenths, about half of those to the end, each with
all its seeds. A rung is decided when its last run has been looked at, so that the answer depends neither on the order in which
runs finish nor on the engine; free workers may run ahead meanwhile, which changes no decision. Source: jamieson2016nonstochastic,
Successive Halving, with two cuts; li2020system decides asynchronously instead, and its answer depends on timing.

A look is a run's best value on validation so far and the doctor's verdict. Because decisions are a function of looks, to resume
is to hand over the looks again, and to add candidates or seeds is to hand them to a longer ladder.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ganwise.study.tails import t_tail
from ganwise.types import SICK

SHARES = (0.1, 0.4, 1.0)
"""Of a run's full budget: the rungs. Runs are checked on validation there in any case."""
THIRD, HALF = 3, 2
ALL = 3
"""So few candidates all train to the end."""
SECOND = 4
"""Candidates that train on from the first rung, at least."""
LEVEL = 0.05
"""Of the test that tells a candidate below the line from the last one above it."""

Key = tuple[str, int, int]
"""Candidate, seed, rung."""


class Rung(NamedTuple):
    """``places`` candidates train to this ``share`` of a run's budget; ``spare`` more where late bloomers are protected."""

    share: float
    places: int
    spare: int = 0


class Ladder(NamedTuple):
    """``noise`` is the value that can't be told from zero: values are compared as log(value + noise)."""

    candidates: tuple[str, ...]
    seeds: int
    rungs: tuple[Rung, ...]
    noise: float = 0.0


class Look(NamedTuple):
    """A run at a rung. ``value`` is its best on validation so far, lower is better; infinite where it has none, and None where
    there is no run any more: it broke off, or was not begun in time. A sick one is ``curable`` by a remedy that was not tried
    yet; ``late`` says that the doctor's stop rule does not end it.
    """

    value: float | None
    verdict: str = "unknown"
    curable: bool = False
    late: bool = True
    cost: float = 0.0


class Job(NamedTuple):
    """Train this run to this rung; ``heal`` it first, where it is sick."""

    name: str
    seed: int
    rung: int
    heal: bool = False


class Left(NamedTuple):
    """Who left at which rung: ``place`` in its order. By ``rank``; ``sick`` without a remedy left; all its runs ``broken``."""

    name: str
    rung: int
    place: int
    why: Literal["rank", "sick", "broken"]


class Cut(NamedTuple):
    """A rung that is decided: all in their order with their mean log values, who goes on, and who of them is protected."""

    order: tuple[tuple[str, float], ...]
    on: tuple[str, ...]
    protected: tuple[str, ...]


class Decision(NamedTuple):
    """What must run ``now``, what may run ``ahead`` where workers are free, and how the finished rungs were decided.

    Of ``ahead``, ``sure`` jobs will be needed whatever the unfinished runs come to. ``finalists`` are in their order on
    validation, and there once all is ``done``.
    """

    now: tuple[Job, ...]
    ahead: tuple[Job, ...]
    sure: tuple[Job, ...]
    cuts: tuple[Cut, ...]
    left: tuple[Left, ...]
    finalists: tuple[str, ...]

    @property
    def done(self) -> bool:
        return bool(self.finalists)


def ladder(candidates: Sequence[str], seeds: int, noise: float = 0.0) -> Ladder:
    """The rungs for so many candidates: 12 to 18 of them cost 25 to 34 % of training each to the end."""
    count = len(candidates)
    if count <= ALL:
        return Ladder(tuple(candidates), seeds, tuple(Rung(share, count) for share in SHARES), noise)
    second = max(min(SECOND, count), count // THIRD)
    last = max(2, min(3, second // HALF), second // 4)
    spare = 1 if second < count else 0
    rungs = (Rung(SHARES[0], count), Rung(SHARES[1], second, spare), Rung(SHARES[2], last))
    return Ladder(tuple(candidates), seeds, rungs, noise)


def parts(plan: Ladder) -> list[tuple[int, float]]:
    """For each rung the runs that train to it at most, and the share of a run's budget that each of them takes there."""
    before = 0.0
    found = []
    for rung in plan.rungs:
        found.append(((rung.places + rung.spare) * plan.seeds, rung.share - before))
        before = rung.share
    return found


def work(plan: Ladder) -> float:
    """The whole ladder at most, in full runs."""
    return sum(runs * share for runs, share in parts(plan))


class Halving:
    """The ladder under way. ``take`` hands out jobs and ``finish`` hears of looks; each costs next to nothing."""

    def __init__(self, plan: Ladder) -> None:
        self.plan, self.rung = plan, 0
        self.looks: dict[Key, Look] = {}
        self.cuts: list[Cut] = []
        self.left: list[Left] = []
        self.finalists: tuple[str, ...] = ()
        self._place = {name: i for i, name in enumerate(plan.candidates)}
        self._taken: set[Key] = set()
        self._enter(plan.candidates)

    @property
    def done(self) -> bool:
        return bool(self.finalists)

    def finish(self, name: str, seed: int, rung: int, look: Look) -> None:
        """A run has been looked at. What is known already, or concerns nobody in the race, changes nothing."""
        key = (name, seed, rung)
        if key in self.looks or name not in self._place or not 0 <= seed < self.plan.seeds:
            return
        self.looks[key] = look
        if rung == self.rung and name in self._open and not self._gone(name, seed, rung - 1):
            self._looked_at(name)
            self._decide()

    def take(self, ahead: Literal["any", "sure", "no"] = "any") -> Job | None:
        """The next job to start, None where there is none: what must run first, then what may run ahead."""
        while self._now:
            job = self._now.popleft()
            if self._unseen(job):
                return self._take(job)
        for job in self._ahead(ahead == "sure") if ahead != "no" else ():
            return self._take(job)
        return None

    def give_back(self, job: Job) -> None:
        """The job was begun and came to nothing: somebody has to take it again."""
        self._taken.discard(job[:3])
        if job.rung == self.rung and job.name in self._open:
            self._now.appendleft(job)

    def wanted(self, job: Job) -> bool:
        """Whether a job that runs ahead, or began before the last decision, can still count."""
        if self.done:
            return False
        return job.name in self._open if job.rung == self.rung else job.rung > self.rung and job.name in self._entered

    def decision(self) -> Decision:
        """Everything as it stands; jobs that were taken are among those that must run until they are finished."""
        now = () if self.done else tuple(j for j in self._jobs(self.rung, self._entered) if j[:3] not in self.looks)
        ahead, sure = (() if self.done else tuple(self._ahead(only)) for only in (False, True))
        return Decision(now, ahead, sure, tuple(self.cuts), tuple(self.left), self.finalists)

    def _take(self, job: Job) -> Job:
        self._taken.add(job[:3])
        return job

    def _unseen(self, job: Job) -> bool:
        return job[:3] not in self._taken and job[:3] not in self.looks

    def _enter(self, names: Sequence[str]) -> None:
        """``names`` train to the rung; what ran ahead is there already."""
        self._entered = dict.fromkeys(names)
        self._open: dict[str, int] = dict.fromkeys(names, self.plan.seeds)
        self._ranked: list[tuple[bool, float, int]] = []
        self._now = deque(self._jobs(self.rung, names))
        for name in names:
            for seed in range(self.plan.seeds):
                if self._gone(name, seed) or (name, seed, self.rung) in self.looks:
                    self._looked_at(name)

    def _jobs(self, rung: int, names: Sequence[str] | Mapping[str, None]) -> Iterator[Job]:
        """Seeds outside: where time runs short, all candidates lose their last seed rather than the last all of theirs."""
        for seed in range(self.plan.seeds):
            for name in names:
                before = self.looks.get((name, seed, rung - 1))
                if not self._gone(name, seed, rung - 1):
                    yield Job(name, seed, rung, bool(before and before.verdict in SICK and before.curable))

    def _gone(self, name: str, seed: int, rung: int | None = None) -> bool:
        """Whether there is no such run any more at a rung; what broke off while it ran ahead does not count before."""
        last = self.rung if rung is None else rung
        return any((look := self.looks.get((name, seed, r))) is not None and look.value is None for r in range(last + 1))

    def _looked_at(self, name: str) -> None:
        self._open[name] -= 1
        if not self._open[name]:
            del self._open[name]
            insort(self._ranked, (*self._score(name), self._place[name]))

    def _seen(self, name: str, rung: int) -> list[Look]:
        found = (self.looks.get((name, seed, rung)) for seed in range(self.plan.seeds))
        return [look for look in found if look is not None and look.value is not None]

    def _logs(self, name: str) -> np.ndarray:
        values = [look.value for look in self._seen(name, self.rung) if look.value is not None and math.isfinite(look.value)]
        return np.log(np.maximum(values, 0.0) + self.plan.noise + 1e-12)

    def _score(self, name: str) -> tuple[bool, float]:
        """Whether a candidate is barred by a sick run without remedy, and the mean log of its values.

        A run without a value is healed if the candidate goes on, and does not count; of half of the runs there has to be one.
        """
        looks, logs = self._seen(name, self.rung), self._logs(name)
        barred = not looks or any(look.verdict in SICK and not look.curable for look in looks)
        return barred, float(logs.mean()) if len(logs) and 2 * len(logs) >= len(looks) else math.inf

    def _ahead(self, sure: bool) -> Iterator[Job]:
        """Of those looked at so far, the best that the next rung has places for; sure where no unfinished one can displace it."""
        if self.rung + 1 >= len(self.plan.rungs):
            return
        places = self.plan.rungs[self.rung + 1].places - (len(self._open) if sure else 0)
        names = [self.plan.candidates[place] for barred, score, place in self._ranked if not barred and math.isfinite(score)]
        for job in self._jobs(self.rung + 1, names[: max(0, places)]):
            if self._unseen(job):
                yield job

    def _decide(self) -> None:
        """Cuts at every rung that is complete: after what ran ahead the next one may be, too."""
        while not self._open and not self.done:
            order = [(self.plan.candidates[place], score) for _, score, place in self._ranked]
            if self.rung + 1 == len(self.plan.rungs):
                self.cuts.append(Cut(tuple(order), tuple(name for name, _ in order), ()))
                self.finalists = self.cuts[-1].on
                return
            on, protected = self._chosen()
            self.cuts.append(Cut(tuple(order), (*on, *protected), protected))
            going = {*on, *protected}
            barred = {self.plan.candidates[place] for barred, _, place in self._ranked if barred}
            for place, (name, _) in enumerate(order, 1):
                if name not in going:
                    self.left.append(Left(name, self.rung, place, self._why(name, name in barred)))
            self.rung += 1
            self._enter((*on, *protected))

    def _why(self, name: str, barred: bool) -> Literal["rank", "sick", "broken"]:
        return "rank" if not barred else "sick" if self._seen(name, self.rung) else "broken"

    def _chosen(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who goes on, and who besides because it may be a late bloomer. Sick ones without a remedy go on only if all are."""
        after = self.plan.rungs[self.rung + 1]
        able = [self.plan.candidates[place] for barred, _, place in self._ranked if not barred]
        if not able:
            return tuple(self.plan.candidates[place] for _, _, place in self._ranked[: after.places]), ()
        on, below = able[: after.places], able[after.places : after.places + after.spare]
        return tuple(on), tuple(name for name in below if self._late(name) and not self._worse(name, on[-1]))

    def _late(self, name: str) -> bool:
        return any(look.late for look in self._seen(name, self.rung))

    def _worse(self, name: str, last: str) -> bool:
        """Whether a candidate is significantly worse than the last that goes on, by the spread between seeds of all."""
        logs = {self.plan.candidates[place]: self._logs(self.plan.candidates[place]) for _, _, place in self._ranked}
        mine, theirs = logs[name], logs[last]
        squares = [((v - v.mean()) ** 2).sum() for v in logs.values() if len(v) > 1]
        df = sum(len(v) - 1 for v in logs.values() if len(v) > 1)
        if not len(mine) or not len(theirs):
            return bool(len(theirs))
        error = math.sqrt(sum(squares) / df * (1 / len(mine) + 1 / len(theirs))) if df else math.inf
        difference = float(mine.mean() - theirs.mean())
        return difference > 0 and (error == 0 or t_tail(difference / error, max(df, 1)) < LEVEL)


def decide(plan: Ladder, looks: Mapping[Key, Look]) -> Decision:
    """What follows from ``looks``: the same in whatever order they came."""
    halving = Halving(plan)
    for (name, seed, rung), look in looks.items():
        halving.finish(name, seed, rung, look)
    return halving.decision()

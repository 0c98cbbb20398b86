"""One training run from start to end: train, check on validation, keep the best, score on test, write it all down."""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import ganwise
from ganwise import checkpoint, doctor, interrupts, machine, model, pace, pictures
from ganwise.artifacts import RunDirectory, alone, append_row, write_json
from ganwise.build import GAN, build
from ganwise.data import Dataset, open_saved
from ganwise.evaluate import Bench, prepare
from ganwise.metrics import ranking_metric
from ganwise.ranks import ALONE, Ranks
from ganwise.recipe import Recipe, from_data
from ganwise.study.limit import Limit
from ganwise.train import train
from ganwise.types import Record, Score, Unusable

CHECKS = (0.1, 0.4, 0.6, 0.8, 1.0)
"""Shares of the budget after which the generator is measured on validation; the best of them is kept."""
CHECKED = 500
"""Most validation samples of a check."""
MEMORIZED = 0.97
"""Limit of memorization and novelty on validation, two percent above the .95 that the test part is held to."""
DRAWS, FEW = 3, 500
"""Sets of fakes that a score is the mean of where n is at most `FEW`; above, one set is steady enough."""
CHECKPOINTS = "checkpoints"
GRID, CHECK_SEED, SCORE_SEED = 64, 1, 2
VERSIONS = {"ganwise": ganwise.__version__, "torch": torch.__version__, "python": platform.python_version()}


ENOUGH = signal.SIGUSR1
"""The signal that ends the training of a race's trial and lets it score what it has. To any other run it says, as batch systems
do that are about to take the machine away, what SIGTERM says."""
PATIENCE = 30.0
"""Seconds that a trial without a race gets to save its work."""
APART = 1000
"""Most steps between two good states that are kept in memory, to go back to."""


@dataclass
class Stop:
    """Set by a signal; the run ends after its next step, with its work saved. A second signal ends it at once."""

    signal: int = 0
    racing: bool = False  # a race's trial, to which `ENOUGH` is no interruption

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        with interrupts.heard((signal.SIGINT, signal.SIGTERM, ENOUGH), self._set):
            yield self

    def _set(self, number: int, frame: FrameType | None) -> None:
        if self.signal and self.racing and number == ENOUGH:  # a race asks again and again
            return
        again, self.signal = self.interrupted, number
        if again:
            sys.exit(self.status)

    def asked(self, ranks: Ranks) -> bool:
        """Whether any of the processes that train together has got a signal, after the same step for all of them."""
        found = ranks.most(self.signal)
        self.signal = self.signal or found
        return found != 0

    @property
    def interrupted(self) -> bool:
        return self.signal != 0 and not (self.racing and self.signal == ENOUGH)

    @property
    def status(self) -> int:
        """The exit status: 130 after SIGINT, 143 after SIGTERM and after `ENOUGH`."""
        return 128 + (signal.SIGTERM if self.signal == ENOUGH else self.signal) if self.interrupted else 0


@dataclass
class Trial:
    """A run under way, in its directory."""

    run: RunDirectory
    recipe: Recipe
    data: Dataset
    limit: Limit
    seed: int = 0
    device: str = "cpu"
    precision: str = "auto"  # or a name in machine.WAYS
    checkpoint_every: int = 0  # steps; 0 writes none, not at a signal either
    checkpoint_share: float = 0.0  # of the limit, instead of steps
    until: float = 1.0  # share of the limit at which training pauses
    reached: float = 0.0  # share at which it paused before
    resume: bool = False
    start: checkpoint.State | None = None  # of another run, fitted to this one's networks
    ranks: Ranks = ALONE  # of which this is the first process; the others are in study/follower.py
    show: Callable[[Record, float], None] = lambda record, share: None
    say: Callable[[str], None] = lambda line: None
    best: float = field(default=float("inf"), init=False)
    _good: checkpoint.State | None = field(default=None, init=False)

    def go(self, stop: Stop, n: int | None = None, draws: int | None = None) -> list[Score]:
        """Trains until the limit, scores the best checkpoint with ``n`` test samples; returns the scores.

        There are none after an interruption, nor where the run diverged before its first record and left no model.

        Raises:
            Unusable: It is to resume what was another run, or holds no whole checkpoint; or another process trains it.
            Halted: A checkpoint can't be written.
        """
        with alone(self.run.path):
            return self._go(stop, n, draws)

    def _go(self, stop: Stop, n: int | None, draws: int | None) -> list[Score]:
        self.advance(stop)
        return self.finish(stop, n, draws)

    def advance(self, stop: Stop) -> doctor.Diagnosis:
        """Trains until the limit, or to the share of it that is asked for, and lets the doctor look.

        Raises:
            Unusable: As `go`.
        """
        gan = build(self.recipe, self.data.shape, classes=len(self.data.classes), seed=self.seed, device=self.device)
        chosen = self._pace()
        gan.compute(*machine.way(chosen.way))
        state, gan.ranks = self._continue(gan) if self.resume else self.start, self.ranks
        self.ranks.tell(lambda: (chosen.way, state and state._replace(files={})))
        self._begin(gan, state)
        self.run.update(probe=chosen.probe)
        last = self._train(gan, stop, state)
        status = "interrupted" if stop.interrupted else "trained" if self.until >= 1 else "paused"
        self.run.update(status=status, **self._cost(last))
        return self._diagnose(())

    def finish(self, stop: Stop, n: int | None = None, draws: int | None = None) -> list[Score]:
        """Scores the best checkpoint of a trained run on the test part, unless it was interrupted."""
        scores = self._score(stop, n, draws) if self.run.model.is_file() else []
        if not stop.interrupted:
            self._diagnose(scores)
            self.run.update(status="done")
        return scores

    def _diagnose(self, scores: Sequence[Score]) -> doctor.Diagnosis:
        recipe = from_data(self.run.read()["recipe"], str(self.run.run))
        diagnosis = doctor.diagnose(self.run.records(), recipe, scores, running=self.until < 1)
        write_json(self.run.doctor, diagnosis.as_json())
        self.run.update(verdict=diagnosis.verdict)
        return diagnosis

    def _score(self, stop: Stop, n: int | None, draws: int | None) -> list[Score]:
        best = model.load(self.run.model, self.device)
        best.ranks = self.ranks
        pictures.save(pictures.picture(self._sample(best, self._tiles(), SCORE_SEED), self._real()), self.run.grid)
        if stop.interrupted:
            return []
        bench = prepare(self.data, "test", n=n, device=self.device)
        draws = draws or drawn(bench.n)
        scores = bench.scores(self._sample(best, bench.n * draws, SCORE_SEED), draws=draws)
        write_json(self.run.scores, {"scores": scores})
        return scores

    def _pace(self) -> pace.Pace:
        """How it computes. A run goes on as it began, unless another way is asked for by name."""
        told = self.run.read() if self.resume else {}
        if self.precision != "auto":
            return pace.Pace(self.precision, {})
        if before := machine.told(told):
            return pace.Pace(before, told.get("probe", {}))
        return pace.choose(self.recipe, self.data.shape, len(self.data.classes), self.device)

    def _depends(self, gan: GAN) -> dict[str, Any]:
        """What the weights depend on: a run goes on only where all of it is the same."""
        return {
            "recipe": gan.recipe.model_dump(mode="json"),
            "seed": self.seed,
            "data": {"content": self.data.content},
            "device": self.device,
            **machine.described(machine.Way(gan.precision, gan.layout)),
            "threads": torch.get_num_threads(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }

    def _begin(self, gan: GAN, state: checkpoint.State | None) -> None:
        """Notes what the run depends on, so that it can be repeated."""
        write_json(self.run.recipe, self.recipe.model_dump(mode="json"))
        parameters = {p: sum(w.numel() for w in getattr(gan, p).parameters()) for p in ("generator", "discriminator")}
        data: dict[str, Any] = {"name": self.data.name, "source": self.data.source, "content": self.data.content}
        parts = {part: len(getattr(self.data.split, part)) for part in ("train", "validation", "test")}
        data |= {"shape": self.data.shape, "n": len(self.data), "parts": parts}
        self.run.update(**self._depends(gan) | {"status": "running", "data": data})
        self.run.update(versions=VERSIONS, parameters=parameters, processes=self.ranks.count)
        if state:
            self.run.update(resumed=[*self.run.read().get("resumed", []), state.record.step])
        pictures.save(pictures.picture(self._real(), self._real()), self.run.real_grid)

    def _train(self, gan: GAN, stop: Stop, state: checkpoint.State | None) -> Record:
        record = state.record if state else Record(0, 0, 0.0, {})
        told = (state and self.run.records()[-1:]) or [record]  # an interruption between two records shifts no check
        if state and self.limit.share(told[0], 0.0) >= self.until:
            return told[0]
        bench = prepare(self.data, "validation", n=CHECKED, device=self.device)
        pending = [c for c in CHECKS if c > max(self.limit.share(told[0], 0.0), self.reached)]
        begin = time.monotonic() - self.reached * (self.limit.wall or 0.0)
        saved, saving, self._good = self._mark(told[0]), self.checkpoint_every + self.checkpoint_share > 0, state
        steps = self.limit.step(gan, self.until, min(gan.recipe.schedule.batch, len(self.data.split.train)))
        steps_taken = train(gan, self.data, steps=steps, seed=self.seed, start=state, stop=lambda: stop.asked(self.ranks))
        for record in self.ranks.drive(steps_taken):
            if record.signals:
                append_row(self.run.records_file, record.as_json())
            share = self.limit.share(record, time.monotonic() - begin)
            self.show(record, share)
            if not np.isfinite(list(record.signals.values())).all():
                self._go_back(gan, bench, record)
                break
            ended, due = share >= self.until or stop.signal != 0, bool(record.signals and pending) and share >= pending[0]
            if due:
                pending = [c for c in pending if c > share]
                self._check(gan, bench, record)
            save = saving and (ended or self._mark(record) > saved)
            if not self._hold(gan, record, save, ended):
                self._go_back(gan, bench, record)
                break
            saved = self._mark(record) if save else saved
            if ended and not due and not (stop.interrupted and saving and self.run.model.is_file()):
                self._check(gan, bench, record)  # after the checkpoint, to which an undisturbed run's checks alone are known
            if ended:
                break
        return record

    def _mark(self, record: Record) -> int:
        """Counts the checkpoints that are due up to a record."""
        if self.checkpoint_share:
            return int(self.limit.share(record, 0.0) / self.checkpoint_share + 1e-9)
        return record.step // (self.checkpoint_every or sys.maxsize)

    def _hold(self, gan: GAN, record: Record, save: bool, ended: bool) -> bool:
        """Keeps the state in memory now and then, and on disk where it is to ``save``; false where weights are not finite."""
        last = self._good.record.step if self._good else 0
        if not (save or ended or record.step >= min(2 * last, last + APART)):
            return True
        state = checkpoint.state(gan, record)
        if not checkpoint.finite(state):
            append_row(self.run.records_file, record._replace(signals={"weights": float("nan")}).as_json())
            return False
        self._good = state
        if save:
            now = checkpoint.with_run(state, self.run, {"best_value": self.best})
            checkpoint.save(self.run.path / CHECKPOINTS, now)
        return True

    def _go_back(self, gan: GAN, bench: Bench, broken: Record) -> None:
        """To the last good state, which nothing is trained from: the same steps would lead to the same end."""
        if self._good is None:
            return
        good = self._good.restore(gan)
        self.run.update(rolled_back={"from_step": broken.step, "to_step": good.step})
        self.say(f"{self.run.path}: not finite at step {broken.step}; back to the last good state, of step {good.step}")
        if not self.run.model.is_file():
            self._check(gan, bench, good)

    def _continue(self, gan: GAN) -> checkpoint.State:
        """The newest whole checkpoint, with the run's directory put back to what it was then."""
        told = self.run.read()
        old = told | {"recipe": from_data(told["recipe"], str(self.run.run)).model_dump(mode="json")}  # may lack newer fields
        if difference := _difference(old, {name: value for name, value in self._depends(gan).items() if name in old}):
            raise Unusable(f"{self.run.path}: can't go on with this run: {difference}; name another --out to start anew")
        state = checkpoint.newest(self.run.path / CHECKPOINTS, self.say)
        step = state.record.step
        if self.limit.steps is not None and step > self.limit.steps:
            raise Unusable(f"{self.run.path}: is at step {step} already; give --steps {step} or more")
        if told.get("versions") != VERSIONS:
            self.say(f"begun with {told.get('versions')}, goes on with {VERSIONS}: the same numbers can't be promised")
        if told.get("processes", 1) != self.ranks.count:
            self.say(f"begun with {told.get('processes', 1)} processes, goes on with {self.ranks.count}: sums round otherwise")
        checkpoint.put_back(state, self.run)
        self.best = float(state.notes["best_value"])
        self.say(f"{self.run.path}: goes on from step {step}")
        return state

    def _check(self, gan: GAN, bench: Bench, record: Record) -> None:
        """Measures the averaged generator on validation, keeps it if it is the best so far, and draws its grid.

        Where validation is too small for the ranking metric, the newest is kept: it has learned longest.
        """
        snapshot = model.Model(gan, self.data.classes)
        if not all(bool(w.isfinite().all()) for w in snapshot.state_dict().values()):
            return  # bytes of a diverged generator would look finite; what was good before stays
        fakes = self._sample(snapshot, bench.n, CHECK_SEED)
        numbers, metric = bench.quick(fakes) if (finite := bool(np.isfinite(fakes).all())) else {}, ranking_metric(self.data.kind)
        copied = self.data.kind == "image" and copies(numbers)
        value = float("inf") if copied else numbers.get(metric, float("inf"))
        unranked = finite and not copied and metric not in numbers
        pictures.save(pictures.picture(fakes[: self._tiles()], self._real()), self.run.grids / f"{record.step:08d}.png")
        append_row(self.run.checks_file, {"step": record.step, "seconds": record.seconds, **numbers})
        if value < self.best or unranked or not self.run.model.is_file():
            self.best = value
            best = {"step": record.step, "seconds": record.seconds, "images": record.images, **numbers}
            self.run.update(best=best, model_sha256=model.save(snapshot, self.run.model))

    def _sample(self, source: model.Model, n: int, seed: int) -> np.ndarray:
        """n samples, of which each process makes its share."""
        self.ranks.tell(lambda: ({name: value.cpu() for name, value in source.state_dict().items()}, n, seed))
        return source.sample(n, seed)

    def _cost(self, last: Record) -> dict[str, float]:
        spent = self.limit.spent(last)
        return {name: round(used, 3) for name, used in spent.items() if used or name != "flops"}

    def _tiles(self) -> int:
        return GRID if self.data.kind == "image" else 1000

    def _real(self) -> np.ndarray:
        """Test samples for pictures, in no order of file or class."""
        rows = np.random.default_rng(0).permutation(self.data.split.test)[: self._tiles()]
        return np.asarray(self.data.values[rows])


def drawn(n: int) -> int:
    """Sets of n fakes that a score is the mean of."""
    return DRAWS if n <= FEW else 1


def copies(check: Mapping[str, float]) -> bool:
    """Whether a checkpoint is passed over because its images repeat the training images, which KID alone would prefer."""
    return doctor.repeats(check.get("memorization", 1.0), check.get("novelty", 1.0), MEMORIZED)


def _difference(told: Mapping[str, Any], ours: Mapping[str, Any], where: str = "") -> str:
    """The first thing in which two descriptions of a run differ, in words; empty where they agree."""
    for name, mine in ours.items():
        theirs, place = told.get(name), f"{where}{name}"
        if isinstance(mine, dict) and isinstance(theirs, Mapping):
            if found := _difference(theirs, mine, f"{place}."):
                return found
        elif theirs != mine:
            return f"its {place} is {theirs}, not {mine}"
    return ""


def outlive_none(parent: int) -> None:
    """Ends this process when the one that began it has gone, killed without a word to us: by SIGTERM, and then for certain."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main(folder: str, parent: int | None = None) -> int:
    """The process of one trial of a race: its job is in the run's own directory. It ends when ``parent`` does."""
    if parent is not None:
        outlive_none(parent)
    torch.set_num_threads(1)
    run = RunDirectory(Path(folder))
    job = run.read()["job"]
    trial = Trial(
        run,
        from_data(job["recipe"]),
        open_saved(Path(job["data"])),
        Limit(**job["limit"]),
        seed=job["seed"],
        device=job["device"],
        precision=job.get("precision", "auto"),
    )
    with Stop(racing=True).listening() as stop:
        trial.go(stop, n=job["n"], draws=job["draws"])
    return stop.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else os.getppid()))

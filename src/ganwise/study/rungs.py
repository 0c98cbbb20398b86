"""The process of one task of a race: it trains a run to a rung, or scores it, and ends. All it knows is in the run's directory.

At a rung a run leaves a look in its `run.json`: the best value on validation so far, the doctor's verdict, whether a remedy is
known that was not tried yet, whether the doctor's stop rule would end it, and what it has cost. A run that has a ``parent`` is
the healed one of two: it goes on from the parent's last healthy checkpoint by the first remedy, and the parent's cost is its own.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ganwise import catalog, doctor
from ganwise.artifacts import RunDirectory, alone
from ganwise.catalog.sizes import default_architecture
from ganwise.data import Dataset, open_saved
from ganwise.doctor.stop import advise
from ganwise.recipe import Recipe, from_data
from ganwise.select.cost import cost
from ganwise.study import healing
from ganwise.study.limit import Limit
from ganwise.study.looks import left
from ganwise.study.trial import CHECKPOINTS, ENOUGH, Stop, Trial, outlive_none
from ganwise.types import SICK, Unusable

EVERY = 0.05
"""Share of a run's budget between two checkpoints: counted, not timed, so that a healed run begins where it always would."""
WAIT = 30.0
"""Seconds that a run directory may still be held by a process that is about to end."""


def main(folder: str, until: float | None, parent: int | None = None) -> int:
    """Trains the run in ``folder`` to a share of its budget, or scores it; the exit status. Ends when ``parent`` does."""
    if parent is not None:
        outlive_none(parent)
    torch.set_num_threads(1)
    run = RunDirectory(Path(folder))
    with Stop(racing=True).listening() as stop, _alone(run.path):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, ENOUGH))
        job = run.read()["job"]
        trial = _trial(run, job, open_saved(Path(job["data"])))
        if until is None:
            trial.finish(stop, n=job["n"], draws=job["draws"])
        else:
            _train(trial, job, until, stop)
    return stop.status


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Whoever trained here before may need a moment to end."""
    give_up = time.monotonic() + WAIT
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(alone(folder))
                break
            except Unusable:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
        yield


def _trial(run: RunDirectory, job: Mapping[str, Any], data: Dataset) -> Trial:
    recipe = from_data(job["recipe"], str(run.run))
    limit = Limit(**job["limit"], operations=operations(recipe, data), lost=job.get("lost", {}))
    way = job.get("precision", "auto")  # jobs of older races tell none
    return Trial(run, recipe, data, limit, job["seed"], job["device"], way, checkpoint_share=EVERY)


def operations(recipe: Recipe, data: Dataset) -> float:
    """Multiplications and additions of a step of both players, by formula."""
    if recipe.architecture.name == catalog.AUTO:
        named = recipe.architecture.model_copy(update={"name": default_architecture(recipe, data.shape)})
        recipe = recipe.model_copy(update={"architecture": named})
    return cost(recipe, data.shape, len(data.classes), len(data.split.train)).operations_per_step


def _train(trial: Trial, job: Mapping[str, Any], until: float, stop: Stop) -> None:
    run, before = trial.run, left(trial.run.read(), job["limit"])
    trial.until, trial.reached = until, max((look["rung"] for look in before), default=0.0)
    trial.resume = any((run.path / CHECKPOINTS).glob("*.json"))
    if not trial.resume:
        _clear(run)
        if "parent" in job:
            trial = _healed(trial, job)
    diagnosis = trial.advance(stop)
    if not stop.interrupted:
        _look(trial, diagnosis, job["limit"], short=stop.signal == ENOUGH)


def _clear(run: RunDirectory) -> None:
    """Takes away what a process wrote that was killed before its first checkpoint: its run begins anew."""
    for path in run.path.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path not in (run.run, run.log) and path.name != ".lock":
            path.unlink()


def _healed(trial: Trial, job: Mapping[str, Any]) -> Trial:
    """The trial with the parent's first remedy, from its last healthy checkpoint."""
    run, parent = trial.run, RunDirectory(trial.run.path.with_name(job["parent"]))
    told, treatment = parent.read(), _treatment(parent, trial)
    state, _ = healing.begin(parent, run, treatment, trial.data, trial.device)
    limit = replace(trial.limit, operations=operations(treatment.recipe, trial.data), lost={})
    own = limit.spent(state.record) if state else {}
    lost = {name: told.get(name, 0) - own.get(name, 0) for name in ("steps", "images", "seconds", "flops")}
    run.update(job={**job, "recipe": treatment.recipe.model_dump(mode="json"), "lost": lost})
    return replace(trial, recipe=treatment.recipe, start=state, limit=replace(limit, lost=lost))


def _treatment(parent: RunDirectory, trial: Trial) -> healing.Treatment:
    """The first remedy, judged as its look was: the parent has not ended, whichever rung it is healed for."""
    recipe = from_data(parent.read()["recipe"], str(parent.run))
    return _treatments(doctor.diagnose(parent.records(), recipe, running=True), recipe, trial)[0]


def _treatments(diagnosis: doctor.Diagnosis, recipe: Recipe, trial: Trial) -> list[healing.Treatment]:
    return healing.changing(healing.treatments(diagnosis, recipe), recipe, trial.data, trial.seed, trial.device)


def _look(trial: Trial, diagnosis: doctor.Diagnosis, limit: Mapping[str, Any], short: bool) -> None:
    run = trial.run
    told = run.read()
    recipe = from_data(told["recipe"], str(run.run))
    sick = diagnosis.verdict in SICK
    records = run.records()
    found = [one.problem for one in diagnosis.findings if one.severity == diagnosis.verdict]
    look = {
        "rung": trial.until,
        "limit": dict(limit),
        "value": trial.best,
        "verdict": diagnosis.verdict,
        "findings": found if sick else [],
        "curable": sick and trial.until < 1 and "parent" not in told["job"] and bool(_treatments(diagnosis, recipe, trial)),
        "late": not records or not advise(records, recipe).now,
        "short": short,
        "cost": {name: told.get(name, 0) for name in ("steps", "images", "seconds", "flops")},
    }
    run.update(looks=[one for one in told.get("looks", []) if one["rung"] != trial.until] + [look])

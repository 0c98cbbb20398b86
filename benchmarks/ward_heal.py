"""Healing the ward: each sick run goes on with the doctor's remedies, as `ganwise doctor RUN --heal` does it, and is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ward_cases import CELLS
from ward_judge import score
from ward_runs import MOST_SECONDS, Case, data_of, made, outcome

from ganwise.artifacts import RunDirectory
from ganwise.checkpoint import State
from ganwise.doctor import diagnose
from ganwise.heal import TRIES
from ganwise.model import Model
from ganwise.recipe import from_data
from ganwise.study.healing import CURED, Treatment, graft, last_healthy, treatments
from ganwise.train import train

INCURABLE = ("leak", "overflow")
"""Faults outside the recipe, that no change of it takes away: they count as not healed and are not tried."""


def heal(case: Case, row: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Tries remedies until one cures, by the doctor and by samples no worse than the sick run's."""
    assert case.broken
    run = RunDirectory(folder)
    recipe, told = from_data(run.read()["recipe"]), {"name": case.name, "cell": case.cell, "seed": case.seed}
    told |= {"injection": case.injection, "content": case.content}
    if case.broken.hook in INCURABLE:
        return told | {"tried": [], "cured": False, "outcome": row["outcome"], "why": "a fault outside the recipe"}
    diagnosis = diagnose(run.records(), recipe)
    tried = []
    todo = [one for one in treatments(diagnosis, recipe) if made(case, data_of(case), one.recipe).recipe != recipe]
    for treatment in todo[:TRIES]:
        state = last_healthy(run, recipe, treatment.finding)
        tried.append(_attempt(case, treatment, state, row))
        if tried[-1]["cured"]:
            break
    best = min(tried, key=lambda one: (not one["cured"], score(one["outcome"])), default=None)
    why = "" if tried else "the doctor saw nothing, or knew no remedy"
    return told | {"tried": tried, "cured": bool(best and best["cured"]), "outcome": (best or row)["outcome"], "why": why}


def _attempt(case: Case, treatment: Treatment, state: State | None, row: dict[str, Any]) -> dict[str, Any]:
    data, steps = data_of(case), CELLS[case.cell].steps
    gan, told = made(case, data, treatment.recipe), "nothing: no checkpoint was seen healthy"
    if state:
        state, told = graft(state, gan, "loss.name" not in treatment.remedy.change)
    begin, records = state.record.step if state else 0, []
    finite, seconds = True, state.record.seconds if state else 0.0
    for record in train(gan, data, steps=steps, seed=case.seed, start=state):
        records.append(record)
        finite = bool(np.isfinite(list(record.signals.values())).all())
        if not finite or record.seconds - seconds >= MOST_SECONDS:
            break
    verdict = diagnose(records, gan.recipe).verdict
    numbers = outcome(Model(gan).sample, data) if finite else {}
    cured = verdict in CURED and score(numbers) <= score(row["outcome"])
    change = {"problem": treatment.finding.problem, "change": dict(treatment.remedy.change), "from_step": begin, "kept": told}
    return change | {"steps": record.step, "verdict": verdict, "outcome": numbers, "cured": cured}

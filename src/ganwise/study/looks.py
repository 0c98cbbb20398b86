"""Which run stands for a candidate and a seed, and what is known of it at the rungs of a ladder.

That is the looks that it left, or, under another budget, what its checks say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganwise.artifacts import RunDirectory
from ganwise.study.halving import Ladder, Look
from ganwise.study.trial import copies
from ganwise.types import SICK

UNITS = ("seconds", "images", "flops")


def run_of(folder: Path, name: str, seed: int) -> RunDirectory:
    """The run of a candidate and a seed among the runs in ``folder``: the healed one, where there is one."""
    first = RunDirectory(folder / f"{name}-s{seed}")
    healed = healed_of(first)
    return healed if healed.run.is_file() else first


def healed_of(sick: RunDirectory) -> RunDirectory:
    """The run that takes a sick one's place, whether it is there yet or not."""
    return RunDirectory(sick.path.with_name(f"{sick.path.name}-healed"))


def parent_of(run: RunDirectory) -> RunDirectory | None:
    """The sick run whose place a healed one has taken; None of any other."""
    parent = run.read().get("job", {}).get("parent")
    return RunDirectory(run.path.with_name(str(parent))) if parent else None


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two limits give a run the same budget."""
    return all(one.get(name) == other.get(name) for name in UNITS)


def left(told: Mapping[str, Any], limit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The looks that a run left under this very limit; under another the rungs were elsewhere."""
    return [{**look, "value": float(look["value"])} for look in told.get("looks", []) if same(look["limit"], limit)]


def known(run: RunDirectory, limit: Mapping[str, Any], ladder: Ladder, metric: str) -> Iterator[tuple[int, Look]]:
    """Each rung that the run has reached, with the look at it there.

    Where the budget has grown since, a rung that the run had passed by then is read off its checks, with the last verdict.
    """
    told = run.read()
    found = {look["rung"]: look for look in left(told, limit)}
    for number, rung in enumerate(ladder.rungs):
        if rung.share in found:
            yield number, _look(found[rung.share])
        elif told.get("looks") and (value := _passed(run, told, limit, rung.share, metric)) is not None:
            yield number, _look(told["looks"][-1] | {"value": value})


def inherited(run: RunDirectory, limit: Mapping[str, Any], ladder: Ladder, metric: str) -> Iterator[tuple[int, Look]]:
    """As `known`; of a healed run with what its parent came to before the rung to which the healed one trains first."""
    if parent := parent_of(run):
        begun = int(run.read()["job"].get("rung", len(ladder.rungs)))
        yield from ((rung, look) for rung, look in known(parent, limit, ladder, metric) if rung < begun)
    yield from known(run, limit, ladder, metric)


def _look(told: Mapping[str, Any]) -> Look:
    curable = bool(told["curable"]) and told["verdict"] in SICK
    return Look(float(told["value"]), told["verdict"], curable, told["late"], float(told["cost"]["seconds"]))


def _passed(run: RunDirectory, told: Mapping[str, Any], limit: Mapping[str, Any], share: float, metric: str) -> float | None:
    """The best value up to a share of the limit, if the run has come that far."""
    unit = next(name for name in UNITS if limit.get(name))
    spent, steps = float(told.get(unit, 0.0)), float(told.get("steps", 0.0))
    reach = share * float(limit[unit])
    if spent < reach or not steps:
        return None
    checks = [c for c in run.checks() if metric in c and _at(c, unit, spent, steps) <= reach * (1 + 1e-9)]
    return min((float(c[metric]) for c in checks if not (metric == "kid" and copies(c))), default=float("inf"))


def _at(check: Mapping[str, Any], unit: str, spent: float, steps: float) -> float:
    """What the run had spent at a check: images and operations are the same at every step."""
    return float(check["seconds"]) if unit == "seconds" else float(check["step"]) * spent / steps

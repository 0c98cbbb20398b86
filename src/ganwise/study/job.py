"""The main job, start to end: load, audit, select, race, hand over the best model."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganwise import artifacts, export, interrupts, model
from ganwise.audit import audit
from ganwise.build import suited
from ganwise.data import Dataset, load
from ganwise.select import Advice, known, select
from ganwise.study import race
from ganwise.study.best import best_run
from ganwise.study.budget import Budget
from ganwise.study.local import Watch
from ganwise.study.race import Entrant, Plan
from ganwise.types import Audit, Unusable


@dataclass(frozen=True)
class Request:
    """What the user asked for. Without ``entrants`` the short list runs."""

    source: str
    budget: Budget
    out: Path
    want: tuple[str, ...] = ()
    entrants: tuple[Entrant, ...] = ()
    seeds: int = 2
    device: str = "cpu"
    size: int | None = None
    strict: bool = False
    command: str = ""


@dataclass(frozen=True)
class Hooks:
    """What the caller shows meanwhile."""

    audited: Callable[[Audit], None] = lambda audit: None
    advised: Callable[[Advice], None] = lambda advice: None
    planned: Callable[[Plan], None] = lambda plan: None
    watch: Watch = lambda running: None


def run(request: Request, hooks: Hooks) -> dict[str, Any]:
    """Does all of it in ``request.out``; returns the race's result, with the exported model's path.

    Raises:
        Unusable: The data, the recipes, the budget or the directory can't be used; nothing is left half-written.
    """
    begun = time.monotonic()
    known(request.want)
    data = load(request.source, size=request.size, strict=request.strict)
    for entrant in request.entrants:
        _buildable(entrant, data)
    seen = audit(data)
    hooks.audited(seen)
    seconds = None if request.budget.unit == "images" else request.budget.amount
    advice = select(seen, request.want, device=_kind(request.device), seconds=seconds)
    entrants = request.entrants or tuple(Entrant(c.name, c.recipe) for c in advice.candidates)
    hooks.advised(advice)
    with _claimed(request.out):
        plan = race.plan(entrants, data, request.budget, request.seeds, request.device, begun, trim=not request.entrants)
        interrupts.obey()
        hooks.planned(plan)
        _note(request, data, seen, advice)
        result = race.race(plan, data, request.budget, request.out, request.device, hooks.watch, begun)
        return hand_over(request.out, result)


def _buildable(entrant: Entrant, data: Dataset) -> None:
    try:
        suited(entrant.recipe, data)
    except Unusable as error:
        raise Unusable(f"{entrant.name}: {error}") from None


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """The directory for the results; gone again where nothing came of it."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    artifacts.claim(out)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # one that holds something stays
            if not any(out.glob("runs/*/records.jsonl")):  # nothing was trained yet, and all of it is ours
                for inside in out.iterdir():
                    shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
            for folder in made:
                folder.rmdir()
        raise


def hand_over(out: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Exports the recommended model into ``out/model``."""
    best = best_run(result, out)
    result["model"] = None
    if best:
        result["model"] = str(export.to_safetensors(model.load(best.model), out / "model"))
    artifacts.write_json(out / "race.json", result)
    return result


def _note(request: Request, data: Dataset, seen: Audit, advice: Advice) -> None:
    out = request.out
    artifacts.write_json(out / "audit.json", seen._asdict())
    artifacts.write_json(out / "select.json", advice.as_json())
    told = {"source": request.source, "want": request.want, "seeds": request.seeds, "device": request.device}
    told |= {"budget": request.budget.text, "command": request.command, "data": data.name, "content": data.content}
    artifacts.write_json(out / "request.json", told)


def _kind(device: str) -> Any:
    return device.partition(":")[0]


def free_directory(name: str, parent: Path = Path()) -> Path:
    """ganwise-NAME, or the first of ganwise-NAME-2, -3, ... that does not exist."""
    number = 1
    while (path := parent / f"ganwise-{name}{'' if number == 1 else f'-{number}'}").exists():
        number += 1
    return path

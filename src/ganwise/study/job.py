"""The main job, start to end: load, audit, select, race, hand over the best model. Or go on with a race, and add to it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganwise import artifacts, card, export, interrupts, model
from ganwise.audit import audit
from ganwise.build import suited
from ganwise.data import Dataset, load
from ganwise.evaluate import rankable
from ganwise.select import Advice, Application, known, select
from ganwise.study import budget as budgets
from ganwise.study import neighbors, race, search
from ganwise.study import plan as plans
from ganwise.study.best import best_run
from ganwise.study.budget import Budget
from ganwise.study.engine import Engine
from ganwise.study.local import Local
from ganwise.study.plan import Entrant, Plan
from ganwise.study.race import Watch
from ganwise.study.record import Index
from ganwise.types import FULL, Audit, Halted, Unusable

SEEDS, BUDGET = 3, "3m"
FORMAT = 1
"""Of a race's `plan.json`; a newer one is refused."""
TAKEN = "another race runs here by process {}; wait until it ends, or name another --out"


@dataclass(frozen=True)
class Request:
    """What the user asked for. Without ``entrants`` the short list runs.

    With ``resume`` the race in ``out`` goes on: budget and seeds are its own where they are None, and entrants join it.
    """

    source: str
    out: Path
    budget: Budget | None = None
    want: tuple[str, ...] = ()
    application: Application = field(default_factory=Application)
    entrants: tuple[Entrant, ...] = ()
    seeds: int | None = None
    tune: int | None = None  # settings of each candidate that are tried first
    resume: bool = False
    device: str = "cpu"
    size: int | None = None
    strict: bool = False
    command: str = ""
    record: str | None = None  # a database by its URL, instead of that in the directory


@dataclass(frozen=True)
class Hooks:
    """What the caller shows meanwhile."""

    audited: Callable[[Audit], None] = lambda audit: None
    advised: Callable[[Advice], None] = lambda advice: None
    planned: Callable[[Plan], None] = lambda plan: None
    watch: Watch = lambda running: None
    say: Callable[[str], None] = lambda line: None


def run(request: Request, hooks: Hooks, engine: Engine | None = None) -> dict[str, Any]:
    """Does all of it in ``request.out``; returns the race's result, with the exported model's path. By default on this machine.

    Raises:
        Unusable: The data, the recipes, the budget or the directory can't be used; nothing is left half-written.
        Halted: The disk is full.
    """
    begun = time.monotonic()
    known(request.want)
    if request.tune:
        search.required()
    data = load(request.source, size=request.size, strict=request.strict)
    for entrant in request.entrants:
        _buildable(entrant, data)
    how = _gone_on if request.resume else _begun
    with closing(engine or Local(plans.workers(request.device), request.device == "cuda")) as engine:
        try:
            return how(request, data, hooks, begun, engine)
        except OSError as error:
            if error.errno in FULL:
                raise Halted(_full(request, error)) from None
            raise


def _full(request: Request, error: OSError) -> str:
    on = f"ganwise race {request.source} --out {request.out} --resume"
    kept = f"what was finished is kept: make room, then `{on}` goes on"
    begun = (request.out / "plan.json").is_file()
    return f"{request.out}: can't be written to: {error.strerror}; {kept if begun else 'nothing was begun: make room'}"


def _gone_on(request: Request, data: Dataset, hooks: Hooks, begun: float, engine: Engine) -> dict[str, Any]:
    with artifacts.alone(request.out, TAKEN):
        plan, budget = _gone_on_with(request, data, begun, engine)
        hooks.planned(plan)
        return _raced(request, plan, budget, data, hooks, begun, engine)


def _begun(request: Request, data: Dataset, hooks: Hooks, begun: float, engine: Engine) -> dict[str, Any]:
    rankable(data)
    seen = audit(data)
    hooks.audited(seen)
    budget = request.budget or budgets.parse(BUDGET)
    seconds = budget.amount if budget.unit in ("wall", "cpu") else None
    advice = select(seen, request.want, application=request.application, device=_kind(request.device), seconds=seconds)
    entrants = request.entrants or _advised(advice, data, hooks.say)
    hooks.advised(advice)
    with _claimed(request.out), artifacts.alone(request.out, TAKEN):
        trim, seeds = not request.entrants, request.seeds or SEEDS
        plan = plans.plan(entrants, data, budget, seeds, request.device, begun, trim, engine.slots, request.tune or 0)
        interrupts.obey()
        hooks.planned(plan)
        _note(request, plan, budget, data)
        artifacts.write_json(request.out / "audit.json", seen._asdict())
        artifacts.write_json(request.out / "select.json", advice.as_json())
        return _raced(request, plan, budget, data, hooks, begun, engine)


def _raced(
    request: Request, plan: Plan, budget: Budget, data: Dataset, hooks: Hooks, begun: float, engine: Engine
) -> dict[str, Any]:
    index = Index.open(request.out, hooks.say, request.record)
    try:
        where = (request.out, request.device)
        if plan.tune:
            race.keep(plan, budget, request.out)
            tuned = search.tune(plan, data, *where, race.clock(plan, budget, begun), engine, hooks.say)
            ended = race.race(tuned.plan, data, budget, *where, hooks.watch, begun, engine, index, plan, tuned.stopped)
            artifacts.write_json(request.out / "race.json", result := tuned.note(ended))
        else:
            result = race.race(plan, data, budget, *where, hooks.watch, begun, engine, index)
        result = hand_over(request.out, result)
        if best := best_run(result, request.out):
            neighbors.draw(best, data, request.out)
        return result
    finally:
        index.put_race()
        index.close()


def _gone_on_with(request: Request, data: Dataset, begun: float, engine: Engine) -> tuple[Plan, Budget]:
    """The plan of the race in the directory, with what is to be added to it.

    Raises:
        Unusable: No race there, one of another version, of other data or on another device, or what is asked for would take
            something away from it.
    """
    out = request.out
    if not (out / "plan.json").is_file() or not (out / "request.json").is_file():
        raise Unusable(f"{out}: no race to go on with (plan.json is missing); leave --resume out to begin one")
    told, asked = artifacts.read_json(out / "plan.json"), artifacts.read_json(out / "request.json")
    if int(told.get("format", FORMAT)) > FORMAT:
        raise Unusable(f"{out}: a race of a newer ganwise (format {told['format']}, this one goes on with up to {FORMAT})")
    before = plans.read(told, str(out / "plan.json"))
    if asked.get("content") != data.content:
        raise Unusable(f"{out}: holds a race on other data ({asked.get('source')}); name that data, or another --out")
    if asked.get("device") != request.device:
        raise Unusable(f"{out}: holds a race on {asked.get('device')}, not {request.device}; give --device {asked.get('device')}")
    seeds = request.seeds or before.seeds
    if request.tune is not None and request.tune != before.tune:
        raise Unusable(
            f"--tune {request.tune}: the race in {out} was begun with {before.tune}; leave --tune out to go on with it"
        )
    if seeds < before.seeds:
        raise Unusable(f"--seeds {seeds}: the race in {out} has {before.seeds}; seeds can only be added")
    budget = budgets.parse(str(told["budget"]))
    plan = before._replace(entrants=_joined(before.entrants, request.entrants, out), seeds=seeds)
    if request.budget and request.budget.text != budget.text:
        if (counted := _counted(before)) != ("seconds" if request.budget.unit in ("wall", "cpu") else request.budget.unit):
            raise Unusable(
                f"--budget {request.budget.text}: the race in {out} counts {counted}; give its budget in the same unit"
            )
        budget = request.budget
        plan = _grown(
            plan, plans.plan(plan.entrants, data, budget, seeds, request.device, begun, False, engine.slots, before.tune), out
        )
    _note(request, plan, budget, data)
    return plan._replace(workers=engine.slots), budget


def _joined(before: tuple[Entrant, ...], new: tuple[Entrant, ...], out: Path) -> tuple[Entrant, ...]:
    known = dict(before)
    for name, recipe in new:
        if known.setdefault(name, recipe) != recipe:
            raise Unusable(f"{name}: the race in {out} has another recipe of this name; give yours an alias, as in b={name}")
    return tuple(Entrant(*each) for each in known.items())


def _grown(before: Plan, after: Plan, out: Path) -> Plan:
    """Test samples stay as many as they were, so that scores can be compared."""
    for unit in ("seconds", "images", "flops"):
        old, new = getattr(before, unit), getattr(after, unit)
        if old and new < old:
            raise Unusable(f"--budget: gives a run {new:,.0f} {unit}, less than the {old:,.0f} that it has in {out}; give more")
    return after._replace(n=before.n, draws=before.draws)


def _counted(plan: Plan) -> str:
    return "images" if plan.images else "flops" if plan.flops else "seconds"


def _advised(advice: Advice, data: Dataset, say: Callable[[str], None]) -> tuple[Entrant, ...]:
    """The candidates of the advice, without those that can't be built for these data: rules read facts, not every label."""
    found, refused = list[Entrant](), list[Unusable]()
    for candidate in advice.candidates:
        try:
            _buildable(entrant := Entrant(candidate.name, candidate.recipe), data)
        except Unusable as error:
            refused.append(error)
            say(f"left out: {error}")
        else:
            found.append(entrant)
    if not found:
        raise refused[-1]
    return tuple(found)


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
            if not any(out.glob("**/runs/*/records.jsonl")):  # nothing was trained yet, and all of it is ours
                for inside in out.iterdir():
                    shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
            for folder in made:
                folder.rmdir()
        raise


def hand_over(out: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Exports the recommended model into ``out/model``, with its card."""
    best = best_run(result, out)
    result["model"] = result["card"] = None
    if best:
        handed = model.load(best.model)
        weights = export.to_safetensors(handed, out / "model")
        result["model"] = str(weights)
        with suppress(Unusable):  # hours of training are not thrown away for a page
            result["card"] = str(card.write(best, handed, weights))
    artifacts.write_json(out / "race.json", result)
    return result


def _note(request: Request, plan: Plan, budget: Budget, data: Dataset) -> None:
    """What was asked for; of a race that goes on, the first command too."""
    file = request.out / "request.json"
    before = artifacts.read_json(file) if file.is_file() else {}
    told = {
        "source": request.source,
        "want": request.want,
        "application": request.application.said,
        "seeds": plan.seeds,
        "device": request.device,
    }
    told |= {"budget": budget.text, "command": request.command, "data": data.name, "content": data.content}
    if before:
        told |= {name: before[name] for name in ("want", "application", "command") if name in before}
        told["resumed"] = [*before.get("resumed", []), request.command]
    artifacts.write_json(file, told)


def _kind(device: str) -> Any:
    return device.partition(":")[0]


def free_directory(name: str, parent: Path = Path()) -> Path:
    """ganwise-NAME, or the first of ganwise-NAME-2, -3, ... that does not exist."""
    number = 1
    while (path := parent / f"ganwise-{name}{'' if number == 1 else f'-{number}'}").exists():
        number += 1
    return path

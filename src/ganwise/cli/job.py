"""run and race: the job from data to recommendation, shown while it runs."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from ganwise import report
from ganwise.cli import live, racing, runs, show
from ganwise.cli.app import launched, wants
from ganwise.study import budget as budgets
from ganwise.study import job
from ganwise.study import plan as plans
from ganwise.study.engine import Engine
from ganwise.study.plan import Entrant, Plan
from ganwise.tensorboard import Boards
from ganwise.types import Audit, Unusable

ENGINES = ("local", "ray")


class On(NamedTuple):
    """Where a race runs, as the user typed it."""

    name: str = "local"
    address: str | None = None

    def check(self) -> None:
        """Raises:
        Unusable: No such engine, or an address for one that has none.
        """
        if self.name not in ENGINES:
            raise Unusable(f"--engine {self.name}: unknown; known: {', '.join(ENGINES)}")
        if self.address is not None and self.name != "ray":
            raise Unusable(f"--address {self.address}: of a Ray cluster; add --engine ray")

    def engine(self, device: str) -> Engine | None:
        """The engine; None for this machine without one, as is usual.

        Raises:
            Unusable: It can't be had.
        """
        if self.name == "local":
            return None
        from ganwise.study.cluster import Ray

        return Ray(self.address, device == "cuda", plans.workers(device))


def run(
    data: str,
    recipes: tuple[str, ...],
    want: str,
    budget: str | None,
    seeds: int | None,
    out: Path | None,
    size: int | None,
    strict: bool,
    device: str,
    json: bool,
    resume: bool = False,
    record: str | None = None,
    tensorboard: bool = False,
    where: On = On(),
    tune: int | None = None,
) -> int:
    """Exit status: 0 done, 1 every candidate sick, 130 interrupted."""
    where.check()
    budget_ = budgets.parse(budget) if budget is not None else None
    entrants = _entrants(recipes, resume)
    if resume and out is None:
        raise Unusable("--resume: name the race's directory with --out")
    if not resume and out and out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        more = ", or go on with its race by --resume" if (out / "plan.json").is_file() else ", or remove it"
        raise Unusable(f"{out}: holds files already; name a new directory with --out{more}")
    device = runs.device(device)
    request = job.Request(
        source=data,
        budget=budget_,
        out=out or job.free_directory(_short(data)),
        want=wants(want),
        entrants=entrants,
        seeds=seeds,
        device=device,
        size=size,
        strict=strict,
        command=launched(),
        resume=resume,
        record=record,
        tune=tune,
    )
    with ExitStack() as stack:
        boards = stack.enter_context(closing(Boards())) if tensorboard else None
        engine = where.engine(device)
        if engine:
            stack.enter_context(closing(engine))
        result = job.run(request, _hooks(stack, json, boards), engine)
    result["report"] = _report(request.out)
    show.result(result, json, lambda: show.outcome(result))
    if result["interrupted"]:
        saved = f"the best model so far is saved: {result['model']}" if result["model"] else "no run had a model yet"
        on = f"everything is in {request.out}: ganwise race {data} --out {request.out} --resume goes on"
        live.errors.print(f"interrupted; {saved}; {on}", markup=False, soft_wrap=True)
        return 128 + int(result["signal"])
    return 0 if result["recommended"] else 1


def _report(out: Path) -> str | None:
    try:
        return str(report.write(out))
    except Unusable as error:  # hours of training are not thrown away for a page
        live.errors.print(f"no report: {error}", markup=False, soft_wrap=True)
        return None


def _short(data: str) -> str:
    return Path(data.rstrip("/")).stem or "data"


def _entrants(recipes: tuple[str, ...], joining: bool) -> tuple[Entrant, ...]:
    """``ALIAS=RECIPE`` or ``RECIPE``; an alias lets one recipe enter several times."""
    found: dict[str, Entrant] = {}
    for text in recipes:
        alias, equals, recipe = text.rpartition("=")
        name = alias if equals else Path(recipe).stem if recipe.endswith(".json") else recipe
        if name in found:
            raise Unusable(f"{text}: {name} is entered twice; give each a name of its own, as in a={recipe} b={recipe}")
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise Unusable(f"{text}: an alias is made of letters, digits, '-', '_' and '.'")
        found[name] = Entrant(name, runs.read_recipe(recipe))
    if len(found) == 1 and not joining:
        raise Unusable("a race takes two candidates at least; for one use ganwise train")
    return tuple(found.values())


def _ladder(plan: Plan) -> str:
    """Who gets how much, in words: 8 train to 2 s, 4 of them to 8 s, 2 of those to 20 s."""
    unit, whole = next((name, amount) for name, amount in plan.limit.items() if amount and name != "wall")
    how = {"seconds": "{:,.1f} s", "images": "{:,.0f} images", "flops": "{:.2g} operations"}[unit]
    steps = [f"{rung.places} to {how.format(rung.share * float(whole))}" for rung in plan.ladder.rungs]
    if len({rung.places for rung in plan.ladder.rungs}) == 1:
        return f"each trains for {how.format(float(whole))}"
    return f"of training: {', '.join(steps)}"


def _hooks(stack: ExitStack, json: bool, boards: Boards | None = None) -> job.Hooks:
    view: dict[str, racing.RaceView] = {}

    def audited(seen: Audit) -> None:
        show.audit(seen)

    def planned(plan: Plan) -> None:
        if not json:
            show.heading(f"Racing {len(plan.entrants)} candidates with {plan.seeds} seeds, {plan.workers} at a time")
            show.console.print("  " + ", ".join(e.name for e in plan.entrants))
            show.console.print(f"  {_ladder(plan)}", soft_wrap=True)
        view["race"] = stack.enter_context(racing.race(plan))

    def advised(advice: Any) -> None:
        said = advice.as_json()
        show.heading(f"{said['before']:,} combinations, {said['valid']:,} valid, {said['after']:,} after the four questions")

    def watch(running: list[Any]) -> None:
        view["race"].watch(running)
        if boards:
            boards.watch(running)

    def say(line: str) -> None:
        live.errors.print(line, markup=False, soft_wrap=True)

    if json:
        return job.Hooks(planned=planned, watch=watch, say=say)
    return job.Hooks(audited=audited, advised=advised, planned=planned, watch=watch, say=say)

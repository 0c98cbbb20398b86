"""run and race: the job from data to recommendation, shown while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

from ganwise import report
from ganwise.cli import live, racing, runs, show
from ganwise.cli.app import launched
from ganwise.select import Application
from ganwise.select.application import needs, read_file
from ganwise.study import budget as budgets
from ganwise.study import job
from ganwise.study import plan as plans
from ganwise.study.engine import Engine
from ganwise.study.plan import Entrant, Plan
from ganwise.tensorboard import Boards
from ganwise.types import Audit, Unusable

ENGINES = ("local", "ray")


class Asked(NamedTuple):
    """How `ganwise run` or `ganwise race` was called. Without ``recipes`` the short list runs."""

    data: str
    recipes: Sequence[str] | None = None
    want: Sequence[str] | None = None
    application: Path | None = None
    budget: str | None = None
    seeds: int | None = None
    out: Path | None = None
    size: int | None = None
    strict: bool = False
    device: str = "auto"
    engine: str = "local"
    address: str | None = None
    resume: bool = False
    record: str | None = None
    tensorboard: bool = False
    tune: int | None = None
    json: bool = False


def run(asked: Asked) -> int:
    """Exit status: 0 done, 1 every candidate sick, 130 interrupted.

    Raises:
        Unusable: As `ganwise.study.job.run`, and words that mean nothing.
    """
    request = _request(asked)
    with ExitStack() as stack:
        boards = stack.enter_context(closing(Boards())) if asked.tensorboard else None
        engine = _engine(asked, request.device)
        if engine:
            stack.enter_context(closing(engine))
        result = job.run(request, _hooks(stack, asked.json, boards), engine)
    result["report"] = _report(request.out)
    show.result(result, asked.json, lambda: show.outcome(result))
    if result["interrupted"]:
        saved = f"the best model so far is saved: {result['model']}" if result["model"] else "no run had a model yet"
        on = f"everything is in {request.out}: ganwise race {asked.data} --out {request.out} --resume goes on"
        live.errors.print(f"interrupted; {saved}; {on}", markup=False, soft_wrap=True)
        return 128 + int(result["signal"])
    return 0 if result["recommended"] else 1


def _request(asked: Asked) -> job.Request:
    """What was typed, read; all that can be refused without looking at the data is refused here."""
    if asked.engine not in ENGINES:
        raise Unusable(f"--engine {asked.engine}: unknown; known: {', '.join(ENGINES)}")
    if asked.address is not None and asked.engine != "ray":
        raise Unusable(f"--address {asked.address}: of a Ray cluster; add --engine ray")
    budget = budgets.parse(asked.budget) if asked.budget is not None else None
    entrants, out = _entrants(asked.recipes or (), asked.resume), asked.out
    if asked.resume and out is None:
        raise Unusable("--resume: name the race's directory with --out")
    if not asked.resume and out and out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        more = ", or go on with its race by --resume" if (out / "plan.json").is_file() else ", or remove it"
        raise Unusable(f"{out}: holds files already; name a new directory with --out{more}")
    return job.Request(
        source=asked.data,
        budget=budget,
        out=out or job.free_directory(_short(asked.data)),
        want=needs(",".join(asked.want or ())),
        application=read_file(asked.application) if asked.application else Application(),
        entrants=entrants,
        device=runs.device(asked.device),
        command=launched(),
        **{name: getattr(asked, name) for name in ("seeds", "size", "strict", "resume", "record", "tune")},
    )


def _engine(asked: Asked, device: str) -> Engine | None:
    """The engine; None for this machine without one, as is usual.

    Raises:
        Unusable: It can't be had.
    """
    if asked.engine == "local":
        return None
    from ganwise.study.cluster import Ray

    return Ray(asked.address, device == "cuda", plans.workers(device))


def _report(out: Path) -> str | None:
    try:
        return str(report.write(out))
    except Unusable as error:  # hours of training are not thrown away for a page
        live.errors.print(f"no report: {error}", markup=False, soft_wrap=True)
        return None


def _short(data: str) -> str:
    return Path(data.rstrip("/")).stem or "data"


def _entrants(recipes: Sequence[str], joining: bool) -> tuple[Entrant, ...]:
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
        for words in advice.warnings:
            show.console.print(f"  ! {words}", style="yellow", markup=False, soft_wrap=True)

    def watch(running: list[Any]) -> None:
        view["race"].watch(running)
        if boards:
            boards.watch(running)

    def say(line: str) -> None:
        live.errors.print(line, markup=False, soft_wrap=True)

    if json:
        return job.Hooks(planned=planned, watch=watch, say=say)
    return job.Hooks(audited=audited, advised=advised, planned=planned, watch=watch, say=say)
